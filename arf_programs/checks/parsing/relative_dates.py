"""Dates that a turn gives by the time of its message: "[2025-03-04 10:32] I come tomorrow" is March 5.

A message may have a date before it, as exports write it. "Tomorrow", "on Friday", "in two weeks" and "three days ago"
are days from there.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Final

from arf_programs.checks.parsing.dates import ANY_MONTH, MONTH_NUMBERS, Date, find_dates
from arf_programs.checks.parsing.quantities import convert_to_days, find_quantities
from arf_programs.text import word_set

_CENTURY: Final = 100
_THIS_CENTURY: Final = 2000
_WEEK: Final = 7
_FURTHEST: Final = 366
_LAST_PLACE: Final = 16
"""Where a date stands at the latest that belongs to the whole message: "[Tuesday, 2025-03-04 10:32] ..."."""

_TOMORROW: Final = word_set("tomorrow tmrw tmr morgen demain mañana domani amanhã jutro завтра")
_YESTERDAY: Final = word_set("yesterday gestern hier ayer ieri ontem gisteren wczoraj вчера")
_WORDS: Final = {
    **dict.fromkeys(_TOMORROW, 1),
    **dict.fromkeys(_YESTERDAY, -1),
    **{"übermorgen": 2, "vorgestern": -2},
}
_MONTHS: Final = 12
_TWO_YEARS: Final = (2023, 2024)
"""A year without the 29th of February, and one with it."""

_END_OF: Final = re.compile(rf"\bend of (?:the |this |(?P<next>next ))?(?P<month>month|{ANY_MONTH})\b", re.IGNORECASE)
_NEAR: Final = re.compile(rf"(?P<more>\bday (?:after|before) )?\b(?P<word>{'|'.join(_WORDS)})\b", re.IGNORECASE)
_AGO: Final = re.compile(r" (?:ago|earlier|before)\b", re.IGNORECASE)
_FROM_NOW: Final = re.compile(r" (?:from now|later|time)\b|' time\b", re.IGNORECASE)
_IN: Final = re.compile(r"\b(?:in|within|after|another|next)(?: about| around)? $", re.IGNORECASE)
_AROUND: Final = 16
_ONE: Final = re.compile(r"\ban? (?P<unit>week|fortnight)\b", re.IGNORECASE)


def find_relative_dates(texts: Sequence[str]) -> Iterator[tuple[int, date]]:
    """Yield the days that the turns mean by the dates of their messages, with the numbers of the turns from 1.

    The day of a message is one of them, since its weekday may be cited. A weekday may be the one before or after it.
    """
    days: list[date] = []
    for turn, text in enumerate(texts, start=1):
        dates = find_dates(text, lenient=True)
        days = [day for found in dates[:2] if found.start <= _LAST_PLACE for day in whole_days(found)] or days
        for day in days:
            yield turn, day
            for distance in _distances(text, dates, day):
                yield turn, day + timedelta(days=distance)


def find_ends_of_months(text: str, days: Sequence[date]) -> Iterator[tuple[int, int]]:
    """Yield the last days of months as (day, month): "by the end of March" is March 31."""
    for match in _END_OF.finditer(text):
        word = match["month"].lower()
        named = [MONTH_NUMBERS[word]] if word in MONTH_NUMBERS else [day.month for day in days]
        months = [month % _MONTHS + 1 for month in named] if match["next"] else named
        yield from ((last, month) for month in months for last in {monthrange(year, month)[1] for year in _TWO_YEARS})


def whole_days(found: Date) -> list[date]:
    """Return the days that a date with its year may be. "03/04/2025" may be two."""
    if found.year is None:
        return []
    year = found.year + (_THIS_CENTURY if found.year < _CENTURY else 0)
    days = []
    for day, month in found.days:
        try:
            days.append(date(year, month, day))
        except ValueError:
            continue
    return days


def _distances(text: str, dates: Sequence[Date], day: date) -> Iterator[int]:
    for match in _NEAR.finditer(text):
        days = _WORDS[match["word"].lower()]
        yield days + (days if match["more"] else 0)
    for found in dates:
        if found.weekday is not None:
            ahead = (found.weekday - day.weekday()) % _WEEK
            yield from (ahead - _WEEK, ahead, ahead + _WEEK)
    for length, start, end in _lengths(text):
        if _AGO.match(text, end):
            yield -length
        elif _FROM_NOW.match(text, end) or _IN.search(text, max(0, start - _AROUND), start):
            yield length


def _lengths(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield durations in whole days, with their places."""
    for quantity in find_quantities(text):
        days = convert_to_days(quantity.value, quantity.unit) or 0.0
        if 1 <= days <= _FURTHEST and days % 1 == 0:
            yield int(days), quantity.start, quantity.end
    for one in _ONE.finditer(text):
        yield int(convert_to_days(1.0, one["unit"].lower()) or 0), *one.span()
