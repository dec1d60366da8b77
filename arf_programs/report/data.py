"""The records that a report is made of: the figures of summary.json, and what the page shows beside them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.metrics import CausalRow, Comparison, FallbackCurve, Figures, Interval, WinRate
from arf_programs.report.probe import Table
from arf_programs.review import ReviewFigures
from signatures.records import Conversation, ErrorNote, Failure, Record, Revision, Taxonomy


class _Figures(BaseModel):
    """Figures of a run. They have defaults, since a run may be unfinished or leave a stage out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class CorpusFigures(_Figures):
    """Numbers of conversations; `failed` ones could not be read or have no draft."""

    conversations: int = 0
    train: int = 0
    holdout: int = 0
    dev: int = Field(default=0, exclude_if=lambda count: not count)
    failed: int = 0


class AnalyzeFigures(_Figures):
    """Numbers of drafts, of those with an error, and of errors, also by category id."""

    drafts: int = 0
    with_errors: int = 0
    errors: int = 0
    by_category: dict[str, int] = Field(default_factory=dict)


class ReviseFigures(_Figures):
    """Numbers of revisions by verdict. With `checks_alone` no model has looked at them."""

    checks_alone: bool = False
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


class CheckedFigures(_Figures):
    """The share of summaries with an error by the checker, corrected for its error rates, by system.

    `source` says on what the rates were measured. `why` says why nothing is corrected; it is empty otherwise.
    """

    source: str = ""
    sensitivity: Interval | None = None
    specificity: Interval | None = None
    corrected: dict[str, Interval] = Field(default_factory=dict)
    why: str = ""


class EvaluateFigures(_Figures):
    """Figures of the systems: `systems` is {system: {metric: interval}}, `win_rates` the judge's choices in pairs,
    `fallback` what each student gains by asking its teacher when in doubt.

    With `checks_alone` neither analyst nor judge looked at the summaries.
    """

    checks_alone: bool = False
    systems: dict[str, dict[str, Interval]] = Field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    causal: tuple[CausalRow, ...] = ()
    win_rates: tuple[WinRate, ...] = ()
    by_channel: Figures = Field(default_factory=dict)
    by_length: Figures = Field(default_factory=dict)
    fallback: tuple[FallbackCurve, ...] = ()
    checked: CheckedFigures | None = None


class SpendFigures(_Figures):
    """Numbers of calls: answered by models, answered from the store (`cached`), `failed`. `seconds` is by stage."""

    calls: int = 0
    cached: int = 0
    failed: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    seconds: dict[str, float] = Field(default_factory=dict)


class CostFigures(_Figures):
    """Cost of the analysis and of a strategy's revisions, in all and for each verified revision.

    Answers from the store cost nothing. `tokens_per_verified` counts prompts and answers.
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
    """The content of summary.json; `notes` are what a reader should know before trusting the figures."""

    name: str = ""
    arf_version: str = ""
    finished: bool = True
    notes: tuple[str, ...] = ()
    corpus: CorpusFigures = CorpusFigures()
    analyze: AnalyzeFigures = AnalyzeFigures()
    revise: ReviseFigures = ReviseFigures()
    train: dict[str, ArmFigures] = Field(default_factory=dict)
    evaluate: EvaluateFigures = EvaluateFigures()
    review: ReviewFigures | None = None
    spend: SpendFigures = SpendFigures()
    costs: dict[str, CostFigures] = Field(default_factory=dict, description="by strategy of revision")

    def compared(self) -> tuple[Comparison, ...]:
        """The comparisons. If one has no number of conversations, it is over the whole holdout."""
        return tuple(c.model_copy(update={"n": c.n or self.corpus.holdout}) for c in self.evaluate.comparisons)


class RevisionCase(Record):
    """One entry of the revision browser; the draft is the revision's `before`."""

    conversation: Conversation
    revision: Revision


class HoldoutCase(Record):
    """A holdout conversation with the summaries of all systems, and the errors found in each, by system."""

    conversation: Conversation
    summaries: dict[str, str]
    errors: dict[str, tuple[ErrorNote, ...]] = Field(default_factory=dict)
    ratings: dict[str, int] = Field(default_factory=dict)


class ReportData(Record):
    """Everything that `render_report` shows.

    `errors_by_category` is {system: {category: errors per summary}}, `losses` has (step, loss) pairs by arm, `prompts`
    has instructions by the name of what they ask for, `probe` has the tables of `arf probe`. `review_command` opens the
    revisions for a review.
    """

    name: str
    summary: RunSummary
    confidence: float = Field(default=0.95, gt=0, lt=1)
    errors_by_category: dict[str, dict[str, float]] = Field(default_factory=dict)
    losses: dict[str, tuple[tuple[int, float], ...]] = Field(default_factory=dict)
    revisions: tuple[RevisionCase, ...] = ()
    revisions_total: int = Field(default=0, ge=0, description="how many revisions the sample was drawn from")
    holdout: tuple[HoldoutCase, ...] = ()
    holdout_total: int = Field(default=0, ge=0, description="how many conversations the sample was taken from")
    failures: tuple[Failure, ...] = ()
    taxonomy: Taxonomy | None = None
    config_yaml: str = ""
    prompts: dict[str, str] = Field(default_factory=dict)
    probe: tuple[Table, ...] = ()
    review_command: str = ""


def without_texts(data: ReportData) -> ReportData:
    """Return the data of a page that can be shared.

    Left out are conversations, summaries, edits, reasons of failures, definitions and examples of categories,
    instructions, tables of the probe, and the configuration. Their numbers stay.
    """
    taxonomy = data.taxonomy
    if taxonomy is not None:
        kept = tuple(category.model_copy(update={"example": "", "definition": ""}) for category in taxonomy.categories)
        taxonomy = taxonomy.model_copy(update={"categories": kept})
    failures = tuple(
        failure.model_copy(update={"conversation_id": str(number), "reason": "not shown"})
        for number, failure in enumerate(data.failures, start=1)
    )
    left_out = {
        "revisions": (),
        "revisions_total": 0,
        "holdout": (),
        "holdout_total": 0,
        "probe": (),
        "prompts": {},
        "config_yaml": "",
        "review_command": "",
    }
    return data.model_copy(update={**left_out, "taxonomy": taxonomy, "failures": failures})
