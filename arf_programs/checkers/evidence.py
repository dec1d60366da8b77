"""Which turns a checker reads: the whole conversation if it fits, else the turns that share most with the claim."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from arf_programs.checks import find_words
from signatures.records import Conversation


def rank_turns(texts: Sequence[str], claim: str) -> list[int]:
    """Return the places (from 0) of the turns, best first: by shared words, rare ones counting more, then by place.

    A word counts log(1 + turns / turns with the word), as in BM25 without lengths (Robertson and Zaragoza 2009).
    """
    words = [frozenset(find_words(text)) for text in texts]
    frequency = Counter(word for turn in words for word in turn)
    wanted = frozenset(find_words(claim))
    scores = [sum(math.log(1 + len(texts) / frequency[word]) for word in sorted(turn & wanted)) for turn in words]
    return sorted(range(len(texts)), key=lambda place: (-scores[place], place))


def fit_document(conversation: Conversation, claim: str, fits: Callable[[str], bool]) -> str:
    """Return the turns to read, one a line and in their order. `fits` says whether a document is short enough.

    At least one turn is returned, even if it is too long by itself: the tokenizer cuts it.
    """
    lines = [f"{turn.speaker}: {turn.text}" for turn in conversation.turns]
    whole = "\n".join(lines)
    if fits(whole):
        return whole
    chosen: list[int] = []
    for place in rank_turns(lines, claim):
        document = "\n".join(lines[other] for other in sorted([*chosen, place]))
        if not chosen or fits(document):
            chosen.append(place)
    return "\n".join(lines[place] for place in sorted(chosen))
