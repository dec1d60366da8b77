"""How a value is written in the place of another, in its form: sign, words or digits, ordinals, capitals, "an"."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks import Date, Quantity
from arf_programs.values.reading import WORDS, Value

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NAME: Final = re.compile(rf"\b(?:{'|'.join(f'{n[:3]}[a-z]*' for n in (*MONTHS, *WEEKDAYS))})\b", re.IGNORECASE)
_DAY: Final = re.compile(r"\b(\d\d?)(st|nd|rd|th)?\b")


class Replacement(NamedTuple):
    """The characters `start:end` of a text are to be replaced by `words`."""

    start: int
    end: int
    words: str


def write_value(text: str, wrong: Value, other: Value) -> Replacement | None:
    """Write `other` in the place of `wrong`, a value of `text`; None if the words would be the same.

    Digits and words, the form of a date, and capitals are as in `text`. The sign of a currency stays. Where `other` has
    another unit, or no such form, it is written as it stands in its own text.
    """
    start, end, words = wrong.start, wrong.end, other.text
    if wrong.quantity and other.quantity and _other_unit(wrong.quantity, other.quantity):
        start, end, words = wrong.quantity.start, wrong.quantity.end, other.whole
    elif wrong.quantity and other.quantity and wrong.quantity.spelled != other.quantity.spelled:
        words = write_like(wrong.text, other.quantity.value) or other.text
    elif wrong.date and other.date:
        words = _write_date(wrong, other.date) or _NAME.sub(lambda name: name.group().capitalize(), other.text)
    elif wrong.kind == "code":
        words = "#" * wrong.text.startswith("#") + other.text.removeprefix("#")
    elif wrong.kind == "name" and words.islower():
        words = words.title()
    if words == text[start:end]:
        return None
    return Replacement(*with_article(text, start, end, words))


def _other_unit(wrong: Quantity, other: Quantity) -> bool:
    """Say whether both values have a unit, and the units differ: "3 days" and "24 hours"."""
    return "plain" not in (wrong.kind, other.kind) and wrong.unit != other.unit


def write_like(old: str, value: float) -> str | None:
    """Write `value` in the form of `old`: in words, with as many decimals, with or without separated thousands.

    None if the value has no such form ("two hundred" in words, 12.50 without decimals).
    """
    if not old[:1].isdigit():
        if value != int(value) or not 0 <= value < len(WORDS):
            return None
        word = WORDS[int(value)]
        return word.capitalize() if old[:1].isupper() else word
    cents = re.search(r"([.,])(\d{1,2})$", old)
    if value != round(value, len(cents[2]) if cents else 0):
        return None
    whole = f"{value:,.{len(cents[2])}f}" if cents else f"{round(value):,}"
    if not re.search(r"[.,]\d{3}", old):
        whole = whole.replace(",", "")
    comma = bool(cents and cents[1] == ",") or (not cents and bool(re.search(r"\.\d{3}", old)))
    return whole.translate(str.maketrans(",.", ".,")) if comma else whole


def _write_date(wrong: Value, other: Date) -> str | None:
    """Write a date in the form of another of its sort; None if it is of another sort or has two readings."""
    if other.weekday is not None:
        return write_date(wrong.text, weekday=other.weekday) if wrong.date and wrong.date.weekday is not None else None
    if len(other.days) != 1 or not wrong.date or wrong.date.weekday is not None:
        return None
    day, month = min(other.days)
    if wrong.date.numeric or bool(day) != all(known for known, _ in wrong.date.days):
        return None
    return write_date(wrong.text, day=day or None, month=month)


def write_date(old: str, *, day: int | None = None, month: int | None = None, weekday: int | None = None) -> str | None:
    """Write `old` with another day (1 to 31), month (1 to 12) or weekday (0 is Monday), in its own form.

    None if the form cannot be changed: only dates with a name of month or weekday can, and the day of ISO dates.
    """
    new = old
    if weekday is not None:
        new = _NAME.sub(lambda name: _in_form(WEEKDAYS[weekday], name.group()), new, count=1)
    if month is not None:
        if not _NAME.search(new):
            return None
        new = _NAME.sub(lambda name: _in_form(MONTHS[month - 1], name.group()), new, count=1)
    if day is not None:
        if re.match(r"\d{4}-\d\d?-\d\d?$", new):
            return f"{new.rpartition('-')[0]}-{day:02d}"
        if not _NAME.search(new):
            return None
        new = _DAY.sub(lambda number: f"{day}{_ordinal(day) if number[2] else ''}", new, count=1)
    return None if new == old else new


def _in_form(name: str, old: str) -> str:
    """Write `name` in the form of `old`: in full or short, with a capital or not."""
    full = len(old) > 4 or old.lower() in ("may", "june", "july")
    new = name if full else name[:3]
    return new if old[0].isupper() else new.lower()


def _ordinal(day: int) -> str:
    return {1: "st", 2: "nd", 3: "rd"}.get(day % 10 if day not in (11, 12, 13) else 0, "th")


_ARTICLE: Final = re.compile(r"\b([Aa])(n?) ([$€£#]?)$")
_SILENT: Final = ("hour", "honest", "honour", "heir")
_LIKE_YOU: Final = ("uni", "use", "usu", "uti", "eu", "one", "once")


def with_article(text: str, start: int, end: int, words: str) -> tuple[int, int, str]:
    """Widen a replacement by the indefinite article before it, if that has to become "a" or "an"."""
    before = _ARTICLE.search(text, 0, start)
    if before is None:
        return start, end, words
    article = before[1] + ("n" if _opens_with_vowel(words) else "")
    if article == before[1] + before[2]:
        return start, end, words
    return before.start(), end, f"{article} {before[3]}{words}"


def _opens_with_vowel(words: str) -> bool:
    """Whether "an" goes before the words, by their sound: "an hour", "a unit", "an 80", "an 11"."""
    word = words.lstrip("$€£#").lower()
    if word[:1].isdigit():
        return word[0] == "8" or word.split(".")[0] in ("11", "18")
    return word.startswith(_SILENT) or (word[:1] in tuple("aeiou") and not word.startswith(_LIKE_YOU))
