"""The strategies that mend a draft in one answer of the editor: all edits, a rewrite, or the paper's rewrite."""

from __future__ import annotations

from collections.abc import Sequence

import dspy

from arf_programs.programs.asking import RETRIES, ask, lm_name
from arf_programs.programs.program import Program
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import apply_edits, describe_errors
from signatures.propose_edits import ProposedEdit, ProposeEdits
from signatures.records import Conversation, Edit, ErrorNote, Record, RefusedEdit, Taxonomy
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary


class Proposal(Record):
    """A revision as the editor proposes it. It is not verified yet."""

    after: str
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()


class Propose(Program):
    """The base of the strategies.

    `name` is the strategy's name in records. With `needs_errors` a draft without errors is left as it is.
    """

    name: str
    needs_errors = True

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
            errors=describe_errors(errors),
            feedback=feedback,
        )
        result = apply_edits(summary, to_edits(answer.edits, errors))
        return Proposal(after=result.after, applied=result.applied, refused=result.refused)


class Rewrite(Propose):
    """Rewrite the draft, given its errors."""

    name = "rewrite"

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
            errors=describe_errors(errors),
            feedback=feedback,
        )
        return Proposal(after=answer.revised.strip())


class RewriteByTaxonomy(Propose):
    """Rewrite every draft, given only the common errors of the teacher. This is the form of arXiv 2511.03005."""

    name = "taxonomy"
    needs_errors = False

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


def to_edits(proposed: Sequence[ProposedEdit], errors: Sequence[ErrorNote]) -> list[Edit]:
    """Return edits with the short ids (`e1`) replaced by those of the errors. Unknown ids are left out."""
    ids = {f"e{number}": note.id for number, note in enumerate(errors, start=1)}
    return [
        Edit(
            op=edit.op,
            quote=edit.quote,
            replacement=edit.replacement,
            mends=tuple(dict.fromkeys(ids[name] for name in edit.mends if name in ids)),
            evidence=tuple(edit.evidence),
        )
        for edit in proposed
    ]
