"""Revise: mend the errors of a draft, verify the result, and try again with the problems as feedback."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

import dspy

from arf_programs.programs.asking import Program
from arf_programs.programs.revision.attempts import Attempts, apply_within, deletions, verified_edits
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.propose import Proposal, Propose
from arf_programs.programs.revision.verify import Verification, VerifyRevision
from arf_programs.programs.summarize import Summarize
from arf_programs.text import is_retelling
from signatures.records import Conversation, ErrorNote, Revision, Summary, Verdict

_RETOLD: Final = "Most of the draft retells the conversation, and edits of sentences can't mend that."
_WRITTEN: Final = f"{_RETOLD} The editor wrote a summary in its place."
_UNWRITTEN: Final = f"{_RETOLD} An editor writes a summary in its place if revise.candidates is above 0."
_NO_DIALOGUE: Final = (
    "Write one paragraph of full sentences about the conversation, as a report to a colleague who has not read it. "
    "Don't retell it line by line and don't copy its lines."
)
OnReject = Literal["drop", "keep_draft", "keep_partial"]


def new_summary_instruction(instruction: str) -> str:
    """Return the instruction for a new summary, which the editor writes if the draft retells the conversation."""
    return f"{instruction} {_NO_DIALOGUE}"


class Revise(Program):
    """Revise one draft.

    Args:
        propose: the strategy that asks the editor; one flagged sentence at a time by default.
        verify: decides whether the revision is accepted.
        attempts: how often the editor is asked.
        on_reject: what is left of a revision that is rejected at the last attempt. `keep_partial` keeps the edits that
            verify, and deletes sentences that a deterministic check refutes and no edit mends.
        write: writes a summary in the place of a draft that retells the conversation, which no edit of sentences can
            mend. None: such a draft is rejected.
    """

    def __init__(
        self,
        propose: Propose | None = None,
        verify: VerifyRevision | None = None,
        *,
        attempts: int = 2,
        on_reject: OnReject = "keep_partial",
        write: Summarize | None = None,
    ) -> None:
        super().__init__()
        self.propose = propose or EditSentences()
        self.verify = verify or VerifyRevision()
        self.attempts = attempts
        self.on_reject = on_reject
        self.write = write

    async def aforward(
        self, conversation: Conversation, draft: Summary | str, errors: Sequence[ErrorNote] | None = None
    ) -> dspy.Prediction:
        """Return Prediction(revision: Revision). Without `errors`, the verifier's analyst finds them first.

        Raises ModelError when the editor or the analyst gives no usable answer.
        """
        if isinstance(draft, str):
            draft = Summary(conversation_id=conversation.id, text=draft, system="teacher", model="")
        if errors is None:
            errors = await self._errors_of(conversation, draft.text)
        if not self.propose.rewrites and any(is_retelling(note, draft.text) for note in errors):
            return dspy.Prediction(revision=await self._written(conversation, draft, errors))
        return dspy.Prediction(revision=await self._mended(conversation, draft, errors))

    async def _mended(self, conversation: Conversation, draft: Summary, errors: Sequence[ErrorNote]) -> Revision:
        """Mend a draft until it verifies, or until the last attempt."""
        if not errors and self.propose.needs_errors:
            return self._revision(draft, errors, verdict=Verdict.UNCHANGED, attempts=0)
        work = Attempts(draft.text, tuple(errors))
        for _ in range(self.attempts):
            proposal = await self.propose.propose(
                conversation, draft.text, work.open_errors, "\n".join(work.feedback), self.verify.support
            )
            result = work.with_kept(proposal)
            verification = await self._verify(conversation, draft.text, result, errors)
            if verification.passed:
                return self._accepted(draft, errors, result, verification, work.feedback)
            work.failed(result, verification)
        return await self._rejected(conversation, draft, errors, work)

    async def _written(self, conversation: Conversation, draft: Summary, errors: Sequence[ErrorNote]) -> Revision:
        """Let the editor write a summary in the place of a draft that retells the conversation.

        What it writes is analysed and mended as a draft is. It is rejected if it is cut off, too short, or retells the
        conversation too.
        """
        rejected = partial(self._revision, draft, errors, verdict=Verdict.REJECTED, remaining=tuple(errors))
        if self.write is None:
            return rejected(attempts=0, feedback=(_UNWRITTEN,))
        answer = await self.write.acall(conversation=conversation)
        written = draft.model_copy(update={"text": answer.summary})
        useless = answer.cut_off or len(written.text.split()) < self.verify.min_words
        found = () if useless else await self._errors_of(conversation, written.text)
        if useless or any(is_retelling(note, written.text) for note in found):
            return rejected(attempts=1, feedback=(f"{_WRITTEN} That one is no better: {written.text}",))
        mended = await self._mended(conversation, written, found)
        feedback = (_WRITTEN, *mended.feedback)
        if mended.verdict is Verdict.REJECTED:
            return rejected(attempts=mended.attempts, feedback=feedback)
        return self._revision(
            draft,
            errors,
            verdict=Verdict.VERIFIED,
            attempts=max(1, mended.attempts),
            result=Proposal(after=mended.after),
            noticed=mended.noticed,
            feedback=feedback,
        )

    async def _errors_of(self, conversation: Conversation, text: str) -> tuple[ErrorNote, ...]:
        answer = await self.verify.analyze.acall(conversation=conversation, summary=text)
        errors: tuple[ErrorNote, ...] = answer.errors
        return errors

    async def _verify(
        self, conversation: Conversation, before: str, result: Proposal, errors: Sequence[ErrorNote]
    ) -> Verification:
        answer = await self.verify.acall(
            conversation=conversation, before=before, after=result.after, errors=errors, edits=result.applied
        )
        verification: Verification = answer.verification
        return verification

    def _accepted(
        self,
        draft: Summary,
        errors: Sequence[ErrorNote],
        result: Proposal,
        verification: Verification,
        feedback: Sequence[str],
    ) -> Revision:
        verdict = Verdict.UNCHANGED if result.after == draft.text else Verdict.VERIFIED
        return self._revision(
            draft,
            errors,
            verdict=verdict,
            attempts=len(feedback) + 1,
            result=result,
            noticed=verification.noticed,
            feedback=feedback,
        )

    async def _rejected(
        self, conversation: Conversation, draft: Summary, errors: Sequence[ErrorNote], work: Attempts
    ) -> Revision:
        """Return what is left after the last attempt: the draft, or the part of the edits that verifies."""
        result, check = Proposal(after=draft.text, refused=work.last.refused), Verification(remaining=tuple(errors))
        if self.on_reject == "keep_partial":
            result, check = await self._partly(conversation, draft.text, errors, work)
        passed = check.passed and result.after != draft.text
        return self._revision(
            draft,
            errors,
            verdict=Verdict.VERIFIED if passed else Verdict.REJECTED,
            attempts=len(work.feedback),
            result=result,
            remaining=check.errors(),
            noticed=check.noticed,
            feedback=work.feedback,
        )

    async def _partly(
        self, conversation: Conversation, before: str, errors: Sequence[ErrorNote], work: Attempts
    ) -> tuple[Proposal, Verification]:
        """Apply the edits that verified, with deletions. Then drop edits until the result verifies.

        The result may still have an error of the draft. It has no new one.
        """
        most, least = self.verify.max_change, self.verify.min_words
        edits = [*work.kept, *deletions(before, work.refuted())]
        while edits:
            fitting = apply_within(before, edits, errors, max_change=most, min_words=least)
            if fitting.after == before:
                break
            part = Proposal(after=fitting.after, applied=fitting.applied, refused=work.last.refused)
            check = await self._verify(conversation, before, part, errors)
            if not (check.new or check.ungained):
                return part, check
            edits = verified_edits(before, part.after, part.applied, check, errors)
            if len(edits) == len(part.applied):
                break
        return Proposal(after=before, refused=work.last.refused), Verification(remaining=tuple(errors))

    def _revision(
        self,
        draft: Summary,
        errors: Sequence[ErrorNote],
        *,
        verdict: Verdict,
        attempts: int,
        result: Proposal | None = None,
        remaining: tuple[ErrorNote, ...] = (),
        noticed: tuple[ErrorNote, ...] = (),
        feedback: Sequence[str] = (),
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
            noticed=noticed,
            feedback=tuple(feedback),
        )
