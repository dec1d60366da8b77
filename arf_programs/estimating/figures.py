"""What an estimate says: ranges by stage and model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from signatures.records import Record

Source = Literal["sample", "history", "done"]


class Range(Record):
    """A figure with its bounds: `low <= mid <= high`."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0

    def times(self, other: Range | float) -> Range:
        """The product, bound by bound; both are without a sign."""
        by = other if isinstance(other, Range) else Range(low=other, mid=other, high=other)
        return Range(low=self.low * by.low, mid=self.mid * by.mid, high=self.high * by.high)


def ordered(low: float, mid: float, high: float) -> Range:
    """A Range of three figures of which the outer ones are meant as bounds: they are moved out to `mid` at least."""
    return Range(low=max(0.0, min(low, mid)), mid=mid, high=max(high, mid))


def larger(a: Range, b: Range) -> Range:
    """The larger of two figures, bound by bound."""
    return Range(low=max(a.low, b.low), mid=max(a.mid, b.mid), high=max(a.high, b.high))


def total(ranges: Iterable[Range]) -> Range:
    """The sum, bound by bound: wider than that of independent figures, since stages are wrong together."""
    known = list(ranges)
    return Range(
        low=sum(item.low for item in known), mid=sum(item.mid for item in known), high=sum(item.high for item in known)
    )


class Line(Record):
    """What one stage asks of one model. `usd` and `seconds` are None where nobody knows price or time.

    `at_least` says that `seconds` are those of the allowed rates alone, as no run has said how long a call takes.

    `source` says on what calls and answers rest: the sample's rendered prompts alone, or what earlier runs booked;
    `done` is a stage that is whole, and free. `stored` is the share of the sample's calls that the run's store answers.
    """

    stage: str
    model: str
    source: Source
    calls: Range = Range()
    tokens_in: Range = Range()
    tokens_out: Range = Range()
    usd: Range | None = Range()
    seconds: Range | None = None
    at_least: bool = False
    stored: float = Field(default=0.0, ge=0, le=1)


class Estimate(Record):
    """All lines, their sums, and in `notes` what a reader should know of them.

    `total_usd` sums what has a price; `unpriced` names the models that have none. `at_least` is said of the time.
    """

    run_dir: str
    conversations: int
    sample: int
    lines: tuple[Line, ...]
    total_calls: Range
    total_tokens_in: Range
    total_tokens_out: Range
    total_usd: Range
    total_seconds: Range | None
    at_least: bool = False
    unpriced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def summed(run_dir: str, conversations: int, sample: int, lines: Sequence[Line], notes: Sequence[str]) -> Estimate:
    """The estimate with its totals. The time is None where it is not known of every stage that asks."""
    asking = [line for line in lines if line.calls.high]
    timed = [line.seconds for line in asking if line.seconds is not None]
    return Estimate(
        run_dir=run_dir,
        conversations=conversations,
        sample=sample,
        lines=tuple(lines),
        total_calls=total(line.calls for line in lines),
        total_tokens_in=total(line.tokens_in for line in lines),
        total_tokens_out=total(line.tokens_out for line in lines),
        total_usd=total(line.usd for line in lines if line.usd is not None),
        total_seconds=total(timed) if asking and len(timed) == len(asking) else None,
        at_least=any(line.at_least for line in asking),
        unpriced=tuple(dict.fromkeys(line.model for line in lines if line.usd is None)),
        notes=tuple(notes),
    )
