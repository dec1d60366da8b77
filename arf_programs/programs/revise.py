"""Revise: mend the errors of a draft, verify the result, and try again with the problems as feedback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import dspy

from arf_programs.programs.edit_sentences import EditSentences
from arf_programs.programs.program import Program
from arf_programs.programs.propose import Proposal, Propose
from arf_programs.programs.verify import Verification, VerifyRevision
from arf_programs.text import AppliedEdits, apply_edits, edit_sentence, group_by_sentence
from signatures.records import Conversation, Edit, ErrorNote, Revision, Summary, Verdict


def verified_edits(applied: Sequence[Edit], remaining: Sequence[ErrorNote], new: Sequence[ErrorNote]) -> list[Edit]:
    """Return the edits whose errors are gone and whose new words hold no new error.

    A new error without a quote could come from any edit, so then no edit is kept.
    """
    if any(not note.quote for note in new):
        return []
    still_there = {note.id for note in remaining}
    kept = []
    for edit in applied:
        brings_error = any(_overlap(edit.replacement, note.quote) for note in new)
        if edit.mends and not still_there.intersection(edit.mends) and not brings_error:
            kept.append(edit)
    return kept


def deletions(before: str, errors: Sequence[ErrorNote]) -> list[Edit]:
    """Return a deletion for each sentence of `before` that holds the quote of one of `errors`.

    A deletion needs no model and cannot bring in a new fact.
    """
    return [edit_sentence(before, index, "", notes) for index, notes in group_by_sentence(before, errors).items()]


def _overlap(replacement: str, quote: str) -> bool:
    return bool(replacement.strip()) and (quote in replacement or replacement.strip() in quote)


OnReject = Literal["drop", "keep_draft", "keep_partial"]


class Revise(Program):
    """Revise one draft.

    Args:
        propose: the strategy that asks the editor; one flagged sentence at a time by default.
        verify: decides whether the revision is accepted.
        attempts: how often the editor is asked.
        on_reject: what is left of a revision that is rejected at the last attempt. `keep_partial` keeps the edits that
            verify, and deletes sentences that a deterministic check refutes and no edit mends.
    """

    def __init__(
        self,
        propose: Propose | None = None,
        verify: VerifyRevision | None = None,
        *,
        attempts: int = 2,
        on_reject: OnReject = "keep_partial",
    ) -> None:
        super().__init__()
        self.propose = propose or EditSentences()
        self.verify = verify or VerifyRevision()
        self.attempts = attempts
        self.on_reject = on_reject

    async def aforward(
        self, conversation: Conversation, draft: Summary | str, errors: Sequence[ErrorNote] | None = None
    ) -> dspy.Prediction:
        """Return Prediction(revision: Revision). Without `errors`, the verifier's analyst finds them first.

        Raises ModelError when the editor or the analyst gives no usable answer.
        """
        if isinstance(draft, str):
            draft = Summary(conversation_id=conversation.id, text=draft, system="teacher", model="")
        if errors is None:
            errors = (await self.verify.analyze.acall(conversation=conversation, summary=draft.text)).errors
        if not errors and self.propose.needs_errors:
            return dspy.Prediction(revision=self._revision(draft, errors, verdict=Verdict.UNCHANGED, attempts=0))
        feedback: list[str] = []
        tries: list[tuple[Proposal, Verification]] = []
        for attempt in range(1, self.attempts + 1):
            proposal = await self.propose.propose(
                conversation, draft.text, errors, "\n".join(feedback), self.verify.support
            )
            verification = await self._verify(conversation, draft.text, proposal.after, errors)
            tries.append((proposal, verification))
            if verification.passed:
                return dspy.Prediction(
                    revision=self._accepted(draft, errors, proposal, attempt=attempt, feedback=feedback)
                )
            feedback.append("; ".join(verification.problems))
        best = min(tries, key=lambda item: len(item[1].problems))
        revision = await self._rejected(conversation, draft, errors, best, feedback)
        return dspy.Prediction(revision=revision)

    async def _verify(
        self, conversation: Conversation, before: str, after: str, errors: Sequence[ErrorNote]
    ) -> Verification:
        answer = await self.verify.acall(conversation=conversation, before=before, after=after, errors=errors)
        verification: Verification = answer.verification
        return verification

    def _accepted(
        self, draft: Summary, errors: Sequence[ErrorNote], proposal: Proposal, *, attempt: int, feedback: list[str]
    ) -> Revision:
        same = proposal.after == draft.text
        verdict = Verdict.UNCHANGED if same else Verdict.VERIFIED
        return self._revision(
            draft, errors, verdict=verdict, attempts=attempt, result=proposal, feedback=tuple(feedback)
        )

    async def _rejected(
        self,
        conversation: Conversation,
        draft: Summary,
        errors: Sequence[ErrorNote],
        best: tuple[Proposal, Verification],
        feedback: list[str],
    ) -> Revision:
        proposal, verification = best
        if self.on_reject != "keep_partial":
            kept = AppliedEdits(after=draft.text, refused=proposal.refused)
            return self._revision(
                draft,
                errors,
                verdict=Verdict.REJECTED,
                attempts=len(feedback),
                result=kept,
                remaining=tuple(errors),
                feedback=tuple(feedback),
            )
        partial = partial_edits(draft.text, errors, proposal.applied, verification)
        check = await self._verify(conversation, draft.text, partial.after, errors)
        if check.new or _over_budget(check):
            partial, check = AppliedEdits(after=draft.text), Verification(remaining=tuple(errors))
        passed = check.passed and partial.after != draft.text
        return self._revision(
            draft,
            errors,
            verdict=Verdict.VERIFIED if passed else Verdict.REJECTED,
            attempts=len(feedback),
            result=partial,
            remaining=check.errors(),
            feedback=tuple(feedback),
        )

    def _revision(
        self,
        draft: Summary,
        errors: Sequence[ErrorNote],
        *,
        verdict: Verdict,
        attempts: int,
        result: Proposal | AppliedEdits | None = None,
        remaining: tuple[ErrorNote, ...] = (),
        feedback: tuple[str, ...] = (),
    ) -> Revision:
        return Revision(
            conversation_id=draft.conversation_id,
            before=draft.text,
            after=result.after if result else draft.text,
            strategy=self.propose.name,
            model=self.propose.model,
            verdict=verdict,
            attempts=attempts,
            applied=result.applied if result else (),
            refused=result.refused if result else (),
            errors=tuple(errors),
            remaining=remaining,
            feedback=feedback,
        )


def partial_edits(
    before: str, errors: Sequence[ErrorNote], applied: Sequence[Edit], verification: Verification
) -> AppliedEdits:
    """Apply the edits that verify, and delete the sentences that the checks refute and no kept edit mends."""
    kept = verified_edits(applied, verification.remaining, verification.new)
    mended = {name for edit in kept for name in edit.mends}
    open_errors = [note for note in errors if note.source == "check" and note.id not in mended]
    return apply_edits(before, [*kept, *deletions(before, open_errors)])


def _over_budget(verification: Verification) -> bool:
    return len(verification.problems) > len(verification.errors())
