"""What the systems write: conversation, reference and the summaries of each holdout conversation, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from arf_programs.metrics import TEACHER, in_order
from arf_programs.report.cases import Piece, ShownError, mark_errors, show_error
from arf_programs.report.data import HoldoutCase, ReportData
from arf_programs.runs import Run, read_jsonl
from signatures.records import Conversation, ErrorNote, Score, Summary

_SHOWN = 60  # conversations, as many as the browser of the revisions shows
_STUDENT = "student_arf"
_LAST = ("reviser", "base")  # a reader looks for the students and their teacher


@dataclass(frozen=True)
class ShownSummary:
    """One system's summary, its errors marked, and the judge's rating if there is one."""

    system: str
    pieces: tuple[Piece, ...]
    errors: tuple[ShownError, ...]
    rating: int | None


@dataclass(frozen=True)
class ShownConversation:
    """A conversation with all summaries. `difference` is how many errors more the student makes than its teacher."""

    conversation: Conversation
    summaries: tuple[ShownSummary, ...]
    student: int
    teacher: int

    @property
    def difference(self) -> int:
        return self.student - self.teacher


def holdout_cases(run: Run) -> tuple[HoldoutCase, ...]:
    """Read the holdout conversations with their summaries; at most 60, those first on which the systems differ most."""
    conversations = run.conversations("holdout")
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    for path in (run.folder.drafts, run.folder.predictions):
        for row in read_jsonl(path, Summary) if path.exists() else ():
            if row.conversation_id in conversations:
                texts[row.conversation_id][row.system] = row.text
    errors: dict[str, dict[str, tuple[ErrorNote, ...]]] = defaultdict(dict)
    ratings: dict[str, dict[str, int]] = defaultdict(dict)
    for score in read_jsonl(run.folder.scores, Score) if run.folder.scores.exists() else ():
        errors[score.conversation_id][score.system] = score.errors
        if score.rating is not None:
            ratings[score.conversation_id][score.system] = score.rating.rating
    chosen = sorted(texts, key=lambda name: -_spread(errors[name]))[:_SHOWN]
    return tuple(
        HoldoutCase(conversation=conversations[name], summaries=texts[name], errors=errors[name], ratings=ratings[name])
        for name in conversations
        if name in set(chosen)
    )


def build_holdout(data: ReportData) -> tuple[ShownConversation, ...]:
    """Lay out the conversations for the template, the largest difference between student and teacher first."""
    shown = [_shown(data, case) for case in data.holdout]
    return tuple(sorted(shown, key=lambda item: -abs(item.difference)))


def _shown(data: ReportData, case: HoldoutCase) -> ShownConversation:
    systems = in_order(case.summaries)
    ordered = sorted(systems, key=lambda name: (name in _LAST, name != TEACHER, name != _STUDENT))
    return ShownConversation(
        conversation=case.conversation,
        summaries=tuple(_summary(data, case, system) for system in ordered),
        student=len(case.errors.get(_STUDENT, ())),
        teacher=len(case.errors.get(TEACHER, ())),
    )


def _summary(data: ReportData, case: HoldoutCase, system: str) -> ShownSummary:
    notes = case.errors.get(system, ())
    return ShownSummary(
        system=system,
        pieces=tuple(mark_errors(case.summaries[system], notes)),
        errors=tuple(show_error(data, note, case.conversation) for note in notes),
        rating=case.ratings.get(system),
    )


def _spread(errors: Mapping[str, tuple[ErrorNote, ...]]) -> int:
    return abs(len(errors.get(_STUDENT, ())) - len(errors.get(TEACHER, ())))
