"""Times beside the names of speakers, as exports of chats write them: before a name, or behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

_ZONE = r"(?:Z\b|(?:UTC|GMT)(?:[+-]\d{1,2}(?::?\d\d)?)?|[ECMP][SD]T|CES?T|[+-]\d{2}:?\d{2})"
_CLOCK = (
    rf"(?:(?:上午|下午|午前|午後|오전|오후)\s?)?\d{{1,2}}[:.h]\d{{2}}(?:[:.]\d{{2}})?(?:[.,]\d{{1,6}})?"
    rf"(?:\s?(?:[ap]\.?\s?m\b\.?|[صم]\b))?(?:\s?\(?{_ZONE}\)?)?"
)
_MONTH = r"[^\W\d_]{3,10}\.?"
_SHORT_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_WEEKDAYS = (
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|"
    r"(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo"
)
_DAY = (
    r"(?:(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|(?:mon|diens|donners|frei|sams|sonn)tag|"
    r"mittwoch|mo|di|mi|do|fr|sa|so|(?:lun|mar|mercre|jeu|vendre|same)di|dimanche|lunes|martes|miércoles|jueves|viernes|"
    r"sábado|domingo|(?:lune|marte|mercole|giove|vener)dì|sabato|domenica)\.?,?\s)?"
    rf"(?:\d{{4}}[-/.년]\s?\d{{1,2}}[-/.월]\s?\d{{1,2}}[.일]?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{2,4}}\.?|"
    rf"\d{{1,2}}-{_SHORT_MONTH}-\d{{2,4}}|\d{{1,2}}(?:\.|st|nd|rd|th)?\s(?:de\s)?{_MONTH}(?:,?\s(?:de\s)?\d{{4}})|"
    rf"{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?,?\s\d{{4}}|{_SHORT_MONTH}\s\d{{1,2}}(?=,?\s(?:at\s)?\d{{1,2}}[:.])|"
    rf"(?:{_SHORT_MONTH}\s\d{{1,2}}|\d{{1,2}}[/.]\d{{1,2}}\.?|(?:mon|tue|wed|thu|fri|sat)|{_WEEKDAYS})(?=,?\s(?:at\s)?\d{{1,2}}[:.]\d\d)|"
    r"today|yesterday|heute|gestern|hoy|ayer|hier|oggi|ieri)"
)
_BETWEEN = r"(?:T|,?\s(?:at|um|à|klo|kl\.?|o|alle|a las|às|om)\s|,?\s)"
_ELAPSED = r"\s?(?:\d+h\s)?(?:\d+m\s)?\d+s\s?"
_STAMP = rf"(?:{_DAY}(?:{_BETWEEN}{_CLOCK})?|{_CLOCK}(?:,?\s(?:{_DAY}|{_SHORT_MONTH}\s\d{{1,2}}))?)"
_SECONDS = r"\d+\.\d+s?(?:\s?[-–]\s?\d+\.\d+s?)?|\d+(?:\.\d+)?s"
_RANGE = rf"{_STAMP}(?:\s?(?:-|–|-->|to)\s?{_STAMP})?"
_WRAPPED = rf"(?:\[(?:{_RANGE}|{_SECONDS})\]|\((?:{_STAMP}|{_ELAPSED})\)|{_STAMP})"
_BEFORE = rf"(?P<stamp>{_WRAPPED}(?:\s?[-–—|,:•](?=\s)|(?=[\s\]]|$)|(?<=[\])])))\s*(?P<text>.*)"
_BEHIND = (
    rf"(?P<name>[^:：]{{1,60}}?)(?P<stamp>(?:\s*[,\-–—|•·@]\s*|\s+|(?=[\[(]))(?:at\s)?{_WRAPPED})"
    r"\s*[:：](?!\d\d(?!\d))(?P<text>.*)"
)
_HEADING = rf"(?P<name>[^:：]{{1,60}}?)(?P<stamp>(?:\s*[,\-–—|•·]\s*|\s+|(?=[\[(]))(?:at\s)?{_WRAPPED})\s*[:：]?\s*"
_ALONE = rf"\s*(?:(?:app|bot|workflow)\s+)?(?P<stamp>{_WRAPPED})\s*"
_INVISIBLE = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SPACES = re.compile("[\u00a0\u2007\u202f\u2009]")


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when it is first needed: all four take a tenth of a second, and most commands need none."""
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Stamped:
    """A line with a time: the time, what stands beside it as a name if it is behind, and the other text."""

    stamp: str
    text: str
    name: str = ""

    @property
    def shape(self) -> str:
        """The form of the time without its digits and letters, such as `[9/9/9, 9:9]`. Lines of an export share it."""
        if "." in self.stamp or re.search(r"\d ?[hms]\b", self.stamp):
            elapsed = re.fullmatch(rf"[(\[](?:{_ELAPSED}|{_SECONDS})[)\]]", self.stamp.strip())
            if elapsed:
                return "elapsed"
        shape = re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", self.stamp))
        return f"{'name ' if self.name else ''}{' '.join(shape.split())}"


def plain_line(line: str) -> str:
    """Return a line without marks that cannot be seen, which some exports put beside names and times."""
    return line if line.isascii() else _SPACES.sub(" ", _INVISIBLE.sub("", line)).replace("\u060c", ",")


def stamp_before(line: str) -> Stamped | None:
    """Read `[12:03] text`, or another time at the beginning of a line."""
    match = _compiled(_BEFORE).match(line)
    return Stamped(match["stamp"], match["text"]) if match else None


def stamp_behind(line: str) -> Stamped | None:
    """Read `Name (12:03): text`, or another time between a name and its colon."""
    match = _compiled(_BEHIND).match(line)
    return Stamped(match["stamp"].strip(), match["text"], match["name"].strip()) if match else None


def stamp_heading(line: str) -> Stamped | None:
    """Read `Name 12:03`, a line of its own whose message stands below."""
    match = _compiled(_HEADING).fullmatch(line)
    return Stamped(match["stamp"].strip(), "", match["name"].strip()) if match else None


def is_stamp(line: str) -> bool:
    """Say whether a line is a time and nothing else."""
    return _compiled(_ALONE).fullmatch(line) is not None
