"""Summaries with a human-checked correction, and the places at which the two differ. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from arf_programs.config.schema import ColumnsConfig
from arf_programs.corpus.read import hash_turns
from arf_programs.corpus.turns import read_turns
from signatures.records import Conversation, ErrorNote


@dataclass(frozen=True)
class Place:
    """Changed words: their span in the summary, and the words before, in and after them in the correction."""

    start: int
    end: int
    wrong: str
    right: str


@dataclass(frozen=True)
class Case:
    """A labelled summary. `places` is empty for a right summary, and for one without a correction."""

    name: str
    conversation: Conversation
    summary: str
    flawed: bool
    revised: str | None
    places: tuple[Place, ...]


def read_cases(path: Path, limit: int | None) -> list[Case]:
    """Read a JSONL file with conversation, summary, errors and revised, ordered by conversation.

    With `limit`, conversations take turns, so that a small limit still has many of them (each is a cluster).
    """
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    cases = [_case(row, number) for number, row in enumerate(rows) if row.get("summary")]
    of_call: dict[str, list[Case]] = {}
    for case in cases:
        of_call.setdefault(case.conversation.id, []).append(case)
    ranked = [item for number, group in enumerate(of_call.values()) for item in _spread(group, number)]
    ranked.sort(key=lambda item: item[0])  # stable, so the conversations take turns
    order = list(of_call)
    kept = [case for _, case in ranked[: limit or len(ranked)]]
    return sorted(kept, key=lambda case: (order.index(case.conversation.id), case.name))


def _spread(group: list[Case], number: int) -> list[tuple[int, Case]]:
    """Rank the cases of a call: flawed and right cases alternate. Every second call begins with the other kind."""
    ranks = {True: 0, False: 0}
    ranked = []
    for case in group:
        ranked.append((2 * ranks[case.flawed] + (case.flawed == bool(number % 2)), case))
        ranks[case.flawed] += 1
    return ranked


def _case(row: dict, number: int) -> Case:
    turns = read_turns(row["conversation"], ColumnsConfig())
    return Case(
        name=str(row.get("id") or number),
        conversation=Conversation(id=hash_turns(turns), turns=turns),
        summary=row["summary"],
        flawed=bool(row["errors"]),
        revised=row.get("revised") or None,
        places=tuple(changed_places(row["summary"], row["revised"])) if row["errors"] and row.get("revised") else (),
    )


def changed_places(summary: str, revised: str) -> list[Place]:
    """The runs of words that differ. An insertion is shown by the word before it, so that its place is certain."""
    old, new = list(re.finditer(r"\S+", summary)), revised.split()
    words = [match.group() for match in old]
    places = []
    for tag, a, b, c, d in SequenceMatcher(None, words, new, autojunk=False).get_opcodes():
        if tag == "equal" or not old:
            continue
        first, last = max(0, a - (a == b)), max(b, 1)
        start, end = old[first].start(), old[min(last, len(old)) - 1].end()
        places.append(Place(start, end, " ".join(words[max(0, a - 1) : b + 1]), " ".join(new[max(0, c - 1) : d + 1])))
    return places


def labelled_notes(case: Case) -> list[ErrorNote]:
    """The places as errors, for an editor whose analyst is perfect."""
    return [
        ErrorNote(id=f"label{n}", category="wrong_fact", quote=case.summary[p.start : p.end], source="human")
        for n, p in enumerate(case.places)
    ]


def place_counts(case: Case, notes: Sequence[ErrorNote]) -> tuple[int, int, int]:
    """(hits, misses, false alarms): places that a quote overlaps, other places, quotes that overlap no place."""
    spans = [(case.summary.find(note.quote), len(note.quote)) for note in notes if note.quote]
    hit = [any(start < p.end and p.start < start + size for start, size in spans) for p in case.places]
    false = sum(all(not (start < p.end and p.start < start + size) for p in case.places) for start, size in spans)
    return sum(hit), len(hit) - sum(hit), false


def repairs(case: Case, after: str) -> tuple[int, int]:
    """(gone, right): how many places no longer have their wrong words, and how many read as in the correction.

    A place is searched for with the words before and after it, whatever the white space. Words that are right elsewhere
    do not mend a place that still reads as before.
    """
    text = " ".join(after.split())
    gone = [p.wrong not in text for p in case.places]
    right = [p.right in text and (away or p.wrong in p.right) for p, away in zip(case.places, gone, strict=True)]
    return sum(gone), sum(right)


def kept_share(case: Case, after: str) -> float:
    """The share of the words kept by the correction that the revision keeps, too, in the same order."""
    before, right = case.summary.split(), (case.revised or case.summary).split()
    blocks = SequenceMatcher(None, before, right, autojunk=False).get_matching_blocks()
    good = [before[place] for block in blocks for place in range(block.a, block.a + block.size)]
    kept = SequenceMatcher(None, good, after.split(), autojunk=False).get_matching_blocks()
    return sum(block.size for block in kept) / max(1, len(good))
