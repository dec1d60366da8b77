"""One reviewer at work on a run: the rows in their order, the filters, and what every act does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from arf_programs.review.acts import Act, change_label, decide
from arf_programs.review.agreement import FEWEST, ReviewFigures, Share, gather_review, wilson
from arf_programs.review.decisions import WHOLE, Job, Label, Line, ReviewFile, last_to_undo, read_reviews, standing
from arf_programs.review.outcomes import edits_of, finished_labels, labeled_summaries, write_labeled_set
from arf_programs.review.rows import (
    ReviewRow,
    at_random,
    first_of,
    in_teaching_order,
    read_summaries,
    revision_rows,
    summary_rows,
    verdict_name,
)
from arf_programs.runs import JsonlIndex, RunFolder, SplitConversation
from signatures.exceptions import DataError, QuoteError
from signatures.records import Category, Conversation, Revision, Summary, Taxonomy, Verdict

Stamp = tuple[int, int, int] | None
SCORES: dict[str, tuple[float, float]] = {"low": (0.0, 0.3), "unsure": (0.3, 0.7), "high": (0.7, 1.01)}


@dataclass(frozen=True)
class Filters:
    """Which rows are shown; an empty filter shows all."""

    verdict: str = ""
    category: str = ""
    channel: str = ""
    score: str = ""
    disagreement: str = ""
    side: str = ""
    system: str = ""
    state: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filters:
        """Read the filters of an address; what is no filter is ignored."""
        return cls(**{item.name: query.get(item.name, "")[:200] for item in fields(cls)})

    def query(self, **more: str | int) -> str:
        """Write the filters, and more, as the query of an address."""
        own = {item.name: value for item in fields(self) if (value := getattr(self, item.name))}
        return urlencode({**own, **more})

    def fits(self, row: ReviewRow) -> bool:
        """Say whether a row passes all filters but `state`."""
        pairs = ((self.verdict, row.verdict), (self.channel, row.channel), (self.side, row.side))
        low, high = SCORES.get(self.score, (0.0, 2.0))
        return (
            all(wanted in ("", value) for wanted, value in pairs)
            and self.system in ("", row.system)
            and (not self.category or self.category in row.categories)
            and (self.score not in SCORES or (row.score is not None and low <= row.score < high))
            and (not self.disagreement or row.disagrees)
        )


@dataclass
class ReviewSession:
    """A run under review by one person. `blind` hides who wrote what, and mixes the systems.

    With `checks_alone` no model looked at the revisions, and pages say so.
    Conversations in `first` are shown first.
    """

    folder: RunFolder
    file: ReviewFile
    taxonomy: Taxonomy
    seed: int
    name: str
    confidence: float = 0.95
    blind: bool = False
    checks_alone: bool = False
    first: tuple[str, ...] = ()
    rows: dict[Job, list[ReviewRow]] = field(default_factory=dict)
    stamps: dict[Path, Stamp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        folder = self.folder
        read = (folder.conversations, folder.drafts, folder.revisions, folder.predictions)
        self.stamps = {path: _stamp(path) for path in read}
        order = at_random if self.blind else in_teaching_order
        self.rows = {
            "revision": first_of(order(revision_rows(self.folder, self.seed), self.seed), self.first),
            "label": first_of(order(summary_rows(self.folder, self.seed), self.seed), self.first),
        }
        if not any(self.rows.values()):
            raise DataError(f"{self.folder.path} has no drafts to review yet: `arf draft CONFIG` writes them.")
        self.write_labels()

    def verdict_name(self, verdict: str) -> str:
        """Return a verdict in words, as report and stage lines write it."""
        return verdict_name(verdict, checks_alone=self.checks_alone)

    @property
    def verified_revisions(self) -> str:
        return "revisions that passed the checks" if self.checks_alone else "verified revisions"

    @property
    def reviewer(self) -> str:
        return self.file.reviewer

    def refuse_changed_run(self) -> None:
        """Raise DataError if the run wrote one of the files anew since the review began."""
        changed = [path.name for path, stamp in self.stamps.items() if _stamp(path) != stamp]
        if changed:
            raise DataError(f"The run has changed since ({', '.join(changed)}). Start `arf review` again.")

    @cached_property
    def conversations(self) -> Mapping[str, Conversation]:
        return JsonlIndex(
            self.folder.conversations,
            SplitConversation,
            key=lambda row: row["conversation"]["id"],
            value=lambda row: row.conversation,
        )

    @cached_property
    def training(self) -> Mapping[str, Conversation]:
        return JsonlIndex(
            self.folder.conversations,
            SplitConversation,
            key=lambda row: row["conversation"]["id"] if row["split"] == "train" else None,
            value=lambda row: row.conversation,
        )

    @cached_property
    def revisions(self) -> Mapping[str, Revision]:
        return JsonlIndex(
            self.folder.revisions, Revision, key=lambda row: row["conversation_id"], value=lambda row: row
        )

    @cached_property
    def summaries(self) -> Mapping[tuple[str, str], Summary]:
        return {(row.system, row.conversation_id): row for row in read_summaries(self.folder)}

    @cached_property
    def categories(self) -> tuple[Category, ...]:
        """The categories, the most frequent first: the first nine have keys."""
        counts = Counter(name for rows in self.rows.values() for row in rows for name in row.categories)
        return tuple(sorted(self.taxonomy.categories, key=lambda category: -counts[category.id]))

    @property
    def omission(self) -> str:
        """The category that a new omission gets first: one that is named for it, else the first."""
        ids = [category.id for category in self.categories]
        return next((name for name in ids if "missing" in name or "omi" in name), ids[0])

    # Rows

    def find(self, job: Job, key: str) -> ReviewRow | None:
        return next((row for row in self.rows[job] if row.key == key), None)

    def row_of(self, conversation_id: str) -> ReviewRow | None:
        """Find the row of a conversation: its revision, else the summary of the first system."""
        rows = [*self.rows["revision"], *self.rows["label"]]
        return next((row for row in rows if row.conversation_id == conversation_id), None)

    def shown(self, job: Job, filters: Filters) -> list[ReviewRow]:
        """Return the rows that pass the filters, in the order of the review."""
        rows = [row for row in self.rows[job] if filters.fits(row)]
        if not filters.state:
            return rows
        done = self.done(job)
        return [row for row in rows if (row.key in done) == (filters.state == "done")]

    def done(self, job: Job) -> set[str]:
        """Return the keys of the rows that this reviewer has finished."""
        lines = self._decisions()
        return {row.key for row in self.rows[job] if _is_done(row, lines)}

    def _decisions(self) -> dict[tuple[object, ...], Line]:
        """Return this reviewer's standing lines, each under what it is about and the text that was shown."""
        return {(*line.about, line.shown): line for line in standing(self.file.lines)}

    def choices(self, row: ReviewRow) -> dict[int, Line]:
        """Return this reviewer's decisions about the edits of a row."""
        lines = self._about(row)
        return {line.edit: line for line in lines if line.edit is not None}

    def label(self, row: ReviewRow) -> Label:
        """Return this reviewer's label of a row; an empty one before the first act."""
        return next((line.label for line in self._about(row) if line.label is not None), Label())

    def _about(self, row: ReviewRow) -> list[Line]:
        wanted = (row.job, row.conversation_id, row.system, row.shown)
        return [line for line in standing(self.file.lines) if (*line.about[:3], line.shown) == wanted]

    def share_so_far(self, row: ReviewRow) -> Share | None:
        """Estimate the share of verified revisions that are right, or of summaries with errors, for this reviewer.

        Only the first rows in random order count. Summaries are those of the same side and, unless blind, system.
        """
        lines = self._decisions()
        hits: list[bool] = []
        for other in self.in_random_order[row.job]:
            if _same_group(row, other, blind=self.blind):
                if not _is_done(other, lines):
                    break
                hits.append(_is_hit(other, lines))
        return wilson(sum(hits), len(hits), confidence=self.confidence) if len(hits) >= FEWEST else None

    @cached_property
    def in_random_order(self) -> dict[Job, list[ReviewRow]]:
        return {job: at_random(rows, self.seed) for job, rows in self.rows.items()}

    # Acts

    def do(self, act: Act) -> tuple[ReviewRow, int]:
        """Do an act, store its line, and return the row and the number of the edit or mark to go on with.

        Raises QuoteError, in words for the person, for an act that is not possible.
        """
        if act.op == "undo":
            return self._undo(act)
        row = self.find(act.job, act.row)
        if row is None:
            raise QuoteError("this row is not there any more: load the page again")
        at = self._decide(act, row) if act.job == "revision" else self._label(act, row)
        if act.job == "label":
            self.write_labels()
        return row, at

    def _decide(self, act: Act, row: ReviewRow) -> int:
        revision = self.revisions[row.conversation_id]
        self._append(row, decide(act, revision, self.choices(row)))
        decided = {number for number, line in self.choices(row).items() if line.choice is not None}
        open_edits = [number for number in edits_of(revision) if number not in decided]
        later = [number for number in open_edits if number > act.at]
        return act.at if act.op == "kind" else next(iter(later or open_edits), act.at)

    def _label(self, act: Act, row: ReviewRow) -> int:
        summary = self.summaries[row.system, row.conversation_id]
        conversation = self.conversations[row.conversation_id]
        label, at = change_label(act, self.label(row), summary.text, conversation)
        self._append(row, {"label": label})
        return at

    def _undo(self, act: Act) -> tuple[ReviewRow, int]:
        line = last_to_undo(self.file.lines, self.reviewer)
        rows = [row for row in self.rows[line.job] if row.conversation_id == line.conversation_id] if line else []
        row = next((row for row in rows if line is not None and row.system == line.system), None)
        if line is None or row is None:
            raise QuoteError("there is nothing to undo")
        self._append(row, {"undoes": line.id})
        if row.job == "label":
            self.write_labels()
        return row, line.edit if line.edit is not None else len(self.label(row).marks) - 1

    def _append(self, row: ReviewRow, said: Mapping[str, Any]) -> None:
        about = {"job": row.job, "conversation_id": row.conversation_id, "system": row.system, "shown": row.shown}
        self.file.append(self.file.new_line({**about, **said}))

    # Figures

    def write_labels(self) -> int:
        """Write the labelled set of all reviewers, and return the number of its rows."""
        lines = read_reviews(self.folder)
        labels = finished_labels(labeled_summaries(self.summaries, lines), lines)
        return write_labeled_set(self.folder.labeled, labels, self.training)

    def figures(self) -> ReviewFigures | None:
        return gather_review(self.folder, read_reviews(self.folder), seed=self.seed, confidence=self.confidence)


def _stamp(path: Path) -> Stamp:
    """Tell one state of a file from another, without reading it."""
    found = path.stat() if path.exists() else None
    return found and (found.st_mtime_ns, found.st_size, found.st_ino)


def _same_group(row: ReviewRow, other: ReviewRow, *, blind: bool) -> bool:
    if row.job == "revision":
        return other.verdict == Verdict.VERIFIED
    return row.side == other.side and (blind or row.system == other.system)


def _is_hit(row: ReviewRow, lines: Mapping[tuple[object, ...], Line]) -> bool:
    """Say whether a finished row is an accepted revision, or a summary with an error."""
    about = (row.job, row.conversation_id, row.system)
    if row.job == "label":
        line = lines[(*about, None, row.shown)]
        return line.label is not None and bool(line.label.marks)
    found = [lines.get((*about, number, row.shown)) for number in (WHOLE, *row.edits)]
    return all(line is None or line.choice in (None, "accept") for line in found)


def _is_done(row: ReviewRow, lines: Mapping[tuple[object, ...], Line]) -> bool:
    about = (row.job, row.conversation_id, row.system)
    if row.job == "label":
        line = lines.get((*about, None, row.shown))
        return line is not None and line.label is not None and line.label.done
    return _decided(lines, about, row, (WHOLE,)) or _decided(lines, about, row, row.edits)


def _decided(
    lines: Mapping[tuple[object, ...], Line], about: tuple[object, ...], row: ReviewRow, edits: Iterable[int]
) -> bool:
    found: Sequence[Line | None] = [lines.get((*about, number, row.shown)) for number in edits]
    return all(line is not None and line.choice is not None for line in found)
