"""The systems that are compared on the holdout: how each comes by its summaries."""

from __future__ import annotations

from arf_programs.asking import ask_rows
from arf_programs.compiling.saved import program_fingerprint
from arf_programs.config.models import ModelConfig
from arf_programs.fingerprint import digest, model_digest, prompts_digest
from arf_programs.models.lm import EMBEDDED, build_lm
from arf_programs.programs.summarize import SummarizeConversation
from arf_programs.run import Run
from arf_programs.running.rows import RowKey
from arf_programs.stages.analyzer import build_analyzer
from arf_programs.stages.draft import TEACHER
from arf_programs.stages.reviser import REVISION_SIGNATURES, build_reviser
from arf_programs.stages.train import student_name
from signatures.exceptions import ModelError
from signatures.records import Failure, Revision, Summary

BASE = "base"
REVISER = "reviser"
_BATCH = 32  # rows in flight towards a model in this process: its largest batch

Made = tuple[list[Summary], list[Failure]]


def models(run: Run) -> dict[str, ModelConfig]:
    """What answers by itself: base model, students, and `evaluate.systems`.

    Base model and students answer in this process, greedily, or where `evaluate.serve` says.
    """
    own = {BASE: run.config.train.base}
    own |= {student_name(arm): str(run.folder.student / arm) for arm in run.config.train.students()}
    tokens, elsewhere = run.config.evaluate.max_tokens, run.config.evaluate.serve
    served = {
        system: elsewhere.get(system) or ModelConfig(model=f"{EMBEDDED}{name}", max_tokens=tokens, concurrency=_BATCH)
        for system, name in own.items()
    }
    return served | run.config.evaluate.systems


def pairs(run: Run) -> list[tuple[str, str]]:
    """What the judge compares: each student with the teacher, then `evaluate.pairs`; each pair once."""
    found = [(student_name(arm), TEACHER) for arm in run.config.train.students()]
    for a, b in run.config.evaluate.pairs:
        if (a, b) not in found and (b, a) not in found:
            found.append((a, b))
    return found


def answers(run: Run, stage: str, system: str, model: ModelConfig) -> Made:
    """A model's summaries of the holdout. A blank answer is this system's answer, and is scored as such."""
    program = SummarizeConversation(run.config.summarize.instruction, retries=0)
    program.set_lm(build_lm(model, seed=run.config.seed))

    conversations = run.conversations("holdout")

    async def answer(name: str) -> Summary:
        try:
            answer = await program.acall(conversation=conversations[name])
        except ModelError:
            return Summary(conversation_id=name, text="", system=system, model=model.model)
        return Summary(
            conversation_id=name, text=answer.summary, system=system, model=model.model, cut_off=answer.cut_off
        )

    outcome = ask_rows(
        run,
        stage,
        list(conversations),
        answer,
        key=lambda name: RowKey(name, system),
        concurrency=model.concurrency,
        label=system,
    )
    return list(outcome.results.values()), outcome.failures


def revisions(run: Run, stage: str) -> Made:
    """The teacher's holdout drafts analysed, revised and verified as in training: what a perfect student could learn.

    Where a revision is rejected, what `revise.on_reject` leaves of it stands, and never less than the draft.
    """
    conversations = run.conversations("holdout")
    analyzer, reviser = build_analyzer(run), build_reviser(run)
    editor = run.config.models.editor

    async def revise(draft: Summary) -> Summary:
        conversation = conversations[draft.conversation_id]
        found = await analyzer.acall(conversation=conversation, summary=draft.text)
        made = await reviser.acall(conversation=conversation, draft=draft, errors=found.errors)
        revision: Revision = made.revision
        return Summary(conversation_id=conversation.id, text=revision.after, system=REVISER, model=editor.model)

    outcome = ask_rows(
        run,
        stage,
        list(run.drafts("holdout")),
        revise,
        key=lambda row: RowKey(row.conversation_id, REVISER),
        concurrency=editor.concurrency,
        label=REVISER,
    )
    return list(outcome.results.values()), outcome.failures


def reviser_fingerprint(run: Run) -> dict[str, str]:
    """What the reviser's summaries depend on beside drafts and analyst; nothing where it is not asked."""
    if not run.config.evaluate.reviser:
        return {}
    return {
        "models.editor": model_digest(run.config.models.editor),
        "revise": digest(run.config.revise.model_dump(mode="json", exclude={"samples"})),
        "revision prompts": prompts_digest(REVISION_SIGNATURES),
        **program_fingerprint(run, "revise"),
    }
