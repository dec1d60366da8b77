"""The strategies that mend a draft in one answer of the editor: all edits, a rewrite, or the paper's rewrite."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import dspy

from arf_programs.programs.analysis.support import SentenceSupport
from arf_programs.programs.asking import RETRIES, Program, ask, lm_name
from arf_programs.text import (
    Span,
    apply_edits,
    describe_errors,
    find_quotes,
    find_sentences,
    place_of,
    spans_meet,
)
from signatures.propose_edits import ProposedEdit, ProposeEdits
from signatures.records import Conversation, Edit, EditOp, ErrorNote, Record, RefusedEdit, Taxonomy
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary

_PRIVATE: Final = "private_data"
# With one of these before it and a pause after it, a phone number or an address can go, and the sentence stays whole.
_BEFORE: Final = r"[\s,]*\b(?:on|at|under|via|by|using|to)\s+"
_AFTER: Final = r"(?=\s*(?:[.,;!?]|$))"


class Proposal(Record):
    """A revision as the editor proposes it. It is not verified yet."""

    after: str
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()


class Propose(Program):
    """The base of the strategies.

    `name` is the strategy's name in records. With `needs_errors` a draft without errors is left as it is. A strategy
    that `rewrites` writes the whole text, so it can also mend a draft that retells the conversation.
    """

    name: str
    needs_errors = True
    rewrites = False

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__()
        self.retries = retries

    @property
    def model(self) -> str:
        """The name of the editor's model."""
        return lm_name(self.predictors()[0])

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        """Make one attempt. A strategy that writes candidates asks `support` about them.

        Raises ModelError when no answer of the editor can be parsed.
        """
        raise NotImplementedError


class EditSummary(Propose):
    """Mend all errors by one list of edits. A pure function applies them, so untouched text stays byte-identical."""

    name = "edits"

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__(retries=retries)
        self.edit = dspy.Predict(ProposeEdits)

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        answer = await ask(
            self.edit,
            retries=self.retries,
            conversation=conversation.as_numbered_text(),
            summary=summary,
            errors=describe_errors(errors, summary),
            feedback=feedback,
        )
        result = apply_edits(summary, to_edits(answer.edits, errors, summary))
        return Proposal(after=result.after, applied=result.applied, refused=result.refused)


class Rewrite(Propose):
    """Rewrite the draft, given its errors."""

    name = "rewrite"
    rewrites = True

    def __init__(self, *, retries: int = RETRIES) -> None:
        super().__init__(retries=retries)
        self.rewrite = dspy.Predict(RewriteSummary)

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        answer = await ask(
            self.rewrite,
            retries=self.retries,
            conversation=conversation.as_numbered_text(),
            summary=summary,
            errors=describe_errors(errors, summary),
            feedback=feedback,
        )
        return Proposal(after=answer.revised.strip())


class RewriteByTaxonomy(Propose):
    """Rewrite every draft, given only the common errors of the teacher. This is the form of arXiv 2511.03005."""

    name = "taxonomy"
    needs_errors = False
    rewrites = True

    def __init__(self, taxonomy: Taxonomy, *, retries: int = RETRIES) -> None:
        super().__init__(retries=retries)
        self.common_errors = taxonomy.as_text()
        self.revise = dspy.Predict(ReviseByTaxonomy)

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        answer = await ask(
            self.revise,
            retries=self.retries,
            common_errors=self.common_errors,
            conversation=conversation.as_numbered_text(),
            summary=summary,
            feedback=feedback,
        )
        return Proposal(after=answer.revised.strip())


def to_edits(proposed: Sequence[ProposedEdit], errors: Sequence[ErrorNote], summary: str) -> list[Edit]:
    """Return edits of `summary`, with the short ids (`e1`) replaced by those of the errors. Unknown ids are left out.

    Of several places of a quote, the one is meant that touches the words of an error that the edit mends, else one in
    the sentence of such an error. An edit that names no error mends those whose words it changes.
    """
    named = {f"e{number}": note for number, note in enumerate(errors, start=1)}
    return [_to_edit(edit, [named[name] for name in edit.mends if name in named], errors, summary) for edit in proposed]


def _to_edit(edit: ProposedEdit, mended: list[ErrorNote], errors: Sequence[ErrorNote], summary: str) -> Edit:
    places = find_quotes(edit.quote, summary)
    wrong = [place for note in mended or errors if note.quote and (place := place_of(note, summary))]
    around = [span for span in find_sentences(summary) if any(spans_meet(span, place) for place in wrong)]
    preferred = _meeting(places, wrong) or _meeting(places, around) or places
    place = preferred[0] if preferred else None
    if not mended and place is not None and edit.op is not EditOp.INSERT:
        mended = [note for note in errors if note.quote and (at := place_of(note, summary)) and spans_meet(at, place)]
    return Edit(
        op=edit.op,
        quote=summary[slice(*place)] if place else edit.quote,
        replacement=edit.replacement,
        mends=tuple(dict.fromkeys(note.id for note in mended)),
        evidence=tuple(edit.evidence),
        start=place[0] if place else None,
    )


def _meeting(places: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    return [place for place in places if any(spans_meet(place, other) for other in others)]


def without_private_words(sentence: str, notes: Sequence[ErrorNote]) -> str | None:
    """Return the sentence without the private words of its only error, and without their brackets or preposition.

    None if it has other errors, or if the words cannot be taken out alone.
    """
    words = notes[0].quote.strip().strip("()") if len(notes) == 1 and notes[0].category == _PRIVATE else ""
    if not words:
        return None
    place = re.compile(rf"\s*\(\s*{re.escape(words)}\s*\)|{_BEFORE}{re.escape(words)}{_AFTER}", re.IGNORECASE)
    text, count = place.subn("", sentence)
    return text if count else None
