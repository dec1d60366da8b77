"""Arithmetic of a conversation: the ratios that it names, and numbers that follow from its own.

Ratios and shares are pairs of numbers: "4 out of 5", "two thirds", "1 in 10", "3/4", "4 stars". Totals, differences,
products, discounts, and rates over time follow from other numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

from arf_programs.checks.parsing.number_words import find_number_words
from arf_programs.checks.parsing.quantities import Quantity, convert_to_days, find_indefinite_durations, find_quantities

_PARTS: Final = {
    **{"half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5},
    **{"sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9, "tenth": 10},
}
_SHARE: Final = re.compile(
    rf"\b(?:(?P<count>an?|\d|one|two|three|four|five|six|seven|eight|nine)[ -])?(?P<part>{'|'.join(_PARTS)})s?\b",
    re.IGNORECASE,
)
_RATIO: Final = re.compile(
    r"\b(?P<a>\d\d?|[a-z]+) (?:out of|of|in)(?: every| the| my| our)? (?P<b>\d\d?|[a-z]+)\b"
    r"|(?<![\w/.])(?P<a2>\d\d?)/(?P<b2>\d\d?)(?![\w/])",
    re.IGNORECASE,
)
_STARS: Final = re.compile(r"\b(?P<count>[1-5]|one|two|three|four|five)(?:[ -]stars?\b|\*)", re.IGNORECASE)
_MOST_STARS: Final = 5


def find_ratios(text: str) -> set[tuple[int, int]]:
    """Find the ratios in `text`. The first number is not larger than the second."""
    return {(one, other) for one, other in _read(text) if one <= other}


def _read(text: str) -> Iterator[tuple[int, int]]:
    for match in _SHARE.finditer(text):
        yield _number((match["count"] or "one").lower()), _PARTS[match["part"].lower()]
    for match in _STARS.finditer(text):
        yield _number(match["count"]), _MOST_STARS
    for match in _RATIO.finditer(text):
        one, other = (_number(match[name] or match[f"{name}2"]) for name in ("a", "b"))
        if one and other:
            yield one, other


def _number(word: str) -> int:
    """Return a number in digits or in one word; 0 if it is none."""
    if word.isdecimal():
        return int(word)
    if word in ("a", "an"):
        return 1
    found = find_number_words(word)
    return int(found[0].value) if len(found) == 1 and found[0].counts else 0


_EACH: Final = re.compile(r"\b(?:each|apiece|a piece|per|every)\b", re.IGNORECASE)
_EACH_BEHIND: Final = re.compile(r" ?(?:each|apiece|a piece|per)\b", re.IGNORECASE)
_PRICED_AT: Final = re.compile(r"(?:\b(?:at|of|times)|x|[×@*]) ?$", re.IGNORECASE)
_MULTIPLIED: Final = re.compile(r"\d ?(?:times|[x×*]) ?$", re.IGNORECASE)
_AND: Final = re.compile(r" ?(?:[^\W\d_]+ ){0,2}?(?:and|plus|&|\+)(?: also)? $|^ ?[^\W\d_]+, $", re.IGNORECASE)
_RATE: Final = re.compile(
    r" ?(?:/ ?|p(?:er|\.) ?|an? |each |every )(?P<unit>day|week|month|year|annum|a\b|wk|mo|mth|yr)\b"
    r"| (?P<every>daily|weekly|monthly|yearly|annually)\b| ?(?P<month>pcm)\b",
    re.IGNORECASE,
)
_UNITS: Final = {"d": "day", "w": "week", "m": "month", "y": "year", "a": "year", "p": "month"}
_IN_A_YEAR: Final = {"day": 365, "week": 52, "month": 12, "year": 1}
_MOST_COUNT: Final = 100
_CLOSE: Final = 0.005
_TWO: Final = 2.0
_DISCOUNTS: Final = ((0, 1), (1, 1), (1, -1))


def find_sums(values: Iterable[float], amounts: list[float], shares: Iterable[float]) -> set[float]:
    """Compute sums and differences of two values, the total of all amounts, and of three in a row.

    A value counts twice where the conversation has a two ("twice", "both").

    `amounts` are in their order. `shares` are percentages, which are added to each amount and taken from it.
    """
    known = set(values)
    found = {abs(a + sign * b) for a in known for b in known for sign in (1, -1) if a != b or _TWO in known}
    found |= {sum(amounts), sum(set(amounts))}
    found |= {a + b + c for (a, b), (_, c) in pairwise(pairwise(amounts))}
    found |= {
        amount * (base + sign * share / 100) for amount in amounts for share in shares for base, sign in _DISCOUNTS
    }
    return {round(value, 2) for value in found}


def find_products(text: str) -> set[float]:
    """Compute count times price within a turn that says so: "3 shirts at $10 each"."""
    quantities = find_quantities(text)
    counts = [item.value for item in quantities if _is_count(item)]
    prices = [item.value for item in quantities if counts and _is_price(item, text)]
    return {round(price * count, 2) for price in prices for count in counts}


def find_counts_together(text: str) -> set[float]:
    """Add up counts that "and" joins: "2 adults and 1 child"."""
    counts = [item for item in find_quantities(text) if item.kind == "plain" and item.value < _MOST_COUNT]
    return {one.value + two.value for one, two in pairwise(counts) if _AND.search(text[one.end : two.start])}


def find_rates(text: str) -> dict[int, tuple[float, str]]:
    """Find amounts with a unit of time, as `(amount, unit)` by the place where the amount ends: "$20/mo"."""
    rates = {}
    for item in find_quantities(text):
        match = _RATE.match(text, item.end) if item.kind in ("money", "plain") else None
        if match:
            word = (match["unit"] or match["every"] or match["month"]).lower()
            rates[item.end] = (item.value, _UNITS[word[0]])
    return rates


def is_same_rate(one: tuple[float, str], other: tuple[float, str]) -> bool:
    """Say whether two rates are one: 50 a month is 600 a year."""
    first, second = (value * _IN_A_YEAR[unit] for value, unit in (one, other))
    return abs(first - second) <= _CLOSE * max(first, second)


def find_paid_over_time(text: str) -> set[float]:
    """Compute what the rates of a turn make in its durations: 50 a month for a year is 600."""
    rates = set(find_rates(text).values())
    durations = [(item.value, item.unit) for item in find_quantities(text) if item.kind == "time"] if rates else []
    lengths = {convert_to_days(*duration) or 0.0 for duration in (*durations, *find_indefinite_durations(text))}
    return {round(value * days / (convert_to_days(1.0, unit) or 1.0), 2) for value, unit in rates for days in lengths}


def _is_price(item: Quantity, text: str) -> bool:
    if _EACH_BEHIND.match(text, item.end):
        return item.kind in ("money", "plain")
    if item.kind == "plain":
        return _MULTIPLIED.search(text[: item.start]) is not None
    return item.kind == "money" and bool(_PRICED_AT.search(text[: item.start]) or _EACH.search(text))


def _is_count(item: Quantity) -> bool:
    return item.kind == "plain" and item.counts and item.value in range(2, _MOST_COUNT)
