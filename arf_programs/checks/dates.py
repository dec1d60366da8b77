"""The checks of dates and weekdays ("May 5th", "05/05", "2025-05-05T10:32Z", "Monday") and of times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from arf_programs.checks.finding import Finding, Material
from arf_programs.checks.number_words import find_number_words, find_read_out
from arf_programs.checks.times import Time, find_loose_times, find_times

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
_TEENS: Final = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
)
_DAY_WORDS: Final = {
    **{word: day for day, word in enumerate(_TEENS, start=1)},
    **{"twentieth": 20, "thirtieth": 30, "thirty-first": 31},
    **{f"twenty-{word}": 20 + day for day, word in enumerate(_TEENS[:9], start=1)},
}
_SPELLED: Final = "|".join(sorted((word.replace("-", "[ -]") for word in _DAY_WORDS), key=len, reverse=True))
_NAMED: Final = re.compile(
    rf"\b(?:(?:the )?(?P<day>[0-3]?\d|{_SPELLED})(?:st|nd|rd|th)?(?: of)?[ -]?(?P<month>{_MONTH})\b\.?"
    rf"|(?P<month2>{_MONTH})\b\.?[ -](?:the )?(?P<day2>[0-3]?\d|(?:{_SPELLED})\b)(?:st|nd|rd|th)?\b(?![:.]\d|\d|%))"
    r"(?:(?:,? ?|-)(?P<year>(?:19|20)\d\d)\b|(?:, ?| )'(?P<year2>\d\d)\b|-(?P<year3>\d\d)\b)?",
    re.IGNORECASE,
)
_NUMERIC: Final = re.compile(
    r"(?<![\w/.-])(?:(?P<iso>(?:19|20)\d\d)(?P<mark>[-/.])(?P<iso_month>\d\d?)(?P=mark)(?P<iso_day>\d\d?)"
    r"|(?P<compact>(?:19|20)\d\d)(?P<compact_month>[01]\d)(?P<compact_day>[0-3]\d)(?=T\d)"
    r"|(?P<a>\d\d?)(?P<part>[/.-])(?P<b>\d\d?)(?:(?P=part)(?P<year>\d{4}|\d\d))?)(?:(?=T\d)|(?![\w/]|[.-]\d))"
)
_DOTTED: Final = re.compile(r"(?<![\w/.,-])(?P<a>\d\d?)\.(?P<b>\d\d?)\.(?![\w.])")
_SHARE: Final = re.compile(
    r" ?(?:of|an?|the|price|hours?|days?|weeks?|months?|years?|cups?|inch(?:es)?|miles?|kg|off|full|empty)\b",
    re.IGNORECASE,
)
_RATIO: Final = re.compile(r"\b(?P<a>\d\d?|[a-z]+) (?:out )?of (?P<b>\d\d?|[a-z]+)\b", re.IGNORECASE)
_DATED: Final = re.compile(r"\b(?:on|by|until|dated)\s+$", re.IGNORECASE)
_ALONE: Final = re.compile(rf"\b(?P<month>{_MONTH})\b\.?(?:,? (?P<year>(?:19|20)\d\d)\b)?", re.IGNORECASE)
_WEEKDAY: Final = re.compile(rf"\b(?P<day>{'|'.join(_WEEKDAYS)})(?:s|'s|’s)?\b", re.IGNORECASE)


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


def find_dates(text: str, *, lenient: bool = False) -> list[Date]:
    """Find the dates, months and weekdays in `text`, in order.

    A month alone needs a capital letter; one that is also another word ("May", "March") must not begin a sentence.
    Short forms of weekdays need a capital letter. With `lenient` none of this is needed, as in chats.
    """
    return list(_read(text, lenient))


@lru_cache(maxsize=256)
def _read(text: str, lenient: bool) -> tuple[Date, ...]:
    dates: list[Date] = []
    named = (*_named(text, lenient), *_numeric(text, lenient), *_alone(text, lenient), *_weekdays(text, lenient))
    for date in named:
        if not any(date.start < other.end and other.start < date.end for other in dates):
            dates.append(date)
    return tuple(sorted(dates, key=lambda date: date.start))


def find_moments(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` spans of the dates and the times of day in `text`."""
    moments: list[Date | Time] = [*find_dates(text), *find_times(text)]
    return [(moment.start, moment.end) for moment in moments]


def _named(text: str, lenient: bool) -> list[Date]:
    dates = []
    for match in _NAMED.finditer(text):
        word, written = match["month"] or match["month2"], match["day"] or match["day2"]
        day = int(written) if written.isdecimal() else _DAY_WORDS[written.lower().replace(" ", "-")]
        if not written.isdecimal() and not (lenient or word[0].isupper()):
            continue
        if 1 <= day <= 31:
            year = match["year"] or match["year2"] or match["year3"]
            end = match.end() - match.group().endswith(".")
            dates.append(Date(frozenset({(day, _month(word))}), match.start(), end, int(year) if year else None))
    return dates


def _numeric(text: str, lenient: bool) -> list[Date]:
    dates = []
    for match in [*_NUMERIC.finditer(text), *(_DOTTED.finditer(text) if lenient else ())]:
        parts = match.groupdict()
        year: int | None = None
        if parts.get("iso") or parts.get("compact"):
            name = "iso" if parts["iso"] else "compact"
            year, pairs = int(parts[name]), {(int(parts[f"{name}_day"]), int(parts[f"{name}_month"]))}
        else:
            first, second = int(match["a"]), int(match["b"])
            pairs = {(first, second), (second, first)}
            year = int(parts["year"]) if parts.get("year") else None
            if year is None and (parts.get("part", "/") != "/" or _is_share(match, text)):
                continue
        days = frozenset((day, month) for day, month in pairs if 1 <= day <= 31 and 1 <= month <= 12)
        if days:
            dates.append(Date(days, match.start(), match.end(), year, numeric=True))
    return dates


def _is_share(match: re.Match[str], text: str) -> bool:
    """Say whether "1/2" or "24/7" is no date: "2 1/2", "1/2 of it", "24/7"."""
    if match.group() == "24/7":
        return not _DATED.search(text, 0, match.start())
    before = text[max(0, match.start() - 2) : match.start()]
    part = int(match["a"]) < int(match["b"]) <= 10
    return part and (bool(re.fullmatch(r"\d ", before)) or _SHARE.match(text, match.end()) is not None)


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


_CENTURY: Final = 100
_DAY_NUMBER: Final = re.compile(r"(?<![\d.,])([0-3]?\d)(?:st|nd|rd|th)?(?![\d])")


class Moments:
    """The dates and times of a conversation in each of their readings."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        dates = [(turn, date) for turn, text in enumerate(texts, start=1) for date in find_dates(text, lenient=True)]
        times = [(turn, time) for turn, text in enumerate(texts, start=1) for time in find_times(text)]
        self.pairs = {pair for _, date in dates for pair in date.days}
        self.months = {month for _, month in self.pairs}
        self.weekdays = {date.weekday for _, date in dates if date.weekday is not None}
        self.days = {int(day) for text in texts for day in _DAY_NUMBER.findall(text)}
        self.years = {int(year) for text in texts for year in re.findall(r"\b(?:19|20)\d\d\b", text)}
        self.years |= {
            int(spoken.digits) for text in texts for spoken in find_read_out(text) if len(spoken.digits) == 4
        }
        written = {date.year for _, date in dates if date.year is not None}
        self.years |= {year for year in written if year >= _CENTURY}
        self.short_years = {year % _CENTURY for year in self.years | written}
        self.ratios = {_ratio(match) for text in texts for match in _RATIO.finditer(text)}
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
        if wanted.year is not None and not self._has_year(wanted.year):
            return False
        if wanted.numeric and wanted.year is None and wanted.days & self.ratios:
            return True
        return any(self._has(day, month) for day, month in wanted.days)

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


def _ratio(match: re.Match[str]) -> tuple[int, int]:
    """Return "4 out of 5" as a pair; (0, 0) if it is none."""
    values = [
        [int(part)] if part.isdecimal() else [int(n.value) for n in find_number_words(part)] for part in match.groups()
    ]
    return (values[0][0], values[1][0]) if all(values) else (0, 0)


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
        if not moments.support_time(time):
            findings.append(_finding(material, time.start, time.end, "time", moments.time_turns))
    return findings


def _finding(material: Material, start: int, end: int, kind: str, turns: set[int]) -> Finding:
    evidence = material.nearest_turns(turns, start)
    category = "wrong_fact" if evidence else "fabricated"
    reason = f'The conversation does not contain the {kind} "{material.written(start, end)}".'
    return Finding(category, start, end, reason, "major", evidence)
