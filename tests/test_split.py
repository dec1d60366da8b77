"""Properties of the split, on random corpora from fixed seeds."""

import random
from collections import Counter

import pytest

from arf_programs.corpus.split import split_conversations
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn

SEED = 17


def conversation(name, channel="chat", text=None):
    text = text or " ".join(f"{name}word{i}" for i in range(12))
    return Conversation(id=name, channel=channel, turns=(Turn(speaker="Customer", text=text),))


def corpus(rng, size, channels=("bot", "chat", "email", "form"), copies=0.2):
    """Random channels; about a share of `copies` repeats an earlier text."""
    made: list[Conversation] = []
    for number in range(size):
        copied = rng.choice(made).turns[0].text if made and rng.random() < copies else None
        made.append(conversation(f"c{number}", rng.choice(channels), copied))
    return made


def halves(conversations, share=0.2, seed=SEED, **options):
    return split_conversations(conversations, holdout=share, seed=seed, threshold=0.8, **options)


@pytest.mark.parametrize("trial", range(20))
def test_every_conversation_is_on_one_side_and_copies_are_together(trial):
    rng = random.Random(trial)
    conversations = corpus(rng, rng.randrange(10, 80))
    sides = halves(conversations, share=rng.uniform(0.05, 0.9), seed=trial)
    ids = [item.id for item in conversations]
    assert sorted(sides.train + sides.holdout) == sorted(ids)
    assert sides.train and sides.holdout
    assert list(sides.train) == [i for i in ids if i in sides.train]
    side = dict.fromkeys(sides.holdout, "holdout")
    by_text: dict[str, set[str]] = {}
    for item in conversations:
        by_text.setdefault(item.turns[0].text, set()).add(side.get(item.id, "train"))
    assert all(len(seen) == 1 for seen in by_text.values())


@pytest.mark.parametrize("share", [0.05, 0.2, 0.33, 0.5, 0.8])
def test_without_copies_the_share_is_exact_and_the_same_in_every_channel(share):
    conversations = corpus(random.Random(1), 203, copies=0)
    sides = halves(conversations, share=share)
    assert len(sides.holdout) == round(203 * share)
    channel = {item.id: item.channel for item in conversations}
    held, all_of_them = Counter(channel[i] for i in sides.holdout), Counter(channel.values())
    assert all(abs(held[name] - share * count) <= 1 for name, count in all_of_them.items())


def test_the_same_seed_gives_the_same_split_whatever_the_order_and_another_seed_another():
    conversations = corpus(random.Random(2), 60)
    first = halves(conversations)
    assert halves(conversations) == first
    assert set(halves(conversations[::-1]).holdout) == set(first.holdout)
    assert set(halves(conversations, seed=SEED + 1).holdout) != set(first.holdout)


@pytest.mark.parametrize("channels", [("chat",), ("bot", "chat", "email"), tuple(f"channel{i}" for i in range(100))])
def test_one_conversation_more_moves_few_others(channels):
    for trial in range(10):
        conversations = corpus(random.Random(trial), 100, channels, copies=0)
        before = set(halves(conversations).holdout)
        for channel in (channels[0], "new"):
            after = set(halves([*conversations, conversation("one-more", channel)]).holdout) - {"one-more"}
            assert len(before ^ after) <= 4


def test_labelled_conversations_and_their_copies_are_trained_on_and_the_share_is_kept():
    conversations = corpus(random.Random(3), 100)
    labelled = {item.id for item in conversations[:40]}
    texts = {item.turns[0].text for item in conversations[:40]}
    sides = halves(conversations, keep_in_train={*labelled, "not in the corpus"})
    assert not [item for item in conversations if item.id in sides.holdout and item.turns[0].text in texts]
    assert len(sides.holdout) == 20


def test_copies_of_conversations_from_outside_the_corpus_are_trained_on():
    conversations = [conversation(f"c{i}") for i in range(10)]
    outside = [conversation("other", text=item.turns[0].text) for item in conversations[:8]]
    assert set(halves(conversations, keep_with=outside).holdout) == {"c8", "c9"}


def test_a_channel_whose_conversations_are_all_labelled_leaves_its_share_to_others():
    conversations = [conversation(f"a{i}", "a") for i in range(10)] + [conversation(f"b{i}", "b") for i in range(10)]
    sides = halves(conversations, share=0.3, keep_in_train={f"a{i}" for i in range(10)})
    assert len(sides.holdout) == 6
    assert all(name.startswith("b") for name in sides.holdout)


def test_large_groups_come_as_near_to_the_share_as_they_can():
    conversations = [
        conversation(f"g{g}n{n}", text=f"the text of group {g} is said again") for g in range(9) for n in range(31)
    ]
    sides = halves(conversations)  # 20 % of 279 is 56: two groups (62) are nearer than one (31)
    assert len(sides.holdout) == 62


def test_two_conversations_are_enough_for_both_sides():
    for share in (0.01, 0.5, 0.99):
        sides = halves([conversation("a"), conversation("b")], share=share)
        assert len(sides.train) == len(sides.holdout) == 1


def test_no_side_may_be_empty():
    with pytest.raises(DataError, match=r"near-duplicates of one another.*corpus\.near_duplicate"):
        halves([conversation("a", text="just the same text here"), conversation("b", text="just the same text here")])
    with pytest.raises(DataError, match="every conversation is labelled"):
        halves([conversation("a"), conversation("b")], keep_in_train={"a", "b"})


@pytest.mark.parametrize("trial", range(10))
def test_a_dev_side_takes_nothing_from_the_holdout_and_copies_stay_together(trial):
    rng = random.Random(trial)
    conversations = corpus(rng, rng.randrange(12, 80))
    without = halves(conversations, seed=trial)
    sides = halves(conversations, seed=trial, dev=rng.uniform(0.05, 0.6))
    assert without.dev == ()
    assert sides.holdout == without.holdout
    assert sides.dev and sides.train
    assert sorted(sides.train + sides.holdout + sides.dev) == sorted(item.id for item in conversations)
    side = dict.fromkeys(sides.holdout, "holdout") | dict.fromkeys(sides.dev, "dev")
    by_text: dict[str, set[str]] = {}
    for item in conversations:
        by_text.setdefault(item.turns[0].text, set()).add(side.get(item.id, "train"))
    assert all(len(seen) == 1 for seen in by_text.values())


def test_the_dev_side_has_its_share_of_every_channel_and_no_labelled_conversation():
    conversations = corpus(random.Random(1), 200, copies=0)
    labelled = {item.id for item in conversations[:50]}
    sides = halves(conversations, dev=0.2, keep_in_train=labelled)
    assert len(sides.dev) == 40
    assert not labelled & set(sides.dev)
    channel = {item.id: item.channel for item in conversations}
    seen, all_of_them = Counter(channel[i] for i in sides.dev), Counter(channel.values())
    assert all(abs(seen[name] - 0.2 * count) <= 1 for name, count in all_of_them.items())


def test_a_dev_side_that_nothing_is_left_for_is_refused():
    with pytest.raises(DataError, match=r"corpus\.dev"):
        halves([conversation("a"), conversation("b")], dev=0.3)
    with pytest.raises(DataError, match=r"corpus\.dev"):
        halves([conversation(name) for name in "abc"], dev=0.3, keep_in_train={"a", "b"})
