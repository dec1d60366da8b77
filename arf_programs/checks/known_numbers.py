"""The numbers of a conversation in each of their possible readings, with their turns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property, lru_cache
from typing import Final

from arf_programs.checks.finding import find_words
from arf_programs.checks.identifiers import find_codes
from arf_programs.checks.parsing.arithmetic import (
    find_counts_together,
    find_paid_over_time,
    find_products,
    find_rates,
    find_ratios,
    find_sums,
)
from arf_programs.checks.parsing.dates import find_moments
from arf_programs.checks.parsing.foreign_numbers import find_foreign_numbers
from arf_programs.checks.parsing.number_words import ReadOut, find_number_words, find_read_out
from arf_programs.checks.parsing.quantities import (
    Quantity,
    convert_to_days,
    find_indefinite_durations,
    find_quantities,
    read_number,
)
from arf_programs.checks.parsing.times import find_times
from arf_programs.checks.parsing.units import METRIC, TIME_UNITS, same_currency
from arf_programs.text import meets

_DIGITS: Final = re.compile(r"\d+(?:[.,']\d+)*")
_PARTS: Final = {"half": {0.5}, "quarter": {0.25}, "quarters": {0.75}, "third": {0.333333}, "thirds": {0.666667}}
_ROUNDING: Final = 1e-6
_ARTICLE_PERCENT: Final = re.compile(r"\b(?P<half>half )?an? (?:percent\b|per cent\b|%)", re.IGNORECASE)
_ARTICLE_AMOUNT: Final = re.compile(
    r"\b(?:a|one) (?:dollar|buck|pound|quid|euro)s?(?: and)? (?P<cents>[1-9]\d|[a-z]+(?:[ -][a-z]+)?)\b", re.IGNORECASE
)
_SHORT_YEAR: Final = re.compile(r"(?<!\w)['’](?P<year>\d\d)(?![\w'’])|(?<!\w)['’]?(?P<decade>\d0)['’]?s\b")
_DECADES: Final = ("fifties", "sixties", "seventies", "eighties", "nineties")
_FIFTIES: Final = 1950
_HOURS: Final = 60


class Numbers:
    """The numbers of a conversation in each of their possible readings, with their turns.

    `read_out` holds digits that are read out one by one, or in pairs.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.read_out: set[str] = set()
        self.by_value: dict[float, list[tuple[int, Quantity]]] = defaultdict(list)
        self.loose: set[float] = set()
        self.durations: set[float] = set()
        self.measures: set[tuple[str, float]] = set()
        self.together: set[float] = set()
        self.products: set[float] = set()
        self.rates: set[tuple[float, str]] = set()
        self.shares: set[float] = set()
        self.texts = texts
        self.turns: dict[str, set[int]] = defaultdict(set)
        for turn, text in enumerate(texts, start=1):
            self._read(turn, text)

    def _read(self, turn: int, text: str) -> None:
        taken = find_taken_spans(text)
        for quantity in find_quantities(text):
            self._add_duration(quantity.value, quantity.unit)
            self.measures |= _in_base_units(quantity)
            if not meets(quantity, taken):
                for value in _values(quantity):
                    self.by_value[value].append((turn, quantity))
                self.turns[quantity.kind].add(turn)
                self.loose |= set(quantity.parts)
        for match in _DIGITS.finditer(text):
            self.loose |= read_number(match.group())
            self.loose |= {float(part) for part in re.split("[.,']", match.group())}
        for spoken in find_read_out(text):
            self._add_read_out(turn, spoken)
        for value, unit in find_indefinite_durations(text):
            self._add_duration(value, unit)
            self.loose.add(value)
        for word in find_words(text):
            self.loose |= _PARTS.get(word, set())
            self._add_duration(1.0, TIME_UNITS.get(word, ""))
        for number in (*find_foreign_numbers(text), *_with_article(text)):
            self.by_value[number].append((turn, Quantity(number, "", "plain", 0, 0)))
        self.loose |= _years(text) | _hours(text)
        self.together |= find_counts_together(text)
        self.products |= find_products(text) | find_paid_over_time(text)
        self.rates |= set(find_rates(text).values())
        self.shares |= {100 * one / other for one, other in find_ratios(text)}

    def _add_read_out(self, turn: int, spoken: ReadOut) -> None:
        """Add what is read out. "Two fifty" is 250 or 2.50."""
        self.read_out.add(spoken.digits)
        readings = {float(spoken.digits)}
        if len(spoken.parts) == 2 and len(spoken.parts[1]) == 2:
            readings.add(float(".".join(spoken.parts)))
        for value in readings:
            self.by_value[value].append((turn, Quantity(value, "", "plain", spoken.start, spoken.end)))

    def _add_duration(self, value: float, unit: str) -> None:
        days = convert_to_days(value, unit)
        if days is not None:
            self.durations.add(days)

    def support(self, wanted: Quantity) -> bool:
        """Say whether the conversation has the number, in a unit that can be the same."""
        days = convert_to_days(wanted.value, wanted.unit)
        if days is not None and any(abs(days - duration) < _ROUNDING for duration in self.durations):
            return True
        if _in_base_units(wanted) & self.measures:
            return True
        for value in _values(wanted):
            if any(_compatible(wanted, quantity) for _, quantity in self.by_value.get(value, [])):
                return True
            if wanted.kind == "plain" and value in self.loose:
                return True
        if wanted.unit == "cent" and any(item.kind == "plain" for _, item in self.by_value.get(wanted.value, [])):
            return True
        return bool(wanted.parts) and wanted.kind == "plain" and all(part in self.loose for part in wanted.parts)

    def support_read_out(self, spoken: ReadOut) -> bool:
        """Say whether the conversation has the digits, in one piece or read out."""
        if any(spoken.digits in digits for digits in self.read_out) or float(spoken.digits) in self.loose:
            return True
        price = len(spoken.parts) == 2 and len(spoken.parts[1]) == 2 and float(".".join(spoken.parts)) in self.by_value
        return price or float(spoken.digits) in self.by_value

    def in_another_unit(self, wanted: Quantity) -> dict[int, str]:
        """Find the turns that have the number with another unit of the same kind, each with what stands there."""
        found = self.by_value.get(_values(wanted)[0], [])
        return {
            turn: self.texts[turn - 1][item.start : item.end].strip()
            for turn, item in found
            if item.kind == wanted.kind
        }

    @cached_property
    def sums(self) -> set[float]:
        """What amounts and bare numbers make together (see arithmetic.py)."""
        found = [(value, item) for value, places in self.by_value.items() for _, item in places]
        values = {value for value, item in found if item.kind in ("money", "plain")}
        quantities = [item for text in self.texts for item in find_quantities(text)]
        amounts = [
            _values(item)[0]
            for item in quantities
            if item.kind == "money" or (item.kind == "plain" and not item.spelled)
        ]
        percents = {item.value for _, item in found if item.kind == "percent"}
        return find_sums(values, amounts, percents)


@lru_cache(maxsize=64)
def read_numbers(texts: tuple[str, ...]) -> Numbers:
    """Read the numbers of a conversation. They are cached, since several summaries of it are checked."""
    return Numbers(texts)


def _with_article(text: str) -> Iterator[float]:
    """Find numbers that an article counts: "a percent", "half a percent", "a buck fifty"."""
    for match in _ARTICLE_PERCENT.finditer(text):
        yield 0.5 if match["half"] else 1.0
    for match in _ARTICLE_AMOUNT.finditer(text):
        cents = [float(match["cents"])] if match["cents"].isdecimal() else []
        cents = cents or [number.value for number in find_number_words(match["cents"]) if number.start == 0]
        yield from (1 + value / 100 for value in cents if value < 100)


def _years(text: str) -> set[float]:
    """Find years that are written short: "'24", "the 90s", "the nineties"."""
    years = {float(_FIFTIES + 10 * place) for place, word in enumerate(_DECADES) if word in text.lower()}
    for match in _SHORT_YEAR.finditer(text):
        years |= {century + float(match["year"] or match["decade"]) for century in (1900, 2000)}
    return years


def _hours(text: str) -> set[float]:
    """Find times of day as bare numbers: 2 pm is 14, and 7:15 is 7.15."""
    times = [divmod(minute, _HOURS) for time in find_times(text) for minute in time.minutes]
    return {hour + minute / 100 for hour, minute in times} | {float(hour) for hour, _ in times}


def find_taken_spans(text: str) -> list[tuple[int, int]]:
    """Find the spans that other checks read: dates, times and codes."""
    return [*find_moments(text), *((code.start, code.end) for code in find_codes(text))]


def _in_base_units(quantity: Quantity) -> set[tuple[str, float]]:
    """Return a measure in grams, metres, litres or bytes, so that "1500 g" equals "1.5 kg". Empty for other units."""
    if quantity.unit not in METRIC:
        return set()
    base, size = METRIC[quantity.unit]
    return {(base, round(value * size, 6)) for value in (quantity.value, *quantity.also)}


def _values(quantity: Quantity) -> list[float]:
    """Return the values that a quantity may have. Cents count as parts of the larger unit."""
    share = 0.01 if quantity.unit == "cent" else 1.0
    return [round(value * share, 6) for value in (quantity.value, *quantity.also)]


def _compatible(wanted: Quantity, other: Quantity) -> bool:
    """Say whether the units of two quantities of one value can be the same."""
    if "plain" in (wanted.kind, other.kind):
        return True
    if wanted.kind == other.kind == "money":
        return same_currency(wanted.unit, other.unit)
    return wanted.kind == other.kind and wanted.unit == other.unit
