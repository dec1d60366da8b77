"""Stage `evaluate`: every system summarises the holdout, and every summary is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from arf_programs.config import AUTO, Config, ModelConfig
from arf_programs.models import check_providers, close_models
from arf_programs.programs import program_fingerprint
from arf_programs.runner import Step, StepOutcome, run_steps
from arf_programs.runs import Run, digest, digest_file, digest_model, digest_prompts, read_jsonl, write_jsonl_atomic
from arf_programs.stages.analyze import analyst_fingerprint, calibrate
from arf_programs.stages.draft import count_cut_off
from arf_programs.stages.evaluation import systems
from arf_programs.stages.evaluation.scoring import COMPARE, SCORE, HoldoutSummaries, embedding_digest, with_similarity
from arf_programs.stages.evaluation.vllm import BASE, refuse_missing_vllm, served_systems
from arf_programs.stages.stage import Stage
from signatures.compare_summaries import CompareSummaries
from signatures.rate_summary import RateSummary
from signatures.records import Summary

_NOT_OF_THE_ANSWERS = {"samples", "confidence", "cluster", "device", "dtype", "engine"}


def _without_effect(run: Run) -> set[str]:
    """Return the keys that change no answer. Without parameters the hash is that of runs from before the key."""
    return _NOT_OF_THE_ANSWERS | (set() if run.config.evaluate.parameters else {"parameters"})


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.predictions, run.folder.scores, run.folder.comparisons)


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "drafts.jsonl": digest_file(run.folder.drafts),
        "student": digest_file(run.folder.student),
        "train.base": digest(config.train.base),
        "train.arms": digest(config.train.students()),
        "summarize.instruction": digest(config.summarize.instruction),
        "models.judge": digest_model(config.models.judge),
        "judge prompts": digest_prompts([RateSummary, CompareSummaries]),
        "evaluate": digest(config.evaluate.model_dump(mode="json", exclude=_without_effect(run))),
        # What `auto` takes depends on the machine: a run that is copied to another one stays whole.
        **({} if config.evaluate.dtype == AUTO else {"evaluate.dtype": config.evaluate.dtype}),
        **({} if config.evaluate.engine == AUTO else {"evaluate.engine": config.evaluate.engine}),
        "embedding model": embedding_digest(run),
        **systems.reviser_fingerprint(run),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "judge"),
    }


def work(run: Run) -> dict[str, int]:
    if run.config.evaluate.analyst or run.config.evaluate.reviser:
        calibrate(run)
    answered = _answer(run)
    scored = _score(run)
    decided = _compare(run)
    failures = [failure for outcome in (*answered, scored, *decided) for failure in outcome.failures]
    run.folder.replace_failures(STAGE.name, failures)
    counts = {"predictions": sum(outcome.done for outcome in answered)}
    counts |= count_cut_off(read_jsonl(run.folder.predictions, Summary))
    counts |= {"scores": scored.done, "comparisons": sum(outcome.done for outcome in decided)}
    return {**counts, "failed": len(failures)}


def answer_holdout(run: Run) -> dict[str, int]:
    """Let base, students and further systems summarise the holdout, and score nothing. Return the counts.

    The answers wait in the run's folder for the stage, which then loads none of these models. Analyst, editor and judge
    are not asked. Raises UserError for what the user can mend, and WorkError for what failed at work.
    """
    check_providers([*run.config.evaluate.serve.values(), *run.config.evaluate.systems.values()])
    outcomes, _ = _answer_by_models(run)
    failures = [failure for outcome in outcomes for failure in outcome.failures]
    run.folder.replace_failures(STAGE.name, failures)
    close_models()
    return {"predictions": sum(outcome.done for outcome in outcomes), "failed": len(failures)}


def _answer(run: Run) -> list[StepOutcome]:
    """Write every system's summaries of the holdout, one system after another."""
    outcomes, steps = _answer_by_models(run)
    close_models(keep=asks(run.config))
    if run.config.evaluate.reviser:
        steps.append(systems.reviser_step())
        total = sum(1 for _ in run.drafts("holdout"))
        outcomes += run_steps(run, steps[-1:], run.drafts("holdout"), total=total)
    made = (row for step in steps for row in read_jsonl(step.output(run.folder), Summary))
    write_jsonl_atomic(run.folder.predictions, made)
    return outcomes


def _answer_by_models(run: Run) -> tuple[list[StepOutcome], list[Step[Any, Summary]]]:
    outcomes: list[StepOutcome] = []
    steps: list[Step[Any, Summary]] = []
    conversations = run.conversations("holdout")
    models = systems.models_of_systems(run)
    with served_systems(run) as served:
        if served:
            close_models(keep=asks(run.config))  # vLLM takes what is free
        for system in models:
            steps.append(systems.answer_step(run, system, served.get(system)))
            outcomes += run_steps(run, steps[-1:], conversations.values(), total=len(conversations))
            close_models(keep=(*asks(run.config), models[BASE]))  # the students need the weights of the base
    return outcomes, steps


def _score(run: Run) -> StepOutcome:
    """Write the scores of all summaries."""
    holdout = HoldoutSummaries(run)
    (outcome,) = run_steps(run, [SCORE], holdout.summaries(), total=sum(1 for _ in holdout.summaries()))
    write_jsonl_atomic(run.folder.scores, with_similarity(run, SCORE.output(run.folder)))
    return outcome


def _compare(run: Run) -> list[StepOutcome]:
    """Write the judge's verdicts, where they are wanted."""
    if not (run.config.evaluate.judge and run.config.evaluate.pairwise):
        write_jsonl_atomic(run.folder.comparisons, ())
        return []
    holdout = HoldoutSummaries(run)
    pairs = systems.pairs_to_compare(run)
    return run_steps(run, [COMPARE], holdout.pairs(pairs), total=sum(1 for _ in holdout.pairs(pairs)))


def asks(config: Config) -> tuple[ModelConfig, ...]:
    refuse_missing_vllm(config)  # before the first call, and not after hours of training
    evaluate, models = config.evaluate, config.models
    analyst = (models.analyst,) if evaluate.analyst or evaluate.reviser else ()
    editor = (models.editor,) if evaluate.reviser and config.asks_editor else ()
    judge = (models.judge,) if evaluate.judge else ()
    return (*analyst, *editor, *judge, *evaluate.serve.values(), *evaluate.systems.values())


STAGE = Stage(systems.STAGE_NAME, "score every system on the holdout", outputs, fingerprint, work, asks)
