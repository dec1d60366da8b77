"""Properties of the corpus: text that is cleaned, turns that are read, near-duplicates, and the split."""

from __future__ import annotations

import math
import random
import unicodedata
from collections import Counter
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import conversation, hostile_text, text_with_surrogates, words

from arf_programs.config import ColumnsConfig
from arf_programs.corpus import Split, clean_text, group_duplicates, split_conversations
from arf_programs.corpus.speakers import parse_turns
from arf_programs.corpus.turns import read_turns
from signatures.records import Conversation, Turn

_CASES: list[Callable[[str], str]] = [str.upper, str.title, str]

_COLUMNS = ColumnsConfig()


def bare(text: str) -> str:
    """A text without white space and colons, which labels of turns lose."""
    return "".join(char for char in text if not char.isspace() and char not in ":：")


@given(text_with_surrogates)
def test_clean_text_can_be_stored_and_cleaning_it_again_changes_nothing(text: str) -> None:
    cleaned = clean_text(text)
    assert cleaned.encode().decode() == cleaned == clean_text(cleaned)
    assert not [char for char in cleaned if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    if not [char for char in text if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]:
        assert cleaned == text


lines = st.lists(words | st.sampled_from(["Note:", "at 5:30", "https://a.b", "Trip type: x", "  Agent: hm", "é😀"]))
speakers = st.sampled_from(["Customer", "Agent", "Sales Agent 2", "Anna", "Order ID", "Émile (bot)"])


@given(speakers, st.lists(st.tuples(speakers, lines.map(" ".join)) | lines.map(" ".join), max_size=8))
def test_turns_hold_every_character_of_the_text(first: str, rest: list[tuple[str, str] | str]) -> None:
    text = "\n".join([f"{first}: hello", *(line if isinstance(line, str) else ": ".join(line) for line in rest)])
    try:
        turns = parse_turns(text)
    except ValueError as error:  # a given name that stands once between roles
        assert "'Anna' stands there only once" in str(error)
        return
    assert turns[0].speaker == first or (first == "Order ID" and turns[0].speaker == "System")
    spoken = "".join((turn.speaker if turn.speaker != "System" else "") + turn.text for turn in turns)
    assert bare(spoken) == bare(text)


@given(st.lists(st.tuples(st.sampled_from(["Customer", "Agent"]), lines.map(" ".join)), min_size=1))
def test_a_conversation_as_text_is_read_as_the_same_turns(parts: list[tuple[str, str]]) -> None:
    plain = [Turn(speaker=speaker, text=text.replace(":", "").strip()) for speaker, text in parts]
    shown = Conversation(id="c", turns=tuple(plain)).as_text()
    assert parse_turns(shown) == tuple(plain)


@given(st.lists(st.tuples(speakers, hostile_text), min_size=1, max_size=5))
def test_a_list_of_turns_keeps_its_turns(parts: list[tuple[str, str]]) -> None:
    rows = [{_COLUMNS.speaker: speaker, _COLUMNS.text: text} for speaker, text in [("Customer", "hello"), *parts]]
    turns = read_turns(rows, _COLUMNS)
    assert [turn.speaker for turn in turns[1:]] == [speaker for speaker, _ in parts]
    assert [turn.text for turn in turns[1:]] == [clean_text(text).strip() for _, text in parts]


@st.composite
def corpora(draw: st.DrawFn, *, copies: bool, most: int = 25) -> list[Conversation]:
    """Conversations over up to four channels; with `copies`, some say nearly the same as others."""
    rows = draw(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 9)), min_size=2, max_size=most))
    made = []
    for number, (channel, text) in enumerate(rows):
        body = [f"t{text if copies else number}word{word}" for word in range(40)]
        ending = [f"own{number}"] if copies else []
        made.append(conversation(f"c{number}", " ".join(body + ending), channel))
    return made


def halves(corpus: list[Conversation], share: float, seed: int) -> Split:
    return split_conversations(corpus, holdout=share, seed=seed, threshold=0.8)


splits = st.tuples(st.floats(0.01, 0.99), st.integers(0, 3))


@settings(max_examples=60)
@given(corpora(copies=False), splits)
def test_the_holdout_is_within_one_of_what_was_asked_in_all_and_in_each_channel(
    corpus: list[Conversation], asked: tuple[float, int]
) -> None:
    share, _ = asked
    sides = halves(corpus, *asked)
    channel = {item.id: item.channel for item in corpus}
    held, all_of_them = Counter(channel[name] for name in sides.holdout), Counter(channel.values())
    assert abs(len(sides.holdout) - share * len(corpus)) < 1
    assert all(abs(held[name] - share * count) < 1 + 1e-9 for name, count in all_of_them.items())


@settings(max_examples=60)
@given(corpora(copies=True), splits, st.randoms(use_true_random=False))
def test_the_split_is_whole_has_copies_on_one_side_and_does_not_depend_on_the_order_of_rows(
    corpus: list[Conversation], asked: tuple[float, int], order: random.Random
) -> None:
    texts = {item.id: item.turns[0].text.rsplit(" ", 1)[0] for item in corpus}
    if len(set(texts.values())) < 2:
        return
    sides = halves(corpus, *asked)
    assert sides == halves(corpus, *asked)
    assert sides.train and sides.holdout
    assert sorted(sides.train + sides.holdout) == sorted(texts)
    assert not {texts[name] for name in sides.train} & {texts[name] for name in sides.holdout}
    assert set(halves(order.sample(corpus, len(corpus)), *asked).holdout) == set(sides.holdout)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from("abc"), max_size=9), max_size=12), st.floats(0.05, 1), st.data())
def test_groups_of_near_duplicates_do_not_depend_on_order_case_and_punctuation(
    texts: list[list[str]], threshold: float, data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(texts))))
    groups = group_duplicates([conversation("c", " ".join(text)) for text in texts], threshold=threshold)
    cases = data.draw(st.lists(st.sampled_from(_CASES), min_size=12, max_size=12))
    shown = [conversation("c", case(", ".join(texts[place]))) for place, case in zip(order, cases, strict=False)]
    shuffled = dict(zip(order, group_duplicates(shown, threshold=threshold), strict=True))
    for a in range(len(texts)):
        for b in range(a):
            assert (groups[a] == groups[b]) == (shuffled[a] == shuffled[b])
            assert groups[a] == groups[b] or texts[a] != texts[b]
    assert list(dict.fromkeys(groups)) == list(range(len(set(groups))))


@given(st.integers(5, 60), st.integers(0, 60), st.sampled_from([0.5, 0.6, 0.75, 0.8, 0.9, 1.0]))
def test_two_texts_are_near_duplicates_from_the_threshold_on(size: int, own: int, threshold: float) -> None:
    shared = " ".join(f"w{number}" for number in range(size))
    longer = " ".join([shared, *(f"own{number}" for number in range(own))])
    groups = group_duplicates([conversation("a", shared), conversation("b", longer)], threshold=threshold)
    similar = (size - 4) / (size - 4 + own)
    assert (groups[0] == groups[1]) == (similar >= threshold or math.isclose(similar, threshold))
