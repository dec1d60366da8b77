"""Stage `evaluate`: every system summarises the holdout, and every summary is scored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from arf_programs.asking import ask_rows
from arf_programs.compiling.saved import program_fingerprint, use_compiled
from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Config
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest
from arf_programs.jsonl import write_jsonl_atomic
from arf_programs.metrics.rouge import rouge
from arf_programs.models.lm import build_lm
from arf_programs.programs.judge import ComparePair, JudgeSummary
from arf_programs.run import Run
from arf_programs.running.rows import RowKey
from arf_programs.stages import systems
from arf_programs.stages.analyzer import analyst_fingerprint, build_analyzer
from arf_programs.stages.draft import cut_off
from arf_programs.stages.reference_similarity import embedding_digest, with_similarity
from arf_programs.stages.stage import Stage
from signatures.compare_summaries import CompareSummaries
from signatures.rate_summary import RateSummary
from signatures.records import Conversation, Failure, PairVerdict, Rating, Score, Summary


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.predictions, run.folder.scores, run.folder.comparisons)


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
        "judge prompts": prompts_digest([RateSummary, CompareSummaries]),
        "evaluate": digest(config.evaluate.model_dump(mode="json", exclude={"samples", "confidence", "cluster"})),
        "embedding model": embedding_digest(run),
        **systems.reviser_fingerprint(run),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "judge"),
    }


def work(run: Run) -> dict[str, int]:
    predictions, failures = _predictions(run)
    write_jsonl_atomic(run.folder.predictions, predictions)
    summaries = [*run.drafts("holdout"), *predictions]
    scores, unscored = _scores(run, summaries)
    write_jsonl_atomic(run.folder.scores, with_similarity(run, scores, summaries))
    verdicts, undecided = _comparisons(run, summaries)
    write_jsonl_atomic(run.folder.comparisons, verdicts)
    failures = [*failures, *unscored, *undecided]
    run.folder.replace_failures(STAGE.name, failures)
    counts = {"predictions": len(predictions), **cut_off(predictions)}
    return {**counts, "scores": len(scores), "comparisons": len(verdicts), "failed": len(failures)}


def _predictions(run: Run) -> systems.Made:
    summaries: list[Summary] = []
    failures: list[Failure] = []
    for system, model in systems.models(run).items():
        made, failed = systems.answers(run, STAGE.name, system, model)
        summaries += made
        failures += failed
    if run.config.evaluate.reviser:
        made, failed = systems.revisions(run, STAGE.name)
        summaries += made
        failures += failed
    return summaries, failures


def build_judge(run: Run, *, compiled: bool = True) -> JudgeSummary:
    """The judge as configured; without `compiled`, a compiled program is left aside."""
    judge = JudgeSummary(retries=run.config.analyze.parse_retries)
    if compiled:
        use_compiled(run, "judge", judge)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    return judge


def _scores(run: Run, summaries: Sequence[Summary]) -> tuple[list[Score], list[Failure]]:
    config = run.config
    conversations = run.conversations("holdout")
    analyzer = build_analyzer(run, model=config.evaluate.analyst)
    judge = build_judge(run) if config.evaluate.judge else None

    async def rate(conversation: Conversation, text: str) -> Rating | None:
        if judge is None:
            return None
        rating: Rating = (await judge.acall(conversation=conversation, summary=text)).rating
        return rating

    async def score(summary: Summary) -> Score:
        conversation = conversations[summary.conversation_id]  # read when its turn comes
        analysis, rating = await asyncio.gather(
            analyzer.acall(conversation=conversation, summary=summary.text), rate(conversation, summary.text)
        )
        overlap = rouge(summary.text, conversation.references) if conversation.references else {}
        return Score(
            conversation_id=conversation.id,
            channel=conversation.channel,
            system=summary.system,
            errors=analysis.errors,
            words=len(summary.text.split()),
            rating=rating,
            **overlap,
        )

    # Systems side by side for each conversation: what models are asked about it shares its prefix.
    order = {name: number for number, name in enumerate(conversations)}
    outcome = ask_rows(
        run,
        STAGE.name,
        sorted(summaries, key=lambda summary: order[summary.conversation_id]),
        score,
        key=lambda summary: RowKey(summary.conversation_id, summary.system),
        concurrency=config.models.judge.concurrency,
        label="scores",
    )
    return list(outcome.results.values()), outcome.failures


class _Pair(NamedTuple):
    """Two systems' summaries of one conversation."""

    a: Summary
    b: Summary

    @property
    def name(self) -> str:
        return f"{self.a.system} against {self.b.system}"


def _comparisons(run: Run, summaries: Sequence[Summary]) -> tuple[list[PairVerdict], list[Failure]]:
    """The judge's verdicts; a pair of which one system has no summary is left out, and counted by `win_rates`."""
    config = run.config
    if not (config.evaluate.judge and config.evaluate.pairwise):
        return [], []
    judge = ComparePair(retries=config.analyze.parse_retries)
    judge.set_lm(build_lm(config.models.judge, seed=config.seed))
    told = {(summary.conversation_id, summary.system): summary for summary in summaries}
    conversations = run.conversations("holdout")
    rows = [
        _Pair(told[name, a], told[name, b])
        for name in conversations
        for a, b in systems.pairs(run)
        if (name, a) in told and (name, b) in told
    ]

    async def compare(row: _Pair) -> PairVerdict:
        conversation = conversations[row.a.conversation_id]
        verdict: PairVerdict = (await judge.acall(conversation=conversation, a=row.a, b=row.b)).verdict
        return verdict

    outcome = ask_rows(
        run,
        STAGE.name,
        rows,
        compare,
        key=lambda row: RowKey(row.a.conversation_id, row.name),
        concurrency=config.models.judge.concurrency,
        label="comparisons",
    )
    return list(outcome.results.values()), outcome.failures


def asks(config: Config) -> tuple[ModelConfig, ...]:
    evaluate, models = config.evaluate, config.models
    analyst = (models.analyst,) if evaluate.analyst or evaluate.reviser else ()
    editor = (models.editor,) if evaluate.reviser else ()
    judge = (models.judge,) if evaluate.judge else ()
    return (*analyst, *editor, *judge, *evaluate.serve.values(), *evaluate.systems.values())


STAGE = Stage("evaluate", "score every system on the holdout", outputs, fingerprint, work, asks)
