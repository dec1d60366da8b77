"""How stage `evaluate` scores one summary, and has the judge compare two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from arf_programs.compiling.saved import program_fingerprint, use_compiled
from arf_programs.config.models import ModelConfig
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest
from arf_programs.metrics.rouge import rouge
from arf_programs.models.lm import build_lm
from arf_programs.programs.judge import ComparePair, JudgeSummary
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.running.rows import RowKey
from arf_programs.running.step import Step
from arf_programs.stages.analyzer import analyst_fingerprint, build_analyzer
from arf_programs.stages.systems import STAGE_NAME
from arf_programs.stages.told import Pair
from signatures.compare_summaries import CompareSummaries
from signatures.rate_summary import RateSummary
from signatures.records import Conversation, PairVerdict, Rating, Score, Summary


def build_judge(run: Run, *, compiled: bool = True) -> JudgeSummary:
    """The judge as configured; without `compiled`, a compiled program is left aside."""
    judge = JudgeSummary(retries=run.config.analyze.parse_retries)
    if compiled:
        use_compiled(run, "judge", judge)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    return judge


def open_scores(run: Run) -> Callable[[Summary], Awaitable[Score]]:
    """What checks, analyst and judge do to a summary."""
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
        conversation = conversations[summary.conversation_id]
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

    return score


def open_comparisons(run: Run) -> Callable[[Pair], Awaitable[PairVerdict]]:
    """What the judge does to a pair."""
    judge = ComparePair(retries=run.config.analyze.parse_retries)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    conversations = run.conversations("holdout")

    async def compare(row: Pair) -> PairVerdict:
        conversation = conversations[row.a.conversation_id]
        verdict: PairVerdict = (await judge.acall(conversation=conversation, a=row.a, b=row.b)).verdict
        return verdict

    return compare


def _scores(folder: RunFolder) -> Path:
    return folder.parts / f"{STAGE_NAME}-scored.jsonl"


def _comparisons(folder: RunFolder) -> Path:
    return folder.comparisons


def _summary_key(row: Summary) -> RowKey:
    return RowKey(row.conversation_id, row.system)


def _pair_key(row: Pair) -> RowKey:
    return RowKey(row.a.conversation_id, row.name)


def _judged(run: Run) -> dict[str, str]:
    return {
        "conversations.jsonl": file_digest(run.folder.conversations),
        "models.judge": model_digest(run.config.models.judge),
        "judge prompts": prompts_digest([RateSummary, CompareSummaries]),
        "seed": digest(run.config.seed),
        **program_fingerprint(run, "judge"),
    }


def _scores_depend(run: Run) -> dict[str, str]:
    asked = {"analyst": run.config.evaluate.analyst, "judge": run.config.evaluate.judge}
    return {**_judged(run), "asked": digest(asked), **analyst_fingerprint(run)}


def _scoring(run: Run) -> tuple[ModelConfig, ...]:
    evaluate, models = run.config.evaluate, run.config.models
    return (*((models.judge,) if evaluate.judge else ()), *((models.analyst,) if evaluate.analyst else ()))


def _comparing(run: Run) -> tuple[ModelConfig, ...]:
    return (run.config.models.judge,)


SCORE = Step(
    stage=STAGE_NAME,
    name="scores",
    row=Summary,
    result=Score,
    open=open_scores,
    key=_summary_key,
    output=_scores,
    depends=_scores_depend,
    models=_scoring,
)

COMPARE = Step(
    stage=STAGE_NAME,
    name="comparisons",
    row=Pair,
    result=PairVerdict,
    open=open_comparisons,
    key=_pair_key,
    output=_comparisons,
    depends=_judged,
    models=_comparing,
)
