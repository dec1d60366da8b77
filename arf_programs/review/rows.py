"""The rows of a review: revisions to decide, and summaries to label. Also which of them come first.

Half of the rows come in random order, and half by what a decision about them teaches. Only the first random rows that
are all reviewed are a fair sample, so rates are estimated from them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from arf_programs.review.decisions import Job
from arf_programs.review.outcomes import edits_of, shown_of
from arf_programs.runs import RunFolder, Side, SplitConversation, digest, read_jsonl
from signatures.records import DraftErrors, ErrorNote, Revision, Score, Summary


@dataclass(frozen=True)
class ReviewRow:
    """A revision or a summary that a person may look at. `key` names it in addresses, and tells nothing about it.

    `score` is the highest score of its errors. It `disagrees` where checks and analyst do not find the same, or where
    the verification saw what the analysis had overlooked. `shown` hashes what a person sees. `edits` numbers what has
    to be decided about a revision.
    """

    key: str
    job: Job
    conversation_id: str
    system: str
    side: Side
    channel: str
    verdict: str
    categories: tuple[str, ...]
    score: float | None
    disagrees: bool
    shown: str
    edits: tuple[int, ...] = ()


def verdict_name(verdict: str, *, checks_alone: bool) -> str:
    """A verdict on a revision for readers: what no model has looked at has only passed the checks."""
    return "passed the checks" if checks_alone and verdict == "verified" else verdict


def revision_rows(folder: RunFolder, seed: int) -> list[ReviewRow]:
    """Return the revisions of a run as rows, in the order of the file; none before the stage `revise`."""
    if not folder.revisions.is_file():
        return []
    channels = _channels(folder)
    both = _both_look(row.errors for row in read_jsonl(folder.revisions, Revision))
    return [
        ReviewRow(
            key=_key(seed, "revision", row.conversation_id, ""),
            job="revision",
            conversation_id=row.conversation_id,
            system="",
            side="train",
            channel=channels[row.conversation_id][1],
            verdict=row.verdict.value,
            categories=_categories(row.errors),
            score=_score(row.errors),
            disagrees=bool(row.noticed) or _disagree(row.errors, both),
            shown=shown_of(row),
            edits=edits_of(row),
        )
        for row in read_jsonl(folder.revisions, Revision)
        if row.conversation_id in channels
    ]


def summary_rows(folder: RunFolder, seed: int) -> list[ReviewRow]:
    """Return the summaries of a run as rows: the drafts, and on the holdout those of all systems."""
    channels = _channels(folder)
    errors = _known_errors(folder)
    both = _both_look(errors.values())
    rows = []
    for summary in read_summaries(folder):
        if summary.conversation_id not in channels or not summary.text.strip():
            continue
        side, channel = channels[summary.conversation_id]
        notes = errors.get((summary.system, summary.conversation_id), ())
        rows.append(
            ReviewRow(
                key=_key(seed, "label", summary.conversation_id, summary.system),
                job="label",
                conversation_id=summary.conversation_id,
                system=summary.system,
                side=side,
                channel=channel,
                verdict="",
                categories=_categories(notes),
                score=_score(notes),
                disagrees=_disagree(notes, both),
                shown=digest(summary.text),
            )
        )
    return rows


def read_summaries(folder: RunFolder) -> Iterator[Summary]:
    """Yield the drafts and, once the run has them, the summaries of all systems on the holdout."""
    for path in (folder.drafts, folder.predictions):
        if path.is_file():
            yield from read_jsonl(path, Summary)


def in_teaching_order(rows: Sequence[ReviewRow], seed: int) -> list[ReviewRow]:
    """Order rows: by turns the next at random, and the one that teaches most of those left.

    The same seed gives the same order.
    """
    chance = at_random(rows, seed)
    rarity = _rarity(rows)
    by_value = sorted(chance, key=lambda row: -_value(row, rarity))  # stable, so equal ones stay in random order
    mixed = (row for pair in zip_longest(by_value, chance) for row in pair if row is not None)
    return list({row.key: row for row in mixed}.values())


def first_of(rows: Iterable[ReviewRow], order: Sequence[str]) -> list[ReviewRow]:
    """Put the rows of the conversations in `order` first, as it has them; the others keep their order."""
    place = {name: number for number, name in enumerate(dict.fromkeys(order))}
    return sorted(rows, key=lambda row: place.get(row.conversation_id, len(place)))


def at_random(rows: Iterable[ReviewRow], seed: int) -> list[ReviewRow]:
    """Order rows at random, by a hash of seed and row."""
    return sorted(rows, key=lambda row: digest([seed, row.key]))


def _value(row: ReviewRow, rarity: dict[str, float]) -> float:
    """Say how much a decision teaches: unsure scores, disagreement, rejected revisions and rare categories."""
    unsure = 0.0 if row.score is None else 1 - abs(2 * row.score - 1)
    rare = max((rarity[name] for name in row.categories), default=0.0)
    return unsure + row.disagrees + 0.5 * (row.verdict == "rejected") + rare


def _rarity(rows: Iterable[ReviewRow]) -> dict[str, float]:
    counts = Counter(name for row in rows for name in row.categories)
    return {name: 1 / math.sqrt(count) for name, count in counts.items()}


def _channels(folder: RunFolder) -> dict[str, tuple[Side, str]]:
    rows = read_jsonl(folder.conversations, SplitConversation)
    return {row.conversation.id: (row.split, row.conversation.channel) for row in rows}


def _known_errors(folder: RunFolder) -> dict[tuple[str, str], tuple[ErrorNote, ...]]:
    """Return the errors that the run found in summaries, by system and conversation."""
    found: dict[tuple[str, str], tuple[ErrorNote, ...]] = {}
    if folder.errors.is_file():
        found |= {(row.system, row.conversation_id): row.errors for row in read_jsonl(folder.errors, DraftErrors)}
    if folder.scores.is_file():
        found |= {(row.system, row.conversation_id): row.errors for row in read_jsonl(folder.scores, Score)}
    return found


def _categories(errors: Iterable[ErrorNote]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note.category for note in errors))


def _score(errors: Iterable[ErrorNote]) -> float | None:
    return max((note.score for note in errors if note.score is not None), default=None)


def _both_look(errors: Iterable[Iterable[ErrorNote]]) -> bool:
    return {note.source for notes in errors for note in notes} >= {"lm", "check"}


def _disagree(errors: Iterable[ErrorNote], both: bool) -> bool:
    return both and len({note.source for note in errors} & {"lm", "check"}) == 1


def _key(seed: int, job: Job, conversation_id: str, system: str) -> str:
    return digest(["review", seed, job, conversation_id, system])
