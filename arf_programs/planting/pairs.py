"""Pairs of sentences for a calibration: a sentence that is believed right, and the same one with a planted error."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, Literal, NamedTuple

from arf_programs.checks import Material
from arf_programs.config import Kind
from arf_programs.planting.choose import FACT_KINDS, PLANTERS, RightSummary, find_changes_of
from arf_programs.planting.records import Change

_ROUNDS: Final = 3
"""Errors planted in one sentence at most, each of another kind."""

_KINDS: Final = tuple(kind for kind in PLANTERS if kind != "outcome")  # an omission is in no sentence


LABELLED_KIND: Final = "labelled"


class PlantedSentence(NamedTuple):
    """A sentence to ask about. `kind` is that of its planted error, or `labelled`; None if it is believed right."""

    sentence: str
    kind: Kind | Literal["labelled"] | None


class PlantedTalk(NamedTuple):
    """A right summary, with its sentences and their planted versions. Equal sentences are listed once."""

    summary: RightSummary
    sentences: tuple[PlantedSentence, ...]


def plant_sentences(summaries: Sequence[RightSummary], *, seed: int, most: int) -> list[PlantedTalk]:
    """Plant one error in each sentence of the summaries, until there are `most` sentences, right and wrong together.

    The first summary of each conversation comes first, in the order of a hash, whatever the order of `summaries`. If
    the sentences do not suffice, further errors are planted in them. A value that the conversation has nowhere is not
    planted: the checks find it. Of the kinds that a sentence allows, the one planted least often so far is taken.
    """
    planted: Counter[Kind] = Counter()
    talks: list[PlantedTalk] = []
    seen: set[tuple[str, str]] = set()
    asked = 0
    for ground in _rounds(summaries, seed):
        name = ground.summary.conversation.id
        new = [item for item in _sentences(ground, planted) if (name, item.sentence) not in seen]
        sentences = tuple({item.sentence: item for item in new}.values())[: most - asked]
        seen |= {(name, item.sentence) for item in sentences}
        if any(item.kind for item in sentences):
            talks.append(PlantedTalk(ground.summary, sentences))
            asked += len(sentences)
        if most - asked < 2:
            break
    return talks


class _Ground(NamedTuple):
    """A summary in one round. `changes` has the changes of each sentence, by its span, that no earlier round took."""

    summary: RightSummary
    key: str
    number: int
    changes: dict[tuple[int, int], list[Change]]


def _rounds(summaries: Sequence[RightSummary], seed: int) -> Iterator[_Ground]:
    ordered = _in_turns(sorted(summaries, key=lambda item: item.key(seed)))
    grounds: list[_Ground] = []
    for summary in ordered:
        grounds.append(_Ground(summary, summary.key(seed), 0, _changes(summary, summary.key(seed))))
        yield grounds[-1]
    for number in range(1, _ROUNDS):
        yield from (ground._replace(number=number) for ground in grounds)


def _in_turns(summaries: Sequence[RightSummary]) -> list[RightSummary]:
    """Return the summaries with the first of each conversation before the second of any; each text once."""
    ranks: Counter[str] = Counter()
    ranked = []
    for summary in {(item.conversation.id, item.text): item for item in summaries}.values():
        ranked.append((ranks[summary.conversation.id], summary))
        ranks[summary.conversation.id] += 1
    return [summary for _, summary in sorted(ranked, key=lambda item: item[0])]


def _changes(summary: RightSummary, key: str) -> dict[tuple[int, int], list[Change]]:
    material = Material(summary.conversation, summary.text)
    changes = [
        change
        for change in find_changes_of(material, _KINDS, key)
        if change.kind not in FACT_KINDS or change.origin == "conversation"
    ]
    return {
        (start, end): [change for change in changes if start <= change.start and change.end <= end]
        for start, end in material.sentences
    }


def _sentences(ground: _Ground, planted: Counter[Kind]) -> Iterator[PlantedSentence]:
    rng = Random(f"{ground.key} {ground.number}")  # noqa: S311 - repeatable, not secret
    for (start, end), changes in ground.changes.items():
        right = ground.summary.text[start:end]
        if not ground.number:
            yield PlantedSentence(right, None)
        if changes:
            kind = min({change.kind for change in changes}, key=lambda kind: (planted[kind], _KINDS.index(kind)))
            change = rng.choice([change for change in changes if change.kind == kind])
            changes[:] = [other for other in changes if other.kind != kind]
            planted[kind] += 1
            yield PlantedSentence(_with_change(right, start, change), kind)


def _with_change(sentence: str, start: int, change: Change) -> str:
    """Return the sentence with the change. A sentence that the change adds stands for itself."""
    if change.start == change.end:
        return change.wrong.strip()
    return sentence[: change.start - start] + change.wrong + sentence[change.end - start :]
