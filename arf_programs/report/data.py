"""What a report is made of: the figures of summary.json, and a sample of the records behind them.

The figures of the evaluation, from scores and revisions. Pure functions.

What a verified revision cost: the calls of analysis and revision, divided by what stood up to verification.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.metrics import (
    CausalRow,
    Comparison,
    Figures,
    Interval,
    Resampling,
    WinRate,
    by_channel,
    by_stratum,
    causal_table,
    compare_systems,
    length_bands,
    system_metrics,
)
from arf_programs.report.probe import Table
from arf_programs.runs import Call, Spent
from signatures.records import Conversation, Failure, Record, Revision, Score, Taxonomy, Verdict

SAMPLE = 60
_SHARES = {Verdict.VERIFIED: 0.6, Verdict.REJECTED: 0.25, Verdict.UNCHANGED: 0.15}


class _Figures(BaseModel):
    """Figures that a run may lack (it is not finished, or a stage was left out) stand at their defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CorpusFigures(_Figures):
    """Numbers of conversations; `failed` could not be read."""

    conversations: int = 0
    train: int = 0
    holdout: int = 0
    failed: int = 0


class AnalyzeFigures(_Figures):
    """Numbers of drafts, of those with an error, and of errors, also by category id."""

    drafts: int = 0
    with_errors: int = 0
    errors: int = 0
    by_category: dict[str, int] = Field(default_factory=dict)


class ReviseFigures(_Figures):
    """Numbers of revisions by verdict."""

    unchanged: int = 0
    verified: int = 0
    rejected: int = 0
    failed: int = 0


class ArmFigures(_Figures):
    """One fine-tuning: `tokens` trained on, `loss_*` in nats per token, `seconds` of wall clock."""

    examples: int = 0
    steps: int = 0
    tokens: int = 0
    loss_first: float | None = None
    loss_last: float | None = None
    seconds: float = 0.0


class EvaluateFigures(_Figures):
    """{system: {metric: interval}}, the paired comparisons, the causal table, the judge's choices between two
    summaries, and means by channel and length band.
    """

    systems: dict[str, dict[str, Interval]] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    causal: tuple[CausalRow, ...] = ()
    win_rates: tuple[WinRate, ...] = ()
    by_channel: Figures = Field(default_factory=dict)
    by_length: Figures = Field(default_factory=dict)


class SpendFigures(_Figures):
    """Calls that models answered, those answered from the store, tries that failed; tokens, US dollars, and seconds by
    stage.
    """

    calls: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)


class CostFigures(_Figures):
    """Calls, tokens and US dollars of the analysis and of a strategy's revisions, and the same for each verified
    revision, if there is one.

    What was answered from the store counts nothing. Tokens are those of prompts and answers.
    """

    revisions: int = 0
    verified: int = 0
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    calls_per_verified: float | None = None
    tokens_per_verified: float | None = None
    usd_per_verified: float | None = None


class RunSummary(_Figures):
    """summary.json as the report reads it; `notes` is what a reader should know before trusting the figures."""

    name: str = ""
    arf_version: str = ""
    finished: bool = True
    notes: tuple[str, ...] = ()
    corpus: CorpusFigures = CorpusFigures()
    analyze: AnalyzeFigures = AnalyzeFigures()
    revise: ReviseFigures = ReviseFigures()
    train: dict[str, ArmFigures] = Field(default_factory=dict)
    evaluate: EvaluateFigures = EvaluateFigures()
    spend: SpendFigures = SpendFigures()
    costs: dict[str, CostFigures] = Field(default_factory=dict, description="by strategy of revision")

    def compared(self) -> tuple[Comparison, ...]:
        """The comparisons; one that does not say over how many conversations it is stands for the whole holdout."""
        return tuple(c.model_copy(update={"n": c.n or self.corpus.holdout}) for c in self.evaluate.comparisons)


class RevisionCase(Record):
    """One entry of the revision browser; the draft is the revision's `before`."""

    conversation: Conversation
    revision: Revision


class ReportData(Record):
    """Everything that `render_report` shows.

    `errors_by_category` comes from `arf_programs.metrics.aggregate`; `losses` holds (step, loss) pairs
    by arm, `config_yaml` the resolved config.yaml, `prompts` instructions by the name of what they ask for, `probe` the
    tables of `arf probe`.
    """

    name: str
    summary: RunSummary
    confidence: float = Field(default=0.95, gt=0, lt=1)
    errors_by_category: dict[str, dict[str, float]] = Field(default_factory=dict)
    losses: dict[str, tuple[tuple[int, float], ...]] = Field(default_factory=dict)
    revisions: tuple[RevisionCase, ...] = ()
    revisions_total: int = Field(default=0, ge=0, description="how many revisions the sample was drawn from")
    failures: tuple[Failure, ...] = ()
    taxonomy: Taxonomy | None = None
    config_yaml: str = ""
    prompts: dict[str, str] = Field(default_factory=dict)
    probe: tuple[Table, ...] = ()


def sample_revisions(
    revisions: Iterable[Revision], conversations: Mapping[str, Conversation], *, limit: int = SAMPLE
) -> tuple[RevisionCase, ...]:
    """At most `limit` revisions for the browser: the verified first, then the rejected, then the unchanged.

    Each verdict gets a share of the places (60, 25 and 15 %), so that many verified ones do not hide the rejected; what
    one verdict leaves free goes to the others in that order. A revision whose conversation is unknown is passed over.
    """
    groups: dict[Verdict, list[RevisionCase]] = {verdict: [] for verdict in _SHARES}
    for revision in revisions:
        group = groups[revision.verdict]
        if len(group) < limit and (conversation := conversations.get(revision.conversation_id)) is not None:
            group.append(RevisionCase(conversation=conversation, revision=revision))
    places = {verdict: min(len(groups[verdict]), int(limit * share)) for verdict, share in _SHARES.items()}
    for verdict, group in groups.items():
        places[verdict] += min(len(group) - places[verdict], limit - sum(places.values()))
    return tuple(case for verdict, group in groups.items() for case in group[: places[verdict]])


def evaluation_figures(
    *,
    scores: Sequence[Score],
    revisions: Iterable[Revision],
    holdout: Mapping[str, Conversation],
    resampling: Resampling,
    choices: Sequence[WinRate] = (),
) -> EvaluateFigures:
    """All figures of summary.json's `evaluate`; `holdout` are the conversations that were scored, by id, `choices` the
    judge's win rates.
    """
    bands = length_bands(holdout)
    return EvaluateFigures(
        systems=system_metrics(scores, resampling),
        comparisons=tuple(compare_systems(scores, resampling=resampling)),
        causal=tuple(causal_table(revisions, scores, resampling)),
        win_rates=tuple(choices),
        by_channel=by_channel(scores),
        by_length=by_stratum([score for score in scores if score.conversation_id in bands], bands),
    )


ANALYSIS: Final = "analyze"
REVISION: Final = "revise"


def revision_costs(calls: Iterable[Call], revisions: Iterable[Revision], main: str) -> dict[str, CostFigures]:
    """{strategy: its cost}, of all calls that were paid for; empty where nothing was revised.

    A revision's calls are booked to its strategy, those that are not to `main`. The analysis is counted for each: every
    strategy is verified by the errors that it finds, and would need it alone. Both iterables are read once.
    """
    made, verified = Counter[str](), Counter[str]()
    for revision in revisions:
        made[revision.strategy] += 1
        verified[revision.strategy] += revision.verdict is Verdict.VERIFIED
    analysis, spent = Spent(), defaultdict[str, Spent](Spent)
    for call in calls:
        if call.paid and call.stage == ANALYSIS:
            analysis.add(call)
        elif call.paid and call.stage == REVISION:
            spent[call.strategy or main].add(call)
    return {name: _figures(made[name], verified[name], analysis, spent[name]) for name in sorted(made)}


def _figures(made: int, verified: int, analysis: Spent, revision: Spent) -> CostFigures:
    """Both together and, where there is a verified revision, what one came to."""
    calls = analysis.calls + revision.calls
    prompt = analysis.prompt_tokens + revision.prompt_tokens
    completion = analysis.completion_tokens + revision.completion_tokens
    usd = round(analysis.usd + revision.usd, 6)
    return CostFigures(
        revisions=made,
        verified=verified,
        calls=calls,
        prompt_tokens=prompt,
        completion_tokens=completion,
        usd=usd,
        calls_per_verified=round(calls / verified, 3) if verified else None,
        tokens_per_verified=round((prompt + completion) / verified, 1) if verified else None,
        usd_per_verified=round(usd / verified, 6) if verified else None,
    )
