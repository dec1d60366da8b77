"""The strategies by which an editor mends a draft in one answer: edits together, rewrite, taxonomy."""

from __future__ import annotations

from collections.abc import Sequence

import dspy

from arf_programs.programs.asking import ask
from arf_programs.programs.support import SentenceSupport
from arf_programs.text import apply_edits, describe_errors
from signatures.propose_edits import ProposedEdit, ProposeEdits
from signatures.records import Conversation, Edit, ErrorNote, Record, RefusedEdit, Taxonomy
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary


class Proposal(Record):
    """A revision as the editor proposes it, before verification."""

    after: str
    applied: tuple[Edit, ...] = ()
    refused: tuple[RefusedEdit, ...] = ()


class Propose(dspy.Module):
    """Base of the strategies: `name` is the strategy in records, `needs_errors` whether clean drafts are left alone."""

    name: str
    needs_errors = True

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.model = ""

    def use(self, lm: dspy.LM) -> None:
        """Let `lm` be the editor."""
        self.set_lm(lm)
        self.model = lm.model

    async def propose(
        self,
        conversation: Conversation,
        summary: str,
        errors: Sequence[ErrorNote],
        feedback: str,
        support: SentenceSupport | None = None,
    ) -> Proposal:
        """One attempt; `support` is the verifier's question, for strategies that choose among candidates by it.

        Raises ModelError when the editor's answers cannot be parsed.
        """
        raise NotImplementedError


class EditSummary(Propose):
    """All errors in one answer of structured edits, applied by a pure function: untouched text stays byte-identical."""

    name = "edits"

    def __init__(self, *, retries: int) -> None:
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
    """A full rewrite, given the errors."""

    name = "rewrite"

    def __init__(self, *, retries: int) -> None:
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
    """The paper's form (arXiv 2511.03005): a rewrite given only the common errors, for every draft."""

    name = "taxonomy"
    needs_errors = False

    def __init__(self, taxonomy: Taxonomy, *, retries: int) -> None:
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
    """Edits with the short ids resolved; an id that no error has is left out, an edit without any keeps none."""
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
