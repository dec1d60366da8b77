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
    split_sentences,
)
from signatures.propose_edits import ProposedEdit, ProposeEdits
from signatures.records import Conversation, Edit, EditOp, ErrorNote, Record, RefusedEdit, Taxonomy
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary

_OPENING: Final = tuple("\"'“‘„«")
_CLOSING: Final = tuple("\"'”’“»")
_PRIVATE: Final = "private_data"
_REASON: Final = "missing_reason"
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
    """Mend all errors by one list of edits. A pure function applies them, so untouched text stays byte-identical.

    With `corrections`, the first attempt is made of the analyst's corrections, if each error has one.
    """

    name = "edits"

    def __init__(self, *, retries: int = RETRIES, corrections: bool = False) -> None:
        super().__init__(retries=retries)
        self.corrections = corrections
        self.edit = dspy.Predict(ProposeEdits)

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        edits = corrections_of(errors, summary) if self.corrections and not feedback else None
        if edits is None:
            answer = await ask(
                self.edit,
                retries=self.retries,
                conversation=conversation.as_numbered_text(),
                summary=summary,
                errors=describe_errors(errors, summary),
                feedback=feedback,
            )
            edits = to_edits(answer.edits, errors, summary)
        result = apply_edits(summary, edits)
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


def corrections_of(errors: Sequence[ErrorNote], summary: str) -> list[Edit] | None:
    """Return the analyst's corrections as edits; None if an error has none, or nothing is added for an omission.

    An error within words that another correction replaces needs no correction of its own. An added sentence comes at
    the end. A reason for the contact comes after the first sentence.
    """
    corrected = [note for note in errors if note.correction or (note.quote and note.correction is not None)]
    within = {note.id: [other.id for other in errors if _is_within(other, note, summary)] for note in corrected}
    mended = {name for note in corrected for name in (note.id, *within[note.id])}
    if not all(note.id in mended for note in errors):
        return None
    return [_correction(note, summary, within[note.id]) for note in corrected]


def _is_within(inner: ErrorNote, note: ErrorNote, summary: str) -> bool:
    """Say whether an error without a correction stands in the words of another one."""
    if inner.correction is not None or not (inner.quote and note.quote):
        return False
    place, around = place_of(inner, summary), place_of(note, summary)
    return place is not None and around is not None and around[0] <= place[0] and place[1] <= around[1]


def _correction(note: ErrorNote, summary: str, within: Sequence[str]) -> Edit:
    first = split_sentences(summary)[:1]
    opening = first[0] if first and note.category == _REASON else ""
    return Edit(
        op=EditOp.REPLACE if note.quote else EditOp.INSERT,
        quote=note.quote or opening,
        replacement=(note.correction or "") if note.quote else _as_sentence(note.correction or ""),
        mends=(note.id, *within),
        evidence=note.evidence,
        start=note.start,
    )


def _as_sentence(text: str) -> str:
    """Write what a model adds as a sentence of its own, even if the model gave a clause."""
    plain = text.strip().lstrip(",;: ")
    ended = plain if plain.endswith((".", "!", "?", '."', ".”")) else f"{plain}."
    return ended[:1].upper() + ended[1:]


def to_edits(proposed: Sequence[ProposedEdit], errors: Sequence[ErrorNote], summary: str) -> list[Edit]:
    """Return edits of `summary`, with the short ids (`e1`) replaced by those of the errors. Unknown ids are left out.

    A quote may stand in several places. The place is chosen that touches the words of an error that the edit mends,
    else one in the sentence of such an error. An edit that names no error mends the errors whose words it changes.
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
        replacement=_without_quotation_marks(edit, summary[slice(*place)] if place else ""),
        mends=tuple(dict.fromkeys(note.id for note in mended)),
        evidence=tuple(edit.evidence),
        start=place[0] if place else None,
    )


def _without_quotation_marks(edit: ProposedEdit, quoted: str) -> str:
    """Return the new words without the quotation marks that a model put around both its quote and its words."""
    quote, words = edit.quote.strip(), edit.replacement.strip()
    around = len(words) > 1 and all(text[:1] in _OPENING and text[-1:] in _CLOSING for text in (quote, words))
    return words[1:-1] if around and quoted and quoted[0] not in _OPENING else edit.replacement


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
