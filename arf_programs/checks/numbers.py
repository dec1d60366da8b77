"""The check of numbers (amounts, percentages, durations, counts), and the check of rates."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Final

from arf_programs.checks.dates import find_moments
from arf_programs.checks.finding import Finding, Material, find_words
from arf_programs.checks.identifiers import find_codes
from arf_programs.checks.quantities import (
    TIME_UNITS,
    Quantity,
    convert_to_days,
    find_indefinite_durations,
    find_quantities,
    read_number,
)
from arf_programs.text import word_set

_KINDS: Final = {"money": "amount", "percent": "percentage", "time": "duration", "plain": "number"}
_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")
_ADDED_UP: Final = re.compile(
    r"\b(?:total|totalling|totaling|altogether|in all|sum|combined|together|remaining|rest|difference|left|less|"
    r"balance|overall|both|extra|more|cheaper|saving|saved|instead of)\b",
    re.IGNORECASE,
)
_RATE: Final = re.compile(
    r"(?:\bper |(?<=\d)/| an? )(?P<unit>day|week|month|year)\b|\b(?P<every>weekly|monthly|yearly|annually)\b",
    re.IGNORECASE,
)
_RATE_WORDS: Final = {
    "day": word_set("day days daily hours tomorrow"),
    "week": word_set("week weeks weekly wk wks"),
    "month": word_set("month months monthly mo mth mths"),
    "year": word_set("year years yearly annual annually annum yr yrs"),
}
_SMALL: Final = 3
_LONG: Final = 4
_ROUNDING: Final = 1e-6
_HALF_WORDS: Final = word_set("half halves halved halfway")
_WHOLE_WORDS: Final = word_set("full fully whole entire all free complete completely totally")


class Numbers:
    """The numbers of a conversation in each of their possible readings, with their turns."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.by_value: dict[float, list[tuple[int, Quantity]]] = defaultdict(list)
        self.loose: set[float] = set()
        self.durations: set[float] = set()
        self.turns: dict[str, set[int]] = defaultdict(set)
        for turn, text in enumerate(texts, start=1):
            self._read(turn, text)

    def _read(self, turn: int, text: str) -> None:
        taken = find_taken_spans(text)
        for quantity in find_quantities(text):
            self._add_duration(quantity.value, quantity.unit)
            if not _inside(quantity, taken):
                for value in (quantity.value, *quantity.also):
                    self.by_value[value].append((turn, quantity))
                self.turns[quantity.kind].add(turn)
        for match in _DIGITS.finditer(text):
            self.loose |= read_number(match.group())
            self.loose |= {float(part) for part in re.split("[.,]", match.group())}
        for value, unit in find_indefinite_durations(text):
            self._add_duration(value, unit)
        for word in find_words(text):
            self._add_duration(1.0, TIME_UNITS.get(word, ""))

    def _add_duration(self, value: float, unit: str) -> None:
        days = convert_to_days(value, unit)
        if days is not None:
            self.durations.add(days)

    def support(self, wanted: Quantity) -> bool:
        """Say whether the conversation has the number, in a unit that can be the same."""
        days = convert_to_days(wanted.value, wanted.unit)
        if days is not None and any(abs(days - duration) < _ROUNDING for duration in self.durations):
            return True
        for value in (wanted.value, *wanted.also):
            if any(_compatible(wanted, quantity) for _, quantity in self.by_value.get(value, [])):
                return True
            if wanted.kind == "plain" and value in self.loose:
                return True
        return False

    def in_another_unit(self, wanted: Quantity) -> set[int]:
        """Find the turns that have the number with another unit of the same kind."""
        return {turn for turn, quantity in self.by_value.get(wanted.value, []) if quantity.kind == wanted.kind}

    def sums(self) -> set[float]:
        """Compute all sums and differences of two amounts or bare numbers, doubles included."""
        values = {
            value
            for value, places in self.by_value.items()
            if any(item.kind in ("money", "plain") for _, item in places)
        }
        return {round(abs(a + sign * b), 2) for a in values for b in values for sign in (1, -1)}


@lru_cache(maxsize=64)
def read_numbers(texts: tuple[str, ...]) -> Numbers:
    """Read the numbers of a conversation. They are cached, since several summaries of it are checked."""
    return Numbers(texts)


def check_numbers(material: Material) -> list[Finding]:
    """Report numbers of the summary that the conversation does not contain, or has only in another unit.

    These are equal: "two" and "2"; "$45", "45 dollars" and "45.00"; "1,200" and "1200"; "24 hours" and "a day". Small
    counts in words ("two options") are accepted, since the writer may have counted. Numbers inside dates, times and
    codes are left to other checks. A sum or difference of two of the conversation's amounts is accepted if the sentence
    says that it is one.
    """
    numbers = read_numbers(material.texts)
    taken = find_taken_spans(material.summary)
    findings = []
    for quantity in find_quantities(material.summary):
        if _inside(quantity, taken) or _generic(quantity) or numbers.support(quantity):
            continue
        if not (_derived(quantity, numbers, material) or _dictated(quantity, material)):
            findings.append(_finding(quantity, numbers, material))
    return findings


def check_rates(material: Material) -> list[Finding]:
    """Report rates ("per year", "monthly", "$9 a week") whose unit of time the conversation never mentions."""
    ends = {item.end for item in find_quantities(material.summary) if item.kind == "money"}
    findings = []
    for match in _RATE.finditer(material.summary):
        every = (match["every"] or "").lower()
        unit = "year" if every == "annually" else match["unit"].lower() if match["unit"] else every.removesuffix("ly")
        follows_article = match.group().lower().startswith(" a")
        if (follows_article and match.start() not in ends) or material.known_words & _RATE_WORDS[unit]:
            continue
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        reason = f'The conversation does not speak of a rate "{match.group().strip()}".'
        findings.append(Finding("wrong_fact", start, match.end(), reason))
    return findings


def find_taken_spans(text: str) -> list[tuple[int, int]]:
    """Find the spans that other checks read: dates, times and codes."""
    return [*find_moments(text), *((code.start, code.end) for code in find_codes(text))]


def _inside(quantity: Quantity, spans: list[tuple[int, int]]) -> bool:
    return any(start < quantity.end and quantity.start < end for start, end in spans)


def _compatible(wanted: Quantity, other: Quantity) -> bool:
    """Say whether the units of two quantities of one value can be the same."""
    if "plain" in (wanted.kind, other.kind):
        return True
    return wanted.kind == other.kind and wanted.unit == other.unit


def _generic(quantity: Quantity) -> bool:
    """Say whether a writer may use the number without reading it: "one", "two options", "first", "both"."""
    if not quantity.counts or quantity.value == 0:
        return True
    return quantity.spelled and quantity.kind == "plain" and quantity.value <= _SMALL


def _derived(quantity: Quantity, numbers: Numbers, material: Material) -> bool:
    """Say whether the number follows from the conversation: "50 %" from "half", or a total."""
    words = material.known_words
    if quantity.kind == "percent" and quantity.value in (50.0, 100.0):
        return bool(words & (_HALF_WORDS if quantity.value == 50.0 else _WHOLE_WORDS))
    if quantity.kind == "time" or not _ADDED_UP.search(material.sentence_at(quantity.start)):
        return False
    return quantity.kind != "percent" and round(quantity.value, 2) in numbers.sums()


def _dictated(quantity: Quantity, material: Material) -> bool:
    """Say whether a turn has the number digit by digit, or in groups: "4 4 8 12" for 44812."""
    digits = material.summary[quantity.start : quantity.end]
    if len(digits) < _LONG or not digits.isdecimal():
        return False
    spaced = re.compile(r"(?<!\d)" + r"[ .-]?".join(digits) + r"(?!\d)")
    return any(spaced.search(text) for text in material.texts)


def _finding(quantity: Quantity, numbers: Numbers, material: Material) -> Finding:
    quote = material.written(quantity.start, quantity.end)
    other = numbers.in_another_unit(quantity)
    evidence = material.nearest_turns(other or numbers.turns[quantity.kind], quantity.start)
    reason = f'The conversation does not contain the {_KINDS[quantity.kind]} "{quote}".'
    if other:
        reason = f'The conversation has the number of "{quote}" in another unit.'
    return Finding("wrong_fact" if evidence else "fabricated", quantity.start, quantity.end, reason, "major", evidence)
