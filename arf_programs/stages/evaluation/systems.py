"""The systems that are compared on the holdout: how each gets its summaries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from arf_programs.config import ModelConfig
from arf_programs.models import EMBEDDED, build_lm, weights_digest
from arf_programs.programs import Summarize, program_fingerprint
from arf_programs.runner import RowKey, Step
from arf_programs.runs import Run, RunFolder, digest, digest_file, digest_model
from arf_programs.stages.analyze import analyst_fingerprint, build_analyzer
from arf_programs.stages.draft import TEACHER
from arf_programs.stages.evaluation.vllm import BASE, ServedSystem
from arf_programs.stages.revise import build_reviser, revision_prompts
from arf_programs.stages.train import student_name
from signatures.exceptions import EndpointError, ModelError
from signatures.records import Conversation, Revision, Summary

REVISER = "reviser"
STAGE_NAME = "evaluate"
_BATCH = 128  # rows in flight towards a model in this process: its largest batch, on a GPU


def models_of_systems(run: Run) -> dict[str, ModelConfig]:
    """Return the models that answer by themselves: base model, students, and `evaluate.systems`.

    Base model and students answer greedily in this process, or at the server that `evaluate.serve` names.
    """
    own = {BASE: run.config.train.base}
    own |= {student_name(arm): str(run.folder.student / arm) for arm in run.config.train.students()}
    evaluate = run.config.evaluate
    served = {system: evaluate.serve.get(system) or own_model(run, name) for system, name in own.items()}
    return served | evaluate.systems


def own_model(run: Run, name: str) -> ModelConfig:
    """Return the model that answers in this process, greedily, from a folder of weights or a known name."""
    evaluate = run.config.evaluate
    return ModelConfig(
        model=f"{EMBEDDED}{name}",
        max_tokens=evaluate.max_tokens,
        parameters=evaluate.parameters,
        concurrency=_BATCH,
        device=evaluate.device,
        dtype=evaluate.dtype,
    )


def pairs_to_compare(run: Run) -> list[tuple[str, str]]:
    """Return the pairs for the judge: each student with the teacher, then `evaluate.pairs`. Each pair comes once."""
    pairs = [(student_name(arm), TEACHER) for arm in run.config.train.students()]
    for a, b in run.config.evaluate.pairs:
        if (a, b) not in pairs and (b, a) not in pairs:
            pairs.append((a, b))
    return pairs


def answer_step(run: Run, system: str, served: ServedSystem | None = None) -> Step[Conversation, Summary]:
    """Return the step in which a model summarises the holdout. A blank answer counts as an answer, and is scored.

    Students and their base answer on the machine that trained them, in this process or at a vLLM that we start
    (`served`), unless they are served elsewhere.
    """
    model = models_of_systems(run)[system] if served is None else served.model
    return Step(
        stage=STAGE_NAME,
        name=f"answers of {system}",
        row=Conversation,
        result=Summary,
        prepare=partial(prepare_answers, system=system, model=model, served=served),
        key=partial(_conversation_key, system=system),
        output=partial(_answers_file, system=system),
        depends=partial(_answers_depend, model=model),
        models=partial(_answering_model, model=model),
        content=Conversation.as_text,
        here=served is not None or model.model.startswith(EMBEDDED),
    )


def prepare_answers(
    run: Run, *, system: str, model: ModelConfig, served: ServedSystem | None = None
) -> Callable[[Conversation], Awaitable[Summary]]:
    """Build the system's model, and return the function that summarises one conversation."""
    program = Summarize(run.config.summarize.instruction, retries=0)
    program.set_lm(build_lm(model, seed=run.config.seed, address=None if served is None else served.server.address))

    async def answer(conversation: Conversation) -> Summary:
        try:
            made = await program.acall(conversation=conversation)
        except EndpointError:
            raise
        except ModelError:
            return Summary(conversation_id=conversation.id, text="", system=system, model=model.model)
        return Summary(
            conversation_id=conversation.id,
            text=made.summary,
            system=system,
            model=model.model,
            cut_off=made.cut_off,
        )

    return answer


def _answering_model(_run: Run, *, model: ModelConfig) -> tuple[ModelConfig, ...]:
    return (model,)


def _answers_depend(run: Run, *, model: ModelConfig) -> dict[str, str]:
    return {
        "model": digest_model(model),
        "weights": weights_digest(model.model),
        "summarize.instruction": digest(run.config.summarize.instruction),
        "seed": digest(run.config.seed),
    }


def _conversation_key(row: Conversation, *, system: str) -> RowKey:
    return RowKey(row.id, system)


def _answers_file(folder: RunFolder, *, system: str) -> Path:
    return folder.parts / f"{STAGE_NAME}-made-by-{system}.jsonl"


def reviser_step() -> Step[Summary, Summary]:
    """Return the step that analyses, revises and verifies the teacher's holdout drafts, as in training.

    This is what a perfect student could learn. After a rejected revision the text that `revise.on_reject` says counts.
    """
    return Step(
        stage=STAGE_NAME,
        name=f"answers of {REVISER}",
        row=Summary,
        result=Summary,
        prepare=prepare_revisions,
        key=_draft_key,
        output=partial(_answers_file, system=REVISER),
        depends=_revisions_depend,
        models=_revising,
    )


def prepare_revisions(run: Run) -> Callable[[Summary], Awaitable[Summary]]:
    """Build analyst and editor, and return the function that revises one draft."""
    conversations = run.conversations("holdout")
    analyzer, reviser = build_analyzer(run), build_reviser(run)
    editor = run.config.models.editor

    async def revise(draft: Summary) -> Summary:
        conversation = conversations[draft.conversation_id]
        analysis = await analyzer.acall(conversation=conversation, summary=draft.text)
        prediction = await reviser.acall(conversation=conversation, draft=draft, errors=analysis.errors)
        revision: Revision = prediction.revision
        return Summary(conversation_id=conversation.id, text=revision.after, system=REVISER, model=editor.model)

    return revise


def _revising(run: Run) -> tuple[ModelConfig, ...]:
    return (run.config.models.editor, run.config.models.analyst)


def _revisions_depend(run: Run) -> dict[str, str]:
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        **reviser_fingerprint(run),
        **analyst_fingerprint(run),
    }


def _draft_key(row: Summary) -> RowKey:
    return RowKey(row.conversation_id, REVISER)


def reviser_fingerprint(run: Run) -> dict[str, str]:
    """Return the hashes of all that the reviser depends on beside drafts and analyst; empty if it is not evaluated."""
    if not run.config.evaluate.reviser:
        return {}
    return {
        "models.editor": digest_model(run.config.models.editor),
        "revise": digest(run.config.revise.model_dump(mode="json", exclude={"samples", "human"})),
        **revision_prompts(run),
        **program_fingerprint(run, "revise"),
    }
