"""The check of numbers (amounts, percentages, durations, counts), and the check of rates."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache
from typing import Final

from arf_programs.checks.dates import find_moments
from arf_programs.checks.finding import Finding, Material, find_words
from arf_programs.checks.foreign_numbers import find_foreign_numbers
from arf_programs.checks.identifiers import find_codes
from arf_programs.checks.number_words import ReadOut, find_read_out
from arf_programs.checks.quantities import (
    Quantity,
    convert_to_days,
    find_indefinite_durations,
    find_quantities,
    read_number,
)
from arf_programs.checks.units import TIME_UNITS, same_currency
from arf_programs.text import word_set

_KINDS: Final = {"money": "amount", "percent": "percentage", "time": "duration", "plain": "number"}
_DIGITS: Final = re.compile(r"\d+(?:[.,']\d+)*")
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
_FEW_PARTS: Final = 2
_ROUNDING: Final = 1e-6
_HALF_WORDS: Final = word_set("half halves halved halfway")
_WHOLE_WORDS: Final = word_set("full fully whole entire all free complete completely totally")
_PARTS: Final = {"half": {0.5}, "quarter": {0.25}, "quarters": {0.75}, "third": {0.333333}, "thirds": {0.666667}}
_SHARES: Final = {
    **{25.0: word_set("quarter"), 50.0: _HALF_WORDS, 75.0: word_set("quarters"), 100.0: _WHOLE_WORDS},
    **{33.0: word_set("third"), 20.0: word_set("fifth"), 10.0: word_set("tenth")},
}


class Numbers:
    """The numbers of a conversation in each of their possible readings, with their turns.

    `read_out` holds digits that are read out one by one, or in pairs.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.read_out: set[str] = set()
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
        for word in find_words(text):
            self.loose |= _PARTS.get(word, set())
            self._add_duration(1.0, TIME_UNITS.get(word, ""))
        for number in find_foreign_numbers(text):
            self.by_value[number].append((turn, Quantity(number, "", "plain", 0, 0)))

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

    def in_another_unit(self, wanted: Quantity) -> set[int]:
        """Find the turns that have the number with another unit of the same kind."""
        return {turn for turn, quantity in self.by_value.get(_values(wanted)[0], []) if quantity.kind == wanted.kind}

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

    These are equal: "two" and "2"; "$45", "45 USD" and "45.00 dollars"; "1,200", "1'200", "1.2k" and "1200"; "1,00,000"
    and "1 lakh"; "24 hours" and "a day"; "double four seven one" and "4471". Small counts in words ("two options") are
    accepted, since the writer may have counted. Numbers inside dates, times and codes are left to other checks. A sum
    or difference of two of the conversation's amounts is accepted if the sentence says that it is one.
    """
    numbers = read_numbers(material.texts)
    taken = find_taken_spans(material.summary)
    findings = []
    for spoken in _long_read_out(material.summary, taken):
        taken.append((spoken.start, spoken.end))
        if not numbers.support_read_out(spoken):
            bare = Quantity(float(spoken.digits), "", "plain", spoken.start, spoken.end)
            findings.append(_finding(bare, numbers, material))
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


def _long_read_out(text: str, taken: list[tuple[int, int]]) -> list[ReadOut]:
    """Find read-out digits that are certainly one number: three parts or more, with no comma between them."""
    return [
        spoken
        for spoken in find_read_out(text)
        if spoken.joined
        and len(spoken.parts) > _FEW_PARTS
        and not any(start < spoken.end and spoken.start < end for start, end in taken)
    ]


def _values(quantity: Quantity) -> list[float]:
    """Return the values that a quantity may have. Cents count as parts of the larger unit."""
    share = 0.01 if quantity.unit == "cent" else 1.0
    return [round(value * share, 6) for value in (quantity.value, *quantity.also)]


def _inside(quantity: Quantity, spans: list[tuple[int, int]]) -> bool:
    return any(start < quantity.end and quantity.start < end for start, end in spans)


def _compatible(wanted: Quantity, other: Quantity) -> bool:
    """Say whether the units of two quantities of one value can be the same."""
    if "plain" in (wanted.kind, other.kind):
        return True
    if wanted.kind == other.kind == "money":
        return same_currency(wanted.unit, other.unit)
    return wanted.kind == other.kind and wanted.unit == other.unit


def _generic(quantity: Quantity) -> bool:
    """Say whether a writer may use the number without reading it: "one", "two options", "first", "both"."""
    if not quantity.counts or quantity.value == 0:
        return True
    return quantity.spelled and quantity.kind == "plain" and quantity.value <= _SMALL


def _derived(quantity: Quantity, numbers: Numbers, material: Material) -> bool:
    """Say whether the number follows from the conversation: "50 %" from "half", or a total."""
    words = material.known_words
    if quantity.kind == "percent" and quantity.value in _SHARES:
        return bool(words & _SHARES[quantity.value])
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
