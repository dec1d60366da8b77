"""The figures of `probe.json`."""

from __future__ import annotations

from pydantic import Field

from arf_programs.metrics.bootstrap import Interval
from signatures.records import Record

Intervals = dict[str, Interval]


class Recall(Record):
    """Planted errors of one sort: the share found under the right category, and at the place under any category.

    `recall` and `located` are from 0 to 1, `intervals` those of the figures of the same name.
    """

    planted: int = 0
    recall: float | None = None
    located: float | None = None
    intervals: Intervals = Field(default_factory=dict)


class Detected(Recall):
    """Planted errors against all that was reported (`found`), on planted and clean summaries alike."""

    found: int = 0
    precision: float | None = None
    f1: float | None = None


class Overall(Detected):
    """All categories. `precision_located` is the share of reports that are a planted error by place alone.

    `false_alarm_rate` is the share of the `clean` summaries in which something is reported, `balanced_accuracy` the
    mean of the shares of planted and of clean summaries that are told apart rightly.
    """

    precision_located: float | None = None
    clean: int = 0
    false_alarm_rate: float | None = None
    balanced_accuracy: float | None = None


class Cost(Record):
    """What one summary costs on average; `failed` is the number of summaries without a usable answer."""

    summaries: int = 0
    failed: int = 0
    calls_per_summary: float = 0.0
    tokens_per_summary: float = 0.0


class AnalyzeProbe(Record):
    """What the analyser finds. `outside` pools numbers, amounts, dates and names from outside the conversation."""

    overall: Overall
    by_category: dict[str, Detected] = Field(default_factory=dict)
    by_kind: dict[str, Recall] = Field(default_factory=dict)
    by_origin: dict[str, Recall] = Field(default_factory=dict)
    outside: Recall = Recall()
    cost: Cost = Cost()


class ReviseProbe(Record):
    """What the reviser mends.

    `fix_rate`: share of planted errors whose place reads again as the right summary does; `untouched_rate`: share of
    the tokens outside the planted places that still stand; `whole_rate`: share of summaries in which all of them do
    and nothing was added; `score`: mean of `arf_programs.metrics.repair.repair`.
    """

    planted: int = 0
    fix_rate: float | None = None
    untouched_rate: float | None = None
    whole_rate: float | None = None
    score: float | None = None
    by_kind: dict[str, float] = Field(default_factory=dict)
    by_category: dict[str, float] = Field(default_factory=dict)
    intervals: Intervals = Field(default_factory=dict)
    cost: Cost = Cost()


class Probe(Record):
    """A whole probe. `revise` is given the planted errors, `end_to_end` those that the analyser found.

    Both are None where only the checks were measured. `clean_untouched_rate` is the share of clean summaries that the
    reviser, end to end, leaves as they are.
    """

    name: str
    checks_only: bool
    analyst: str = ""
    editor: str = ""
    items: int
    clean: int
    confidence: float
    analyze: AnalyzeProbe
    revise: ReviseProbe | None = None
    end_to_end: ReviseProbe | None = None
    clean_untouched_rate: float | None = None
