"""Groups of near-duplicates: exact against comparing every pair, whatever the threshold."""

import itertools
import random

import pytest

from arf_programs.corpus.near_duplicates import group_duplicates
from signatures.records import Conversation, Turn


def conversation(text, speaker="Customer"):
    return Conversation(id="x", turns=(Turn(speaker=speaker, text=text),))


def groups(*texts, threshold=0.8):
    return group_duplicates([conversation(text) for text in texts], threshold=threshold)


def by_all_pairs(texts, threshold):
    """The slow definition: union of all pairs whose word 5-gram sets are similar enough."""
    grams = [{tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))} for words in map(str.split, texts)]
    group = list(range(len(texts)))
    for a, b in itertools.combinations(range(len(texts)), 2):
        if len(grams[a] & grams[b]) / len(grams[a] | grams[b]) >= threshold:
            group = [group[a] if number == group[b] else number for number in group]
    numbers: dict[int, int] = {}
    return [numbers.setdefault(number, len(numbers)) for number in group]


def mutated(rng, words):
    words = list(words)
    for _ in range(rng.randrange(4)):
        place = rng.randrange(len(words))
        change = rng.choice(("replace", "delete", "insert"))
        if change == "replace":
            words[place] = f"x{rng.randrange(5)}"
        elif change == "delete" and len(words) > 1:
            del words[place]
        else:
            words.insert(place, "y")
    return " ".join(words)


@pytest.mark.parametrize("threshold", [0.05, 0.2, 0.3, 0.5, 0.6, 0.75, 0.8, 0.9, 1.0])
def test_groups_are_those_of_comparing_every_pair(threshold):
    rng = random.Random(threshold)
    for _ in range(15):
        bases = [[f"w{rng.randrange(40)}" for _ in range(rng.randrange(1, 30))] for _ in range(4)]
        texts = [mutated(rng, rng.choice(bases)) for _ in range(20)]
        assert groups(*texts, threshold=threshold) == by_all_pairs(texts, threshold)


def test_a_similarity_of_exactly_the_threshold_counts():
    # 6 + 4 words: 5-grams 1..5 of the first and 2..6 of the second, four shared of six; then three shared of seven.
    a, b, c = "a b c d e f g h i", "b c d e f g h i j", "c d e f g h i j k"
    assert groups(a, b, threshold=4 / 6) == [0, 0]
    assert groups(a, b, threshold=4 / 6 + 0.01) == [0, 1]
    assert groups(a, c, threshold=4 / 6) == [0, 1]
    assert groups(a, c, b, threshold=4 / 6) == [0, 0, 0]  # alike is transitive


def test_case_punctuation_and_speakers_do_not_count():
    same = [
        conversation("Where is my parcel, please? It is late."),
        conversation("where is my parcel please it is LATE", speaker="Client"),
    ]
    assert group_duplicates(same, threshold=1.0) == [0, 0]


def test_short_conversations_are_alike_only_when_equal():
    assert groups("Refund, please", "refund please!", "refund now please", "👍", "👎", "👍") == [0, 0, 1, 2, 3, 2]


def test_no_conversations_make_no_groups():
    assert group_duplicates([], threshold=0.8) == []


def test_a_form_letter_shared_by_all_is_not_compared_pair_by_pair(monkeypatch):
    from arf_programs.corpus import near_duplicates

    compared = []
    jaccard = near_duplicates.jaccard

    def counted(a, b):
        compared.append(1)
        return jaccard(a, b)

    monkeypatch.setattr(near_duplicates, "jaccard", counted)
    letter = " ".join(f"w{i}" for i in range(60))
    texts = [letter + " " + " ".join(f"own{i}x{j}" for j in range(40)) for i in range(60)]
    assert len(set(groups(*texts))) == 60
    assert len(compared) < 60
