"""The checks of dates, weekdays ("May 5th", "05/05", "Monday") and times of day ("3pm", "15:00", "half past ten")."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.quantities import find_number_words

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH: Final = "|".join([*(f"{month[:3]}(?:{month[3:]})?" for month in _MONTHS if len(month) > 3), "may", "sept"])
_WEEKDAYS: Final = {
    form: day
    for day, forms in enumerate(
        [
            "monday mon",
            "tuesday tues tue",
            "wednesday weds wed",
            "thursday thurs thur thu",
            "friday fri",
            "saturday sat",
            "sunday sun",
        ]
    )
    for form in forms.split()
}
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_NAMED: Final = re.compile(
    rf"\b(?:(?:the )?{_DAY}(?: of)?[ -]?(?P<month>{_MONTH})\b\.?"
    rf"|(?P<month2>{_MONTH})\b\.?[ -](?:the )?(?P<day2>[0-3]?\d)(?:st|nd|rd|th)?\b(?![:.]\d|\d|%))"
    r"(?:,? ?(?P<year>(?:19|20)\d\d)\b)?",
    re.IGNORECASE,
)
_NUMERIC: Final = re.compile(
    r"(?<![\w/.-])(?:(?P<iso>(?:19|20)\d\d)-(?P<iso_month>\d\d?)-(?P<iso_day>\d\d?)"
    r"|(?P<a>\d\d?)(?P<part>[/.-])(?P<b>\d\d?)(?:(?P=part)(?P<year>\d{4}|\d\d))?)(?![\w/]|[.-]\d)"
)
_ALONE: Final = re.compile(rf"\b(?P<month>{_MONTH})\b\.?(?:,? (?P<year>(?:19|20)\d\d)\b)?", re.IGNORECASE)
_WEEKDAY: Final = re.compile(rf"\b(?P<day>{'|'.join(_WEEKDAYS)})(?:s|'s|’s)?\b", re.IGNORECASE)
_HALF: Final = r"(?P<suffix>[ap])(?:\. ?m\b\.?| ?m\b)"
_CLOCK: Final = re.compile(
    rf"(?<![\w:.,/$€£-])(?P<hour>[01]?\d|2[0-4])(?:[:.h](?P<minute>[0-5]\d)(?![\d:%]|\.\d))?(?: ?{_HALF})?"
    r"(?P<oclock> ?o['’]?clock)?(?P<h24> ?h(?:ours|rs)?\b)?",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(
    rf"(?<![\w:.,/$€£])(?P<hour>1?\d)(?:[:.](?P<minute>[0-5]\d))? ?(?:-|–|to|and|until) ?\d\d?(?:[:.]\d\d)? ?{_HALF}",
    re.IGNORECASE,
)
_MILITARY: Final = re.compile(r"(?<![\w.:,/$€£])(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?![\w:]|[.,]\d)")
_BARE_HOUR: Final = re.compile(
    r"(?:\b(?:at|by|from|between|until|till|til|to|and|or|before|after|around|about|past|since) |@ ?|(?<=\d) ?[-–] ?|^|"
    r"(?=\d\d? ?[-–] ?\d))"
    r"(?P<hour>\d\d?|[a-z]+)"
    r"(?![\w:.,]*\d|%| ?(?:[ap]\.?m|min|hour|hr|day|week|month|year|time|euro|dollar|pound|percent))",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(
    r"\b(?P<past>half|quarter|five|ten|twenty) (?P<direction>past|after|to) (?P<hour>\w+)(?: o['’]?clock)?"
    r"|\b(?P<full>[a-z]{3,6}) o['’]?clock",
    re.IGNORECASE,
)
_FIXED: Final = {"noon": 720, "midday": 720, "midnight": 0}
_FIXED_TIME: Final = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_PAST: Final = {"half": 30, "quarter": 15, "five": 5, "ten": 10, "twenty": 20}
_DAY_MINUTES: Final = 1440


@dataclass(frozen=True)
class Date:
    """A date at `start:end`, which may be incomplete. `days` holds its possible `(day, month)` pairs, 0 for unknown.

    "05/06" is two pairs, and "May" is `(0, 5)`. `weekday`, from 0 for Monday, is for a date that is only a weekday.
    """

    days: frozenset[tuple[int, int]]
    start: int
    end: int
    year: int | None = None
    weekday: int | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Time:
    """A time of day at `start:end`. `minutes` are the minutes after midnight that it can mean ("3:30" can mean two)."""

    minutes: frozenset[int]
    start: int
    end: int


def find_dates(text: str, *, lenient: bool = False) -> list[Date]:
    """Find the dates, months and weekdays in `text`, in order.

    A month alone needs a capital letter; one that is also another word ("May", "March") must not begin a sentence.
    Short forms of weekdays need a capital letter. With `lenient` none of this is needed, as in chats.
    """
    dates: list[Date] = []
    named = (*_named(text), *_numeric(text), *_alone(text, lenient), *_weekdays(text, lenient))
    for date in named:
        if not any(date.start < other.end and other.start < date.end for other in dates):
            dates.append(date)
    return sorted(dates, key=lambda date: date.start)


def find_times(text: str) -> list[Time]:
    """Find what is clearly a time of day in `text`, in order."""
    times: list[Time] = []
    for read in (_ranges, _clock, _spoken):
        for time in read(text):
            if not any(time.start < other.end and other.start < time.end for other in times):
                times.append(time)
    return sorted(times, key=lambda time: time.start)


def find_moments(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` spans of the dates and the times of day in `text`."""
    moments: list[Date | Time] = [*find_dates(text), *find_times(text)]
    return [(moment.start, moment.end) for moment in moments]


def find_loose_times(text: str) -> set[int]:
    """Find the minutes after midnight that numbers in `text` may mean: "at 9", "between 4 and 6", "1817", "18.50"."""
    minutes: set[int] = set()
    for match in _MILITARY.finditer(text):
        minutes |= _readings(int(match["hour"]), int(match["minute"]), None)
    for match in _CLOCK.finditer(text):
        if match["minute"]:
            minutes |= _readings(int(match["hour"]), int(match["minute"]), match["suffix"])
    for match in _BARE_HOUR.finditer(text):
        hour = _hour(match["hour"])
        minutes |= _readings(hour, 0, None) if hour is not None else set()
    return minutes


def _named(text: str) -> list[Date]:
    dates = []
    for match in _NAMED.finditer(text):
        month = _month(match["month"] or match["month2"])
        day = int(match["day"] or match["day2"])
        if 1 <= day <= 31:
            year = int(match["year"]) if match["year"] else None
            end = match.end() - match.group().endswith(".")
            dates.append(Date(frozenset({(day, month)}), match.start(), end, year))
    return dates


def _numeric(text: str) -> list[Date]:
    dates = []
    for match in _NUMERIC.finditer(text):
        if match["iso"]:
            pairs = {(int(match["iso_day"]), int(match["iso_month"]))}
            year: int | None = int(match["iso"])
        else:
            first, second = int(match["a"]), int(match["b"])
            pairs = {(first, second), (second, first)}
            year = int(match["year"]) if match["year"] else None
            if year is None and match["part"] != "/":
                continue
        days = frozenset((day, month) for day, month in pairs if 1 <= day <= 31 and 1 <= month <= 12)
        if days:
            dates.append(Date(days, match.start(), match.end(), year, numeric=True))
    return dates


def _alone(text: str, lenient: bool) -> list[Date]:
    dates = []
    for match in _ALONE.finditer(text):
        word = match["month"]
        ambiguous = word.lower() in ("may", "march", "mar", "dec", "sep", "jan", "jun")
        clear = word[0].isupper() and not (ambiguous and _opens_sentence(text, match.start()))
        if not (clear or lenient):
            continue
        year = int(match["year"]) if match["year"] else None
        end = match.end() if year else match.end("month")
        dates.append(Date(frozenset({(0, _month(word))}), match.start(), end, year))
    return dates


def _weekdays(text: str, lenient: bool) -> list[Date]:
    dates = []
    for match in _WEEKDAY.finditer(text):
        word = match["day"]
        if lenient or len(word) > 5 or word[0].isupper():
            dates.append(Date(frozenset(), match.start(), match.end("day"), weekday=_WEEKDAYS[word.lower()]))
    return dates


def _opens_sentence(text: str, place: int) -> bool:
    before = text[:place].rstrip(" \"'“(")
    return not before or before[-1] in ".!?\n:"


def _month(word: str) -> int:
    return next(number for number, month in enumerate(_MONTHS, start=1) if month.startswith(word.lower()[:3]))


def _ranges(text: str) -> list[Time]:
    return [
        Time(
            frozenset(_readings(int(match["hour"]), int(match["minute"] or 0), None)),
            match.start("hour"),
            match.end("minute") if match["minute"] else match.end("hour"),
        )
        for match in _RANGE.finditer(text)
        if int(match["hour"]) <= 12
    ]


def _clock(text: str) -> list[Time]:
    times = []
    for match in _CLOCK.finditer(text):
        written = ":" in match.group() or (match["minute"] and match["h24"])
        if written or match["suffix"] or match["oclock"]:
            end = (
                match.end("oclock") if match["oclock"] else max(match.end(key) for key in ("hour", "minute", "suffix"))
            )
            end = match.end() if match["suffix"] and not match["h24"] else end
            readings = _readings(int(match["hour"]), int(match["minute"] or 0), match["suffix"])
            times.append(Time(frozenset(readings), match.start(), end))
    return times


def _spoken(text: str) -> list[Time]:
    times = [Time(frozenset({_FIXED[m[1].lower()]}), m.start(), m.end()) for m in _FIXED_TIME.finditer(text)]
    for match in _SPOKEN.finditer(text):
        hour = _hour(match["hour"] or match["full"])
        if hour is None:
            continue
        shift = _PAST[match["past"].lower()] if match["past"] else 0
        minutes = hour * 60 + (-shift if match["direction"] == "to" else shift)
        times.append(Time(_both_halves(minutes), match.start(), match.end()))
    return times


def _hour(word: str) -> int | None:
    if word.isdecimal():
        return int(word) if int(word) <= 24 else None
    spelled = find_number_words(word)
    return int(spelled[0].value) if spelled and spelled[0].counts and spelled[0].value <= 12 else None


def _readings(hour: int, minute: int, suffix: str | None) -> set[int]:
    """Return the minutes after midnight that a time can mean: one with "am", "pm" or a 24-hour clock, else two."""
    if suffix:
        hour = hour % 12 + (12 if suffix.lower() == "p" else 0)
        return {hour * 60 + minute}
    if hour > 12 or hour == 0:
        return {(hour * 60 + minute) % _DAY_MINUTES}
    return set(_both_halves(hour * 60 + minute))


def _both_halves(minutes: int) -> frozenset[int]:
    return frozenset({minutes % _DAY_MINUTES, (minutes + _DAY_MINUTES // 2) % _DAY_MINUTES})


_DAY_NUMBER: Final = re.compile(r"(?<![\d.,])([0-3]?\d)(?:st|nd|rd|th)?(?![\d])")


class Moments:
    """The dates and times of a conversation in each of their readings."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        dates = [(turn, date) for turn, text in enumerate(texts, start=1) for date in find_dates(text, lenient=True)]
        self.pairs = {pair for _, date in dates for pair in date.days}
        self.months = {month for _, month in self.pairs}
        self.weekdays = {date.weekday for _, date in dates if date.weekday is not None}
        self.days = {int(day) for text in texts for day in _DAY_NUMBER.findall(text)}
        self.years = {int(year) for text in texts for year in re.findall(r"\b(?:19|20)\d\d\b", text)}
        self.short_years = {date.year for _, date in dates if date.year is not None and date.year < 100}
        self.minutes = {minute for text in texts for time in find_times(text) for minute in time.minutes}
        self.loose_minutes = {minute for text in texts for minute in find_loose_times(text)}
        self.date_turns = {turn for turn, _ in dates}
        self.time_turns = {turn for turn, text in enumerate(texts, start=1) if find_times(text)}

    def support(self, wanted: Date) -> bool:
        """Say whether the conversation has the date, as a whole or its day and its month apart."""
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
        apart = day in self.days - {paired for paired, _ in self.pairs} and month in self.months
        return apart or (day in self.days and (0, month) in self.pairs)


@lru_cache(maxsize=64)
def read_moments(texts: tuple[str, ...]) -> Moments:
    """Read the dates and times of a conversation. They are cached, since several summaries of it are checked."""
    return Moments(texts)


def check_dates(material: Material) -> list[Finding]:
    """Report dates, months and weekdays of the summary that the conversation does not contain in any form."""
    moments = read_moments(material.texts)
    wrong = [date for date in find_dates(material.summary) if not moments.support(date)]
    return [_finding(material, date.start, date.end, "date", moments.date_turns) for date in wrong]


def check_times(material: Material) -> list[Finding]:
    """Report times of day that the conversation does not contain. "3pm" equals "15:00", and may equal "at 3"."""
    moments = read_moments(material.texts)
    findings = []
    for time in find_times(material.summary):
        if not time.minutes & (moments.minutes | moments.loose_minutes):
            findings.append(_finding(material, time.start, time.end, "time", moments.time_turns))
    return findings


def _finding(material: Material, start: int, end: int, kind: str, turns: set[int]) -> Finding:
    evidence = material.nearest_turns(turns, start)
    category = "wrong_fact" if evidence else "fabricated"
    reason = f'The conversation does not contain the {kind} "{material.written(start, end)}".'
    return Finding(category, start, end, reason, "major", evidence)
