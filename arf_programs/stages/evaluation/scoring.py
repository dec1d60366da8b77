"""How stage `evaluate` scores a summary, compares two, and measures the similarity to references."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from arf_programs.config import ModelConfig
from arf_programs.metrics import Embed, find_model, load_embedder, rouge, similarities
from arf_programs.models import build_lm
from arf_programs.programs import CheckerSupport, ComparePair, Judge, program_fingerprint, use_compiled
from arf_programs.runner import RowKey, Step
from arf_programs.runs import JsonlIndex, Run, RunFolder, digest, digest_file, digest_model, digest_prompts, read_jsonl
from arf_programs.stages.analyze import analyst_fingerprint, build_analyzer, build_support
from arf_programs.stages.draft import TEACHER
from arf_programs.stages.evaluation.systems import STAGE_NAME
from arf_programs.text import split_sentences
from signatures.compare_summaries import CompareSummaries
from signatures.exceptions import MissingExtra
from signatures.rate_summary import RateSummary
from signatures.records import Conversation, PairVerdict, Rating, Record, Score, SentenceScore, Summary


class Pair(Record):
    """The summaries of one conversation by two systems."""

    a: Summary
    b: Summary

    @property
    def name(self) -> str:
        return f"{self.a.system} against {self.b.system}"


class HoldoutSummaries:
    """The summaries of the holdout by all systems. Each is read from its file when it is needed."""

    def __init__(self, run: Run) -> None:
        self._names = run.conversations("holdout")
        self._systems: dict[str, None] = {TEACHER: None}
        self._drafts = JsonlIndex(run.folder.drafts, Summary, key=lambda row: row["conversation_id"], value=_itself)
        self._made = JsonlIndex(run.folder.predictions, Summary, key=self._key, value=_itself)

    def summaries(self) -> Iterator[Summary]:
        """Return all summaries, conversation by conversation, since prompts about one conversation share a prefix."""
        for name in self._names:
            for system in self._systems:
                if (summary := self.by(system, name)) is not None:
                    yield summary

    def pairs(self, systems: Sequence[tuple[str, str]]) -> Iterator[Pair]:
        """Return each pair of systems for each conversation. A pair with a missing summary is left out.

        `win_rates` counts those that are missing.
        """
        for name in self._names:
            for a, b in systems:
                first, second = self.by(a, name), self.by(b, name)
                if first is not None and second is not None:
                    yield Pair(a=first, b=second)

    def by(self, system: str, name: str) -> Summary | None:
        """Return a system's summary of a conversation, or None if it has none."""
        return self._drafts.get(name) if system == TEACHER else self._made.get(f"{system}/{name}")

    def _key(self, row: dict[str, str]) -> str:
        self._systems.setdefault(row["system"])
        return f"{row['system']}/{row['conversation_id']}"


def _itself(summary: Summary) -> Summary:
    return summary


_AT_ONCE = 1024


def with_similarity(run: Run, scored: Path) -> Iterator[Score]:
    """Add the embedding similarity to the scores of a file.

    It is left out if it is not configured, if there are no references, or if the model is not installed.
    """
    scores = read_jsonl(scored, Score)
    name = run.config.evaluate.similarity
    conversations = run.conversations("holdout")
    if name is None or not any(item.references for item in conversations.values()):
        return scores
    try:
        embed = load_embedder(find_model(name, run.base_dir))
    except MissingExtra as missing:
        run.progress.say(f"  embedding similarity is left out: {missing}")
        return scores
    return _measured(embed, scores, run)


def _measured(embed: Embed, scores: Iterator[Score], run: Run) -> Iterator[Score]:
    conversations, holdout = run.conversations("holdout"), HoldoutSummaries(run)
    while some := list(islice(scores, _AT_ONCE)):
        summaries = (holdout.by(score.system, score.conversation_id) for score in some)
        texts = [summary.text if summary else "" for summary in summaries]
        values = similarities(embed, texts, [conversations[score.conversation_id].references for score in some])
        for score, value in zip(some, values, strict=True):
            yield score.model_copy(update={"similarity": value})


def embedding_digest(run: Run) -> str:
    """Return a hash of the embedding model, so that a model installed later is used; empty if there is none."""
    name = run.config.evaluate.similarity
    try:
        return "" if name is None else digest_file(find_model(name, run.base_dir))
    except MissingExtra:
        return ""


def build_judge(run: Run, *, compiled: bool = True) -> Judge:
    """Build the judge as configured. Without `compiled`, a compiled program is not used."""
    judge = Judge(retries=run.config.models.judge.parse_retries)
    if compiled:
        use_compiled(run, "judge", judge)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    return judge


def prepare_scores(run: Run) -> Callable[[Summary], Awaitable[Score]]:
    """Build analyst and judge, and return the function that scores one summary."""
    config = run.config
    conversations = run.conversations("holdout")
    analyzer = build_analyzer(run, model=config.evaluate.analyst)
    judge = build_judge(run) if config.evaluate.judge else None
    check = prepare_checker(run)

    async def rate(conversation: Conversation, text: str) -> Rating | None:
        if judge is None:
            return None
        rating: Rating = (await judge.acall(conversation=conversation, summary=text)).rating
        return rating

    async def score(summary: Summary) -> Score:
        conversation = conversations[summary.conversation_id]
        analysis, rating, checked = await asyncio.gather(
            analyzer.acall(conversation=conversation, summary=summary.text),
            rate(conversation, summary.text),
            check(conversation, summary.text),
        )
        overlap = rouge(summary.text, conversation.references) if conversation.references else {}
        return Score(
            conversation_id=conversation.id,
            channel=conversation.channel,
            system=summary.system,
            errors=analysis.errors,
            words=len(summary.text.split()),
            checker_flagged=checked.flagged,
            checker_score=checked.score,
            rating=rating,
            **overlap,
        )

    return score


class Checked(NamedTuple):
    """Whether the checker flags a sentence of a summary, and its highest score of one; None without a checker."""

    flagged: bool | None = None
    score: float | None = None


def prepare_checker(run: Run) -> Callable[[Conversation, str], Awaitable[Checked]]:
    """Load the checker, if there is one, and return the function that checks the sentences of a summary."""
    support = build_support(run)
    if isinstance(support, CheckerSupport):
        support.load()

    async def check(conversation: Conversation, text: str) -> Checked:
        if not isinstance(support, CheckerSupport):
            return Checked()
        calls = [support.acall(conversation=conversation, sentence=sentence) for sentence in split_sentences(text)]
        scores: list[SentenceScore] = [answer.score for answer in await asyncio.gather(*calls)]
        raised = [item.score for item in scores if item.score is not None]
        return Checked(any(item.flagged for item in scores), max(raised, default=None))

    return check


def prepare_comparisons(run: Run) -> Callable[[Pair], Awaitable[PairVerdict]]:
    """Build the judge, and return the function that compares one pair."""
    judge = ComparePair(retries=run.config.models.judge.parse_retries)
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
        "conversations.jsonl": digest_file(run.folder.conversations),
        "models.judge": digest_model(run.config.models.judge),
        "judge prompts": digest_prompts([RateSummary, CompareSummaries]),
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
    prepare=prepare_scores,
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
    prepare=prepare_comparisons,
    key=_pair_key,
    output=_comparisons,
    depends=_judged,
    models=_comparing,
)
