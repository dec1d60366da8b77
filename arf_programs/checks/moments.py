"""The checks of dates and times of day: each has to be in the conversation, in some way of writing it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.parsing.arithmetic import find_ratios
from arf_programs.checks.parsing.dates import Date, find_dates
from arf_programs.checks.parsing.number_words import find_read_out
from arf_programs.checks.parsing.relative_dates import find_ends_of_months, find_relative_dates, whole_days
from arf_programs.checks.parsing.times import Time, find_loose_times, find_times

_CENTURY: Final = 100
_DAY_NUMBER: Final = re.compile(r"(?<![\d.,])([0-3]?\d)(?:st|nd|rd|th)?(?![\d])")


class Moments:
    """The dates and times of a conversation in each of their readings."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        dates = [(turn, date) for turn, text in enumerate(texts, start=1) for date in find_dates(text, lenient=True)]
        times = [(turn, time) for turn, text in enumerate(texts, start=1) for time in find_times(text)]
        meant = [day for _, day in find_relative_dates(texts)]
        self.pairs = {pair for _, date in dates for pair in date.days} | {(day.day, day.month) for day in meant}
        self.pairs |= {pair for text in texts for pair in find_ends_of_months(text, meant)}
        self.months = {month for _, month in self.pairs}
        self.weekdays = {date.weekday for _, date in dates if date.weekday is not None}
        self.weekdays |= {day.weekday() for _, date in dates for day in whole_days(date)}
        self.weekdays |= {day.weekday() for day in meant}
        self.days = {int(day) for text in texts for day in _DAY_NUMBER.findall(text)}
        self.years = {int(year) for text in texts for year in re.findall(r"\b(?:19|20)\d\d\b", text)}
        self.years |= {
            int(spoken.digits) for text in texts for spoken in find_read_out(text) if len(spoken.digits) == 4
        }
        written = {date.year for _, date in dates if date.year is not None}
        self.years |= {year for year in written if year >= _CENTURY}
        self.month_years = {(month, date.year % _CENTURY) for _, date in dates if date.year for _, month in date.days}
        self.month_years |= {date.expiry for _, date in dates if date.expiry}
        self.short_years = {year % _CENTURY for year in self.years | written}
        self.ratios = {ratio for text in texts for ratio in find_ratios(text)}
        self.minutes = {minute for _, time in times for minute in time.minutes}
        self.loose_minutes = {minute for text in texts for minute in find_loose_times(text)}
        self.seconds = {
            (minute, time.second) for _, time in times for minute in time.minutes if time.second is not None
        }
        self.date_turns = {turn for turn, _ in dates}
        self.time_turns = {turn for turn, _ in times}

    def support(self, wanted: Date) -> bool:
        """Say whether the conversation has the date, as a whole or its day and its month apart."""
        if wanted.weekday is not None:
            return wanted.weekday in self.weekdays
        if self._has_month_of_year(wanted):
            return True
        if wanted.year is not None and not self._has_year(wanted.year):
            return False
        if wanted.numeric and wanted.year is None and wanted.days & self.ratios:
            return True
        return any(self._has(day, month) for day, month in wanted.days)

    def _has_month_of_year(self, wanted: Date) -> bool:
        """Say whether the conversation has a month with its year: "12/26" is "December 2026"."""
        if wanted.expiry in self.month_years:
            return True
        is_month = wanted.year is not None and {day for day, _ in wanted.days} == {0}
        return is_month and any((month, (wanted.year or 0) % _CENTURY) in self.month_years for _, month in wanted.days)

    def support_time(self, wanted: Time) -> bool:
        """Say whether the conversation has the time. Seconds count where both have them."""
        exact = {second for minute, second in self.seconds if minute in wanted.minutes}
        if wanted.second is not None and exact and wanted.second not in exact:
            return False
        return bool(wanted.minutes & (self.minutes | self.loose_minutes))

    def _has_year(self, year: int) -> bool:
        """Say whether the conversation has the year, in four digits or, where it has no other form, in two."""
        if year < _CENTURY:
            return year in self.short_years
        return year in self.years or (year % _CENTURY in self.short_years - {other % _CENTURY for other in self.years})

    def _has(self, day: int, month: int) -> bool:
        if day == 0:
            return month in self.months
        if (day, month) in self.pairs:
            return True
        apart = day in self.days - {paired for paired, _ in self.pairs} and month in self.months
        return apart or (day in self.days and (0, month) in self.pairs)


@lru_cache(maxsize=64)
def read_moments(texts: tuple[str, ...]) -> Moments:
    """Read the dates and times of a conversation. They are cached, since several summaries of it are checked."""
    return Moments(texts)


def check_dates(material: Material) -> list[Finding]:
    """Report dates, months and weekdays of the summary that the conversation does not contain in any form.

    A day may be that of "tomorrow" or "on Friday" in a message with its date.
    """
    moments = read_moments(material.texts)
    wrong = [date for date in find_dates(material.summary) if not moments.support(date)]
    return [_finding(material, date.start, date.end, "date", moments.date_turns) for date in wrong]


def check_times(material: Material) -> list[Finding]:
    """Report times of day that the conversation does not contain. "3pm" equals "15:00", and may equal "at 3"."""
    moments = read_moments(material.texts)
    findings = []
    for time in find_times(material.summary):
        if not moments.support_time(time):
            findings.append(_finding(material, time.start, time.end, "time", moments.time_turns))
    return findings


def _finding(material: Material, start: int, end: int, kind: str, turns: set[int]) -> Finding:
    evidence = material.nearest_turns(turns, start)
    category = "wrong_fact" if evidence else "fabricated"
    reason = f'The conversation does not contain the {kind} "{material.written(start, end)}".'
    return Finding(category, start, end, reason, "major", evidence)
