"""The figures of an estimate: ranges by stage and model, and tokens and prices by LiteLLM's tables. Nothing is sent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from pydantic import Field

from arf_programs.config import ModelConfig
from arf_programs.models import SCRIPTED, import_litellm, is_local, listed_model, listed_price
from signatures.records import Record

Source = Literal["sample", "history", "done"]


class Range(Record):
    """A figure with its bounds: `low <= mid <= high`."""

    low: float = 0.0
    mid: float = 0.0
    high: float = 0.0

    def times(self, other: Range | float) -> Range:
        """The product, bound by bound. Neither factor is negative."""
        by = other if isinstance(other, Range) else Range(low=other, mid=other, high=other)
        return Range(low=self.low * by.low, mid=self.mid * by.mid, high=self.high * by.high)


def ordered(low: float, mid: float, high: float) -> Range:
    """A Range around `mid`. Bounds that lie on the wrong side of it are moved to it."""
    return Range(low=max(0.0, min(low, mid)), mid=mid, high=max(high, mid))


def around(value: float, margin: float) -> Range:
    """A Range from `value * (1 - margin)` to `value * (1 + margin)`."""
    return ordered(value * (1 - margin), value, value * (1 + margin))


def larger(a: Range, b: Range) -> Range:
    """The larger of two figures, bound by bound."""
    return Range(low=max(a.low, b.low), mid=max(a.mid, b.mid), high=max(a.high, b.high))


def total(ranges: Iterable[Range]) -> Range:
    """The sum, bound by bound. It assumes that the estimates of all stages err in the same direction."""
    items = list(ranges)
    return Range(
        low=sum(item.low for item in items), mid=sum(item.mid for item in items), high=sum(item.high for item in items)
    )


class Line(Record):
    """What one stage asks of one model.

    Attributes:
        source: `sample` if calls and answers are estimated from rendered prompts alone, `history` if the ledgers of
            earlier runs were used, `done` for a stage that is whole and costs nothing.
        usd: None if the price is not known.
        seconds: None if the time is not known.
        at_least: whether `seconds` follow from the allowed rates alone, since no run has timed a call.
        stored: the share of the sample's calls that the run's store answers.
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
    """All lines, their sums, and `notes` on how far to trust them.

    `total_usd` leaves out the models without a price, which `unpriced` names. `at_least` is about the time.
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
    """The estimate with its totals. The time is None if that of some stage is not known."""
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


_PER_MILLION: Final = 1e-6
# Characters a token: 4 is OpenAI's rule of thumb for English; numbers and JSON have fewer, plain prose has more.
_CHARACTERS: Final = (5, 4, 3)


def count_tokens(model: str, texts: Sequence[str]) -> Range:
    """Count tokens by LiteLLM's tokenizer if its table has the model, else as 5, 4 and 3 characters a token.

    Scripted models count words.
    """
    if model.startswith(SCRIPTED):
        return _exactly(sum(len(text.split()) for text in texts))
    if not is_local(model) and listed_model(model) is not None:
        litellm: Any = import_litellm()
        litellm.disable_hf_tokenizer_download = True  # no request, whatever the model
        messages = [{"role": "user", "content": text} for text in texts]
        return _exactly(litellm.token_counter(model=model, messages=messages))
    characters = sum(map(len, texts))
    low, mid, high = (math.ceil(characters / size) for size in _CHARACTERS)
    return Range(low=low, mid=mid, high=high)


def price_of(config: ModelConfig) -> tuple[float, float] | None:
    """US dollars a token of prompt and of answer: as configured, else by LiteLLM's table; None if neither has it.

    Models in this process are free. Discounts for prompts that the provider has cached are left out.
    """
    if config.input_price is not None and config.output_price is not None:
        return config.input_price * _PER_MILLION, config.output_price * _PER_MILLION
    return (0.0, 0.0) if is_local(config.model) else listed_price(config.model)


def reasons(model: str) -> bool:
    """Whether a model thinks before it answers, by LiteLLM's table. It may then use all of max_tokens."""
    return not is_local(model) and bool((listed_model(model) or {}).get("supports_reasoning"))


def _exactly(count: int) -> Range:
    return Range(low=count, mid=count, high=count)
