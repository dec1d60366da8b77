"""The check of numbers (amounts, percentages, durations, counts), and the check of rates."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.known_numbers import Numbers, find_taken_spans, read_numbers
from arf_programs.checks.parsing.arithmetic import find_rates, is_same_rate
from arf_programs.checks.parsing.number_words import ReadOut, find_read_out
from arf_programs.checks.parsing.quantities import Quantity, find_quantities
from arf_programs.text import is_list_marker, meets, word_set

_KINDS: Final = {"money": "amount", "percent": "percentage", "time": "duration", "plain": "number"}
_ADDED_UP: Final = re.compile(
    r"\b(?:total|totalling|totaling|altogether|in all|sum|combined|together|remaining|rest|difference|left|less|"
    r"balance|overall|both|extra|more|cheaper|saving|saved?|saves|instead of|"
    r"remains?|remained|outstanding|due(?! to)|owe[ds]?|"
    r"(?:over|under)charged|(?:in|de)creased?|reduced|reduction|(?:up|down|lower|higher) by|went (?:up|down)|"
    r"(?:rises?|rose|risen|f[ae]lls?|fallen|drop(?:s|ped)?|gr[eo]ws?|grown|raised|lowered|cut|differs?|changed) by|"
    r"discount(?:ed)?|c[oa]mes? to|for all|adds? up)\b",
    re.IGNORECASE,
)
_RATE: Final = re.compile(
    r"(?:\bper |(?<=\d)/| an? )(?P<unit>day|week|month|year)\b|\b(?P<every>weekly|monthly|yearly|annually)\b",
    re.IGNORECASE,
)
_RATE_WORDS: Final = {
    "day": word_set("day days daily hours tomorrow"),
    "week": word_set("week weeks weekly wk wks"),
    "month": word_set("month months monthly mo mth mths pcm"),
    "year": word_set("year years yearly annual annually annum yr yrs pa"),
}
_PER_ANNUM: Final = re.compile(r"\bp\. ?a\b", re.IGNORECASE)
_LAST: Final = re.compile(r"\b(?:last|first|final) $", re.IGNORECASE)
_OF_CODE: Final = re.compile(r"(?:\d|[a-z]+) (?:digits?|numbers?|characters?|letters?)\b", re.IGNORECASE)
_ALWAYS: Final = re.compile(r"\b24 ?[/x] ?7\b", re.IGNORECASE)
_ALL_DAY: Final = re.compile(r"\b24(?:[/x ]|\b)|around the clock|round the clock", re.IGNORECASE)
_AROUND: Final = 12
_SMALL: Final = 3
_LONG: Final = re.compile(r"\d{4,}[A-Za-z]?")
_FEW_PARTS: Final = 2
_HALF_WORDS: Final = word_set("half halves halved halfway")
_WHOLE_WORDS: Final = word_set("full fully whole entire all free complete completely totally")
_SHARES: Final = {
    **{25.0: word_set("quarter"), 50.0: _HALF_WORDS, 75.0: word_set("quarters"), 100.0: _WHOLE_WORDS},
}
_ROUNDED: Final = 0.5
_PEOPLE: Final = re.compile(
    r"\b(?:people|persons?|passengers?|guests?|travell?ers?|tickets?|items?|bags?|rooms?|of them)\b", re.IGNORECASE
)


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
        if meets(quantity, taken) or _generic(quantity, material) or numbers.support(quantity):
            continue
        if not (_derived(quantity, numbers, material) or _dictated(quantity, material)):
            findings.append(_finding(quantity, numbers, material))
    return findings


def check_rates(material: Material) -> list[Finding]:
    """Report rates ("per year", "monthly", "$9 a week") whose unit of time the conversation never mentions."""
    numbers = read_numbers(material.texts)
    ends = {item.end for item in find_quantities(material.summary) if item.kind == "money"}
    rates = find_rates(material.summary)
    findings = []
    for match in _RATE.finditer(material.summary):
        every = (match["every"] or "").lower()
        unit = "year" if every == "annually" else match["unit"].lower() if match["unit"] else every.removesuffix("ly")
        follows_article = match.group().lower().startswith(" a")
        if (follows_article and match.start() not in ends) or _speaks_of(unit, material):
            continue
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        rate = next((rates[end] for end in (start, start - 1) if end in rates), None)
        if rate and any(is_same_rate(rate, other) for other in numbers.rates):
            continue
        reason = f'The conversation does not speak of a rate "{match.group().strip()}".'
        findings.append(Finding("wrong_fact", start, match.end(), reason))
    return findings


def _speaks_of(unit: str, material: Material) -> bool:
    if material.known_words & _RATE_WORDS[unit]:
        return True
    return unit == "year" and any(_PER_ANNUM.search(text) for text in material.texts)


def _long_read_out(text: str, taken: list[tuple[int, int]]) -> list[ReadOut]:
    """Find read-out digits that are certainly one number: three parts or more, with no comma between them."""
    return [
        spoken
        for spoken in find_read_out(text)
        if spoken.joined and len(spoken.parts) > _FEW_PARTS and not meets(spoken, taken)
    ]


def _generic(quantity: Quantity, material: Material) -> bool:
    """Say whether a writer may use the number without reading it: "two options", "last four digits", "2." of a list."""
    if _OF_CODE.search(material.summary, quantity.start, quantity.end + _AROUND) and _LAST.search(
        material.summary, max(0, quantity.start - _AROUND), quantity.start
    ):
        return True
    if _ALWAYS.search(material.summary, max(0, quantity.start - 3), quantity.end + 2):
        return any(_ALL_DAY.search(text) for text in material.texts)
    if not quantity.counts or quantity.value == 0 or is_list_marker(material.summary, quantity.start, quantity.end):
        return True
    return quantity.spelled and quantity.kind == "plain" and quantity.value <= _SMALL


def _derived(quantity: Quantity, numbers: Numbers, material: Material) -> bool:
    """Say whether the number follows from the conversation: "50 %" from "half", or a total."""
    sentence = material.sentence_at(quantity.start)
    if quantity.kind == "percent":
        if any(abs(share - quantity.value) <= _ROUNDED for share in numbers.shares):
            return True
        return bool(material.known_words & _SHARES.get(quantity.value, frozenset()))
    if quantity.kind == "time":
        return False
    value = round(quantity.value, 2)
    if value in numbers.products or (value in numbers.together and _PEOPLE.search(sentence)):
        return True
    rate = find_rates(material.summary).get(quantity.end)
    if rate and any(is_same_rate(rate, other) for other in numbers.rates):
        return True
    return _ADDED_UP.search(sentence) is not None and value in numbers.sums


def _dictated(quantity: Quantity, material: Material) -> bool:
    """Say whether a turn has the number digit by digit, or in groups: "4 4 8 12" for 44812."""
    written = material.summary[quantity.start : quantity.end]
    if not _LONG.fullmatch(written):
        return False
    spaced = re.compile(r"(?<!\d)" + r"[ .-]?".join(written) + r"(?!\d)", re.IGNORECASE)
    return any(spaced.search(text) for text in material.texts)


def _finding(quantity: Quantity, numbers: Numbers, material: Material) -> Finding:
    quote = material.written(quantity.start, quantity.end)
    other = numbers.in_another_unit(quantity)
    evidence = material.nearest_turns(set(other) or numbers.turns[quantity.kind], quantity.start)
    reason = f'The conversation does not contain the {_KINDS[quantity.kind]} "{quote}".'
    if there := next(filter(None, other.values()), ""):
        reason = f'The conversation has "{there}", not "{quote}".'
    return Finding("wrong_fact" if evidence else "fabricated", quantity.start, quantity.end, reason, "major", evidence)
