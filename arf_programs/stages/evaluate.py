"""Stage `evaluate`: every system summarises the holdout, and every summary is scored."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple

from arf_programs.asking import ask_rows
from arf_programs.compiling.saved import program_fingerprint, use_compiled
from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Config
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest
from arf_programs.jsonl import write_jsonl_atomic
from arf_programs.metrics.rouge import rouge
from arf_programs.models.lm import EMBEDDED, build_lm
from arf_programs.programs.judge import JudgeSummary
from arf_programs.programs.summarize import SummarizeConversation
from arf_programs.run import Run
from arf_programs.running.rows import RowKey
from arf_programs.stages.analyze import analyst_fingerprint, build_analyzer
from arf_programs.stages.stage import Stage
from arf_programs.stages.train import student_name
from signatures.exceptions import ModelError
from signatures.rate_summary import RateSummary
from signatures.records import Conversation, Failure, Rating, Score, Summary

BASE = "base"
_BATCH = 32  # rows in flight towards a model in this process: its largest batch


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.predictions, run.folder.scores)


def fingerprint(run: Run) -> dict[str, str]:
    config = run.config
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "drafts.jsonl": file_digest(run.folder.drafts),
        "student": file_digest(run.folder.student),
        "train.base": digest(config.train.base),
        "train.arms": digest(config.train.students()),
        "summarize.instruction": digest(config.summarize.instruction),
        "models.judge": model_digest(config.models.judge),
        "judge prompt": prompts_digest([RateSummary]),
        "evaluate": digest(config.evaluate.model_dump(mode="json", exclude={"samples", "confidence", "cluster"})),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "judge"),
    }


def systems(run: Run) -> dict[str, ModelConfig]:
    """The base model and each arm's student: in this process, or where `evaluate.serve` says. Greedy, all alike."""
    models = {BASE: run.config.train.base}
    models |= {student_name(arm): str(run.folder.student / arm) for arm in run.config.train.students()}
    tokens, elsewhere = run.config.evaluate.max_tokens, run.config.evaluate.serve
    return {
        system: elsewhere.get(system) or ModelConfig(model=f"{EMBEDDED}{name}", max_tokens=tokens, concurrency=_BATCH)
        for system, name in models.items()
    }


def work(run: Run) -> dict[str, int]:
    failures: list[Failure] = []
    predictions: list[Summary] = []
    for system, model in systems(run).items():
        made, failed = _predict(run, system, model)
        predictions += made
        failures += failed
    write_jsonl_atomic(run.folder.predictions, predictions)
    scores, unscored = _score_all(run, [*run.drafts("holdout"), *predictions])
    write_jsonl_atomic(run.folder.scores, scores)
    failures += unscored
    run.folder.replace_failures(STAGE.name, failures)
    return {"predictions": len(predictions), "scores": len(scores), "failed": len(failures)}


def _predict(run: Run, system: str, model: ModelConfig) -> tuple[list[Summary], list[Failure]]:
    program = SummarizeConversation(run.config.summarize.instruction, retries=0)
    program.set_lm(build_lm(model, seed=run.config.seed))

    async def predict(conversation: Conversation) -> Summary:
        try:
            text = (await program.acall(conversation=conversation)).summary
        except ModelError:
            text = ""  # a blank answer is this system's answer, and is scored as such
        return Summary(conversation_id=conversation.id, text=text, system=system, model=model.model)

    outcome = ask_rows(
        run,
        STAGE.name,
        list(run.conversations("holdout").values()),
        predict,
        key=lambda row: RowKey(row.id, system),
        concurrency=model.concurrency,
        label=system,
    )
    return list(outcome.results.values()), outcome.failures


class _Row(NamedTuple):
    conversation: Conversation
    summary: Summary


def build_judge(run: Run, *, compiled: bool = True) -> JudgeSummary:
    """The judge as configured; without `compiled`, a compiled program is left aside."""
    judge = JudgeSummary(retries=run.config.analyze.parse_retries)
    if compiled:
        use_compiled(run, "judge", judge)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    return judge


def _score_all(run: Run, summaries: list[Summary]) -> tuple[list[Score], list[Failure]]:
    config = run.config
    conversations = run.conversations("holdout")
    analyzer = build_analyzer(run, model=config.evaluate.analyst)
    judge = build_judge(run) if config.evaluate.judge else None

    async def rate(row: _Row) -> Rating | None:
        if judge is None:
            return None
        rating: Rating = (await judge.acall(conversation=row.conversation, summary=row.summary.text)).rating
        return rating

    async def score(row: _Row) -> Score:
        analysis, rating = await asyncio.gather(
            analyzer.acall(conversation=row.conversation, summary=row.summary.text), rate(row)
        )
        overlap = rouge(row.summary.text, row.conversation.references) if row.conversation.references else {}
        return Score(
            conversation_id=row.conversation.id,
            channel=row.conversation.channel,
            system=row.summary.system,
            errors=analysis.errors,
            words=len(row.summary.text.split()),
            rating=rating,
            **overlap,
        )

    # Systems side by side for each conversation: what models are asked about it shares its prefix.
    order = {name: number for number, name in enumerate(conversations)}
    ordered = sorted(summaries, key=lambda summary: order[summary.conversation_id])
    rows = [_Row(conversations[summary.conversation_id], summary) for summary in ordered]
    outcome = ask_rows(
        run,
        STAGE.name,
        rows,
        score,
        key=lambda row: RowKey(row.conversation.id, row.summary.system),
        concurrency=config.models.judge.concurrency,
        label="scores",
    )
    return list(outcome.results.values()), outcome.failures


def asks(config: Config) -> tuple[ModelConfig, ...]:
    analyst = (config.models.analyst,) if config.evaluate.analyst else ()
    judge = (config.models.judge,) if config.evaluate.judge else ()
    return (*analyst, *judge, *config.evaluate.serve.values())


STAGE = Stage("evaluate", "score every system on the holdout", outputs, fingerprint, work, asks)
