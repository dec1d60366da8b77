"""The check of dates, weekdays and times of day that the conversation does not contain."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.moments import Date, dates, loose_times, times

_DAY: Final = re.compile(r"(?<![\d.,])([0-3]?\d)(?:st|nd|rd|th)?(?![\d])")


class KnownMoments:
    """The dates and times that a conversation contains, under each of their readings."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        found = [(turn, date) for turn, text in enumerate(texts, start=1) for date in dates(text, lenient=True)]
        self.pairs = {pair for _, date in found for pair in date.days}
        self.months = {month for _, month in self.pairs}
        self.weekdays = {date.weekday for _, date in found if date.weekday is not None}
        self.days = {int(day) for text in texts for day in _DAY.findall(text)}
        self.years = {int(year) for text in texts for year in re.findall(r"\b(?:19|20)\d\d\b", text)}
        self.short_years = {date.year for _, date in found if date.year is not None and date.year < 100}
        self.minutes = {minute for text in texts for time in times(text) for minute in time.minutes}
        self.loose_minutes = {minute for text in texts for minute in loose_times(text)}
        self.date_turns = {turn for turn, _ in found}
        self.time_turns = {turn for turn, text in enumerate(texts, start=1) if times(text)}

    def support(self, wanted: Date) -> bool:
        """Whether the conversation has the date: as a whole, or its day and its month apart."""
        if wanted.weekday is not None:
            return wanted.weekday in self.weekdays
        if wanted.year is not None and wanted.year not in self.years and wanted.year % 100 not in self.short_years:
            return False
        return any(self._has(day, month) for day, month in wanted.days)

    def _has(self, day: int, month: int) -> bool:
        if day == 0:
            return month in self.months
        if (day, month) in self.pairs:
            return True
        apart = day in self.days - {known for known, _ in self.pairs} and month in self.months
        return apart or (day in self.days and (0, month) in self.pairs)


@lru_cache(maxsize=64)
def known_moments(texts: tuple[str, ...]) -> KnownMoments:
    """The dates and times of a conversation, kept while several summaries of it are checked."""
    return KnownMoments(texts)


def check_dates(material: Material) -> list[Finding]:
    """Dates, months and weekdays of the summary that the conversation does not contain in any way of writing."""
    known = known_moments(material.texts)
    wrong = [date for date in dates(material.summary) if not known.support(date)]
    return [_finding(material, date.start, date.end, "date", known.date_turns) for date in wrong]


def check_times(material: Material) -> list[Finding]:
    """Times of day of the summary that the conversation does not contain; "3pm" is "15:00", and may be "at 3"."""
    known = known_moments(material.texts)
    findings = []
    for time in times(material.summary):
        if not time.minutes & (known.minutes | known.loose_minutes):
            findings.append(_finding(material, time.start, time.end, "time", known.time_turns))
    return findings


def _finding(material: Material, start: int, end: int, kind: str, turns: set[int]) -> Finding:
    evidence = material.nearest_turns(turns, start)
    category = "wrong_fact" if evidence else "fabricated"
    reason = f'The conversation does not contain the {kind} "{material.summary[start:end]}".'
    return Finding(category, start, end, reason, "major", evidence)
