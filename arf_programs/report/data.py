"""What a report is made of: the figures of summary.json, and a sample of the records behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.metrics.aggregate import Figures
from arf_programs.metrics.bootstrap import Interval
from arf_programs.metrics.causal import CausalRow
from arf_programs.metrics.comparisons import Comparison
from arf_programs.metrics.win_rate import WinRate
from arf_programs.probing.tables import Table
from signatures.records import Conversation, Failure, Record, Revision, Taxonomy, Verdict

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
