"""The check of numbers: amounts, percentages, durations and counts that the conversation does not contain."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from arf_programs.checks.codes import codes
from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.moments import dates, times
from arf_programs.checks.quantities import Quantity, indefinite_durations, quantities, readings, same_duration
from arf_programs.sentences import word_set

_KINDS: Final = {"money": "amount", "percent": "percentage", "time": "duration", "plain": "number"}
_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")
_ADDED_UP: Final = re.compile(
    r"\b(?:total|totalling|totaling|altogether|in all|sum|combined|together|remaining|rest|difference|left|less|"
    r"balance|overall|both|extra|more|cheaper|saving|saved|instead of)\b",
    re.IGNORECASE,
)
_SMALL: Final = 3
_HALF_WORDS: Final = word_set("half halves halved halfway")
_WHOLE_WORDS: Final = word_set("full fully whole entire all free complete completely totally")


class KnownNumbers:
    """Every number that a conversation contains, under each of its possible readings, and the turns that hold it."""

    def __init__(self, texts: list[str]) -> None:
        self.by_value: dict[float, list[Quantity]] = defaultdict(list)
        self.loose: set[float] = set()
        self.durations: set[tuple[str, float]] = set()
        self.turns: dict[str, set[int]] = defaultdict(set)
        for turn, text in enumerate(texts, start=1):
            self._read(turn, text)

    def _read(self, turn: int, text: str) -> None:
        taken = _taken(text)
        for quantity in quantities(text):
            if _inside(quantity, taken):
                continue
            self.by_value[quantity.value].append(quantity)
            self.turns[quantity.kind].add(turn)
            self._add_duration(quantity.value, quantity.unit)
        for match in _DIGITS.finditer(text):
            self.loose |= readings(match.group())
            self.loose |= {float(part) for part in re.split("[.,]", match.group())}
        for value, unit in indefinite_durations(text):
            self._add_duration(value, unit)

    def _add_duration(self, value: float, unit: str) -> None:
        duration = same_duration(value, unit)
        if duration:
            self.durations.add(duration)

    def support(self, wanted: Quantity) -> bool:
        """Whether the conversation has the number, in a unit that can be the same."""
        duration = same_duration(wanted.value, wanted.unit)
        if duration in self.durations:
            return True
        if any(_compatible(wanted, known) for known in self.by_value.get(wanted.value, [])):
            return True
        return wanted.kind == "plain" and wanted.value in self.loose

    def sums(self) -> set[float]:
        """Sums and differences of two of the conversation's amounts or bare numbers, and their doubles."""
        values = {
            value for value, known in self.by_value.items() if any(item.kind in ("money", "plain") for item in known)
        }
        return {round(abs(a + sign * b), 2) for a in values for b in values for sign in (1, -1)}


def check_numbers(material: Material) -> list[Finding]:
    """Numbers of the summary that the conversation does not contain, or only in another unit.

    Equal are "two" and "2", "$45", "45 dollars" and "45.00", "1,200" and "1200", "24 hours" and "a day". Not looked at:
    small counts in words ("two options"), which may come from counting, and numbers inside dates, times and codes.
    A sum or difference of two of the conversation's amounts passes where the sentence says that it is one.
    """
    known = KnownNumbers([turn.text for turn in material.conversation.turns])
    taken = _taken(material.summary)
    findings = []
    for quantity in quantities(material.summary):
        if (
            _inside(quantity, taken)
            or _generic(quantity)
            or known.support(quantity)
            or _derived(quantity, known, material)
        ):
            continue
        findings.append(_finding(quantity, known, material))
    return findings


def _taken(text: str) -> list[tuple[int, int]]:
    """Spans that other checks read."""
    spans = [(date.start, date.end) for date in dates(text)]
    spans += [(time.start, time.end) for time in times(text)]
    return [*spans, *((code.start, code.end) for code in codes(text))]


def _inside(quantity: Quantity, spans: list[tuple[int, int]]) -> bool:
    return any(start < quantity.end and quantity.start < end for start, end in spans)


def _compatible(wanted: Quantity, known: Quantity) -> bool:
    """Whether two quantities of one value can be the same: nothing said against it by their units."""
    if wanted.kind == "plain" or known.kind == "plain":
        return True
    return wanted.kind == known.kind and (wanted.unit == known.unit or wanted.kind == "time")


def _generic(quantity: Quantity) -> bool:
    """Whether the number is one that a writer uses without reading it: "one", "two options", "first", "both"."""
    if not quantity.counts or quantity.value == 0:
        return True
    return quantity.spelled and quantity.kind == "plain" and quantity.value <= _SMALL


def _derived(quantity: Quantity, known: KnownNumbers, material: Material) -> bool:
    """Whether the number says in other words what the conversation says: "50 %" for half, a total."""
    said = material.known_words
    if quantity.kind == "percent" and quantity.value in (50.0, 100.0):
        return bool(said & (_HALF_WORDS if quantity.value == 50.0 else _WHOLE_WORDS))
    if quantity.kind == "time" or not _ADDED_UP.search(material.sentence_at(quantity.start)):
        return False
    return quantity.kind != "percent" and round(quantity.value, 2) in known.sums()


def _finding(quantity: Quantity, known: KnownNumbers, material: Material) -> Finding:
    evidence = material.nearest_turns(known.turns[quantity.kind], quantity.start)
    category = "wrong_fact" if evidence else "fabricated"
    quote = material.summary[quantity.start : quantity.end]
    reason = f'The conversation does not contain the {_KINDS[quantity.kind]} "{quote}".'
    return Finding(category, quantity.start, quantity.end, reason, "major", evidence)
