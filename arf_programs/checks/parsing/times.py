"""Times of day in a text: "3pm", "15:00", "[10:32:11]", "half past ten", "3 in the afternoon"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from arf_programs.checks.parsing.foreign_numbers import FOREIGN_NUMBERS
from arf_programs.checks.parsing.number_words import find_number_words, find_read_out

_HALF: Final = r"(?P<suffix>[ap])(?:\. ?m\b\.?| ?m\b)"
_ZONE: Final = r"(?-i: ?(?:Z|UTC|GMT|[CEMPBIJS][ES]?[SD]?T|A[CEW]?[SD]T)\b(?:[+-]\d\d?)?| ?[+-]\d\d:?\d\d\b)"
_CLOCK: Final = re.compile(
    rf"(?:(?<![\w:.,/$€£-])|(?<=\dT))(?P<hour>2[0-4]|[01]?\d)"
    rf"(?:(?P<mark>[:.h])(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:[.,]\d+)?)?(?![\d:%]|\.\d))?(?: ?{_HALF})?"
    rf"(?P<oclock> ?o['’]?clock| ?uhr(?: (?P<after>[0-5]\d)(?![\d:.,]| ?[€%]))?)?(?P<h24> ?h(?:ours|rs)?\b)?"
    r"(?P<part> (?:in the (?:morning|afternoon|evening)|at night)\b)?"
    rf"(?P<zone>{_ZONE})?",
    re.IGNORECASE,
)
_JOINED: Final = re.compile(rf"(?<![\w:.,/$€£-])(?P<hour>1[0-2]|0?[1-9]) ?(?P<minute>[0-5]\d) ?{_HALF}", re.IGNORECASE)
_SHORT: Final = re.compile(r"(?<![\w:.,/$€£-])(?P<hour>1\d|2[0-3]|[1-9]) ?(?P<minute>[0-5]\d)(?![\w:]|[.,]\d| ?%)")
_MINUTES_AROUND: Final = re.compile(
    r"\b(?:(?P<past>\d\d?) (?P<direction>past|after|to)|(?P<word>\d\d?|[a-z]+) (?:of|before|till?)) "
    r"(?P<hour>\d\d?|[a-z]+)\b",
    re.IGNORECASE,
)
_COMPACT: Final = re.compile(r"(?<=\dT)(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?:[0-5]\d)?(?=Z|\b|[+-])")
_FOREIGN: Final = r"um|gegen|ab|bis|à|vers|dès|jusqu'à|a las?|alle|às|om|kl\.?|klo"
_BEFORE_H: Final = re.compile(
    rf"\b(?:at|by|from|between|until|till|around|before|after|about|since|to|and|{_FOREIGN})[ ~]+$", re.IGNORECASE
)
_RANGE: Final = re.compile(
    rf"(?<![\w:.,/$€£-])(?P<hour>2[0-4]|[01]?\d)(?:(?P<mark>[:.h])(?P<minute>[0-5]\d)?)?(?: ?{_HALF})?"
    r" ?(?:-|–|—|to|and|until|till|bis|à|a) ?"
    r"(?P<hour2>2[0-4]|[01]?\d)(?:(?P<mark2>[:.h])(?P<minute2>[0-5]\d)?)?"
    rf"(?: ?{_HALF.replace('suffix', 'suffix2')}| ?(?P<uhr>uhr)\b|(?![\w:.%]|[.,-]\d| ?%))",
    re.IGNORECASE,
)
_MILITARY: Final = re.compile(
    r"(?<![\w.:,/$€£])(?P<hour>[01]\d|2[0-3])(?P<minute>[0-5]\d)(?: ?h(?:rs|ours)?\b)?(?![\w:]|[.,]\d)"
)
_BARE_HOUR: Final = re.compile(
    rf"(?:\b(?:at|by|from|between|until|till|til|to|and|or|before|after|around|about|past|since|{_FOREIGN}) |@ ?|"
    r"(?<=\d) ?[-–] ?|^|"
    r"(?=\d\d? ?[-–] ?\d))"
    r"(?P<hour>\d\d?|[a-z]+)"
    r"(?:h\b)?(?![\w:.,]*\d|%| ?(?:[ap]\.?m|min|hour|hr|day|week|month|year|time|euro|dollar|pound|percent))",
    re.IGNORECASE,
)
_SPOKEN: Final = re.compile(
    r"\b(?P<past>half|quarter|five|ten|twenty(?:[ -]five)?|(?:\d\d?|[a-z]+)(?= minutes? (?:past|after|to)))"
    r"(?: minutes?)?"
    r" (?P<direction>past|after|to) (?P<hour>\d\d?|[^\W\d_]+)(?: o['’]?clock)?"
    rf"(?P<part> (?:in the (?:morning|afternoon|evening)|at night)\b)?(?: ?{_HALF})?"
    r"(?! (?:(?:business|working|calendar) )?(?:minute|hour|day|night|week|month|year|percent|people|times|of)|[ -]?%)"
    r"|\b(?P<full>[a-z]{3,6}) o['’]?clock",
    re.IGNORECASE,
)
_HALF_BEFORE: Final = re.compile(r"\bhalb (?P<hour>\w+)", re.IGNORECASE)
_FOREIGN_SPOKEN: Final = tuple(
    (re.compile(pattern.replace("H", r"(?P<hour>\d\d?|[^\W\d_]+)"), re.IGNORECASE), shift)
    for pattern, shift in (
        (r"\b(?:viertel nach|kwart over|kvart över) H", 15),
        (r"\b(?:viertel vor|dreiviertel|kwart voor|kvart i) H", -15),
        (r"\b(?:viertel) H", -45),
        (r"\bhalf (?P<hour>[^\W\d_]+)", -30),  # in Dutch and Swedish
        (r"\bH(?: ?h(?:eures?)?)? (?:et demie|y media|e mezz[ao]|e meia|с половиной)\b", 30),
        (r"\bH(?: ?h(?:eures?)?)? (?:et quart|y cuarto|e un quarto|e quinze)\b", 15),
        (r"\bH(?: ?h(?:eures?)?)? (?:moins le quart|menos cuarto|meno un quarto)\b", -15),
        (r"\bH (?:heures?|uhr|uur|часов|часа|點|点|時|시)\b", 0),
    )
)
_HALF_AFTER: Final = re.compile(
    r"\bhalf (?P<hour>[a-z]{3,6}|\d\d?)(?! ?(?:%|percent|hours?|days?|weeks?|o))\b", re.IGNORECASE
)
_FIXED: Final = {"noon": 720, "midday": 720, "midnight": 0}
_FIXED_TIME: Final = re.compile(r"\b(noon|midday|midnight)\b", re.IGNORECASE)
_PAST: Final = {"half": 30, "quarter": 15}
_DAY_MINUTES: Final = 1440
_HALF_HOUR: Final = 30


@dataclass(frozen=True)
class Time:
    """A time of day at `start:end`. `minutes` are the minutes after midnight that it can mean ("3:30" can mean two)."""

    minutes: frozenset[int]
    start: int
    end: int
    second: int | None = None


def find_times(text: str) -> list[Time]:
    """Find what is clearly a time of day in `text`, in order."""
    times: list[Time] = []
    for read in (_ranges, _spoken, _clock):
        for time in read(text):
            if not any(time.start < other.end and other.start < time.end for other in times):
                times.append(time)
    return sorted(times, key=lambda time: time.start)


def find_loose_times(text: str) -> set[int]:
    """Find the minutes after midnight that numbers in `text` may mean: "at 9", "between 4 and 6", "1817", "18.50"."""
    minutes: set[int] = set()
    for match in _MILITARY.finditer(text):
        minutes |= _readings(int(match["hour"]), int(match["minute"]), None)
    for match in _CLOCK.finditer(text):
        if match["minute"]:
            minutes |= _readings(int(match["hour"]), int(match["minute"]), match["suffix"])
    for spoken in find_read_out(text):
        hour_and_minute = "".join(spoken.parts[:1]), "".join(spoken.parts[1:])
        if len(hour_and_minute[1]) == 2 and int(hour_and_minute[0]) <= 24 and int(hour_and_minute[1]) < 60:
            minutes |= _readings(int(hour_and_minute[0]), int(hour_and_minute[1]), None)
    for match in _HALF_AFTER.finditer(text):  # "half three" is half past three in Britain
        hour = _hour(match["hour"])
        minutes |= _readings(hour, 30, None) if hour is not None and hour <= 12 else set()
    for match in _SHORT.finditer(text):  # "the 715 train"
        minutes |= _readings(int(match["hour"]), int(match["minute"]), None)
    for match in _MINUTES_AROUND.finditer(text):
        hour, past = _hour(match["hour"]), _minutes_past((match["past"] or match["word"]).lower())
        if hour is not None and 0 < past <= _HALF_HOUR:
            shift = past if (match["direction"] or "").lower() in ("past", "after") else -past
            minutes |= _both_halves(hour * 60 + shift)
    for pattern, shift in _FOREIGN_SPOKEN:
        for match in pattern.finditer(text):
            minutes |= _foreign_hour(match["hour"], shift)
    for match in _BARE_HOUR.finditer(text):
        hour = _hour(match["hour"])
        minutes |= _readings(hour, 0, None) if hour is not None else set()
    return minutes


def _ranges(text: str) -> list[Time]:
    """Read both ends of "2-4pm", "14:00-16:00" and "14-16 Uhr"."""
    times: list[Time] = []
    for match in _RANGE.finditer(text):
        hours, minutes = ([int(match[f"{name}{end}"] or 0) for end in ("", 2)] for name in ("hour", "minute"))
        suffixes = [match["suffix"], match["suffix2"]]
        on_a_clock = match["mark"] == match["mark2"] == ":" and match["minute"] and match["minute2"]
        in_french = "h" == (match["mark"] or "").lower() == (match["mark2"] or "").lower()
        if not (suffixes[1] or match["uhr"] or on_a_clock or in_french) or (any(suffixes) and max(hours) > 12):
            continue
        begin = max(match.end(name) for name in ("hour", "mark", "minute", "suffix"))
        times += [
            Time(frozenset(_readings(hours[0], minutes[0], suffixes[0])), match.start(), begin),
            Time(frozenset(_readings(hours[1], minutes[1], suffixes[1])), match.start("hour2"), match.end()),
        ]
    return times


def _clock(text: str) -> list[Time]:
    times = [
        Time(frozenset({int(match["hour"]) * 60 + int(match["minute"])}), *match.span())
        for match in _COMPACT.finditer(text)
    ]
    for match in _JOINED.finditer(text):  # "530pm"
        readings = _readings(int(match["hour"]), int(match["minute"]), match["suffix"])
        times.append(Time(frozenset(readings), *match.span()))
    for match in _CLOCK.finditer(text):
        written = match["mark"] == ":" or (match["minute"] and (match["h24"] or _is_french(match, text)))
        part = (match["part"] or "").lower()
        suffix = match["suffix"] or ("" if not part else "a" if "morning" in part else "p")
        if written or suffix or match["oclock"]:
            end = max(match.end(key) for key in ("hour", "minute", "second", "suffix", "oclock", "part", "zone"))
            end = match.end() if match["suffix"] and not match["h24"] else end
            readings = _readings(int(match["hour"]), int(match["minute"] or match["after"] or 0), suffix)
            second = int(match["second"]) if match["second"] else None
            times.append(Time(frozenset(readings), match.start(), end, second))
    return times


def _is_french(match: re.Match[str], text: str) -> bool:
    """Say whether "15h05" is a time; it may also be a duration."""
    return (match["mark"] or "").lower() == "h" and _BEFORE_H.search(text, 0, match.start()) is not None


def _spoken(text: str) -> list[Time]:
    times = [Time(frozenset({_FIXED[m[1].lower()]}), m.start(), m.end()) for m in _FIXED_TIME.finditer(text)]
    for match in _HALF_BEFORE.finditer(text):  # "halb drei" is half past two
        if half := _foreign_hour(match["hour"], -30):
            times.append(Time(frozenset(half), match.start(), match.end()))
    for match in _SPOKEN.finditer(text):
        hour = _hour(match["hour"] or match["full"])
        if hour is None:
            continue
        shift = _minutes_past(match["past"].lower()) if match["past"] else 0
        minutes = hour * 60 + (-shift if match["direction"] == "to" else shift)
        part = (match["part"] or "").lower()
        suffix = match["suffix"] or ("" if not part else "a" if "morning" in part else "p")
        shifted = minutes % (_DAY_MINUTES // 2) + (_DAY_MINUTES // 2 if suffix.lower() == "p" else 0)
        readings = frozenset({shifted}) if suffix else _both_halves(minutes)
        times.append(Time(readings, match.start(), match.end()))
    return times


def _foreign_hour(word: str, shift: int) -> set[int]:
    """Return the minutes after midnight of an hour in another language, moved by `shift`. Empty if it is no hour."""
    hour = int(word) if word.isdecimal() else int(FOREIGN_NUMBERS.get(word.lower(), 0))
    return set(_both_halves(hour * 60 + shift)) if 1 <= hour <= 12 else set()


def _minutes_past(word: str) -> int:
    if word in _PAST:
        return _PAST[word]
    spelled = find_number_words(word)
    return int(word) if word.isdecimal() else int(spelled[0].value) if spelled else 0


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
