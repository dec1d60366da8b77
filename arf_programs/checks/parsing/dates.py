"""Dates and weekdays in a text: "May 5th", "05/05", "2025-05-05T10:32Z", "12/2026", "4. März", "Monday".

Months and weekdays are known in English and in other languages of customers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from arf_programs.checks.parsing.times import Time, find_times
from arf_programs.text import word_set

MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_SHORT: Final = {month[:3]: number for number, month in enumerate(MONTHS, start=1)}
_FOREIGN: Final = (
    "januar jan januari janvier janv enero gennaio janeiro stycznia января січня ocak "
    "tammikuuta ledna január ianuarie ιανουαρίου يناير जनवरी",
    "februar febr februari février févr febrero febbraio fevereiro lutego февраля лютого şubat "
    "helmikuuta února február februarie φεβρουαρίου فبراير फरवरी",
    "märz maerz mrz mars marzo maart março marca марта березня mart "
    "maaliskuuta března március martie μαρτίου مارس मार्च",
    "abril avril avr aprile kwietnia апреля квітня nisan huhtikuuta dubna április aprilie απριλίου أبريل अप्रैल",
    "mai mayo mei maggio maio maja maj мая травня mayıs toukokuuta května május μαΐου مايو मई",
    "juni juin junio giugno junho czerwca июня червня haziran kesäkuuta června június iunie ιουνίου يونيو जून",
    "juli juillet juil julio luglio julho lipca июля липня temmuz heinäkuuta července július iulie ιουλίου يوليو जुलाई",
    "août agosto augustus augusti sierpnia августа серпня ağustos elokuuta srpna augusztus αυγούστου أغسطس अगस्त",
    "septembre septiembre settembre setembro września сентября вересня eylül "
    "syyskuuta září szeptember septembrie σεπτεμβρίου سبتمبر सितंबर",
    "oktober okt octobre octubre ottobre outubro października октября жовтня ekim "
    "lokakuuta října október octombrie οκτωβρίου أكتوبر अक्टूबर",
    "novembre noviembre novembro listopada ноября листопада kasım "
    "marraskuuta listopadu noiembrie νοεμβρίου نوفمبر नवंबर",
    "dezember dez décembre déc diciembre dicembre dezembro desember grudnia декабря грудня aralık "
    "joulukuuta prosince decembrie δεκεμβρίου ديسمبر दिसंबर",
)
MONTH_NUMBERS: Final = {
    **{name: number for number, names in enumerate(_FOREIGN, start=1) for name in names.split()},
    **{month: number for number, month in enumerate(MONTHS, start=1)},
    **_SHORT,
    "sept": 9,
}
ENGLISH_MONTH: Final = "|".join(
    [*(f"{month[:3]}(?:{month[3:]})?" for month in MONTHS if len(month) > 3), "may", "sept"]
)
ANY_MONTH: Final = "|".join(sorted(MONTH_NUMBERS, key=len, reverse=True))
_ALSO_WORDS: Final = word_set("mars mart mai mayo mei maio maja maj marca nisan jan febr avr juil okt dez déc")
LONE_MONTH: Final = "|".join(
    [ENGLISH_MONTH, *(name for name in MONTH_NUMBERS if name not in _ALSO_WORDS and name not in MONTHS)]
)
"""Months that are no other word, so that they need no day beside them."""
WEEKDAYS: Final = {
    form: day
    for day, forms in enumerate(
        [
            "monday mon montag lundi lunes lunedì maandag segunda-feira poniedziałek понедельник",
            "tuesday tues tue dienstag martes martedì dinsdag terça-feira wtorek вторник",
            "wednesday weds wed mittwoch mercredi miércoles mercoledì woensdag quarta-feira środa среда среду",
            "thursday thurs thur thu donnerstag jeudi jueves giovedì donderdag quinta-feira czwartek четверг",
            "friday fri freitag vendredi viernes venerdì vrijdag sexta-feira piątek пятница пятницу",
            "saturday sat samstag sonnabend samedi sábado sabato zaterdag sobota суббота субботу",
            "sunday sun sonntag dimanche domingo domenica zondag niedziela воскресенье",
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
_YEAR: Final = (
    r"(?:(?:,? ?| de | del |-)(?P<year>(?:19|20)\d\d)\b|(?:, ?| )'(?P<year2>\d\d)\b|"
    r"(?<=[^\W\d_])-(?P<year3>\d\d)\b|(?<=[^\W\d_])(?P<year4>\d\d)\b)?"
)
_NAMED: Final = re.compile(
    rf"\b(?:(?:the )?(?P<day>[0-3]?\d|{_SPELLED})(?:st|nd|rd|th|er|º|\.(?= ?\D))?(?: of| de)?[ -]?"
    rf"(?P<month>{ANY_MONTH})(?![^\W\d_])\.?"
    rf"|(?P<month2>{ENGLISH_MONTH})\b\.?[ -](?:the )?(?P<day2>[0-3]?\d|(?:{_SPELLED})\b)(?:st|nd|rd|th)?\b"
    rf"(?![:.]\d|\d|%)){_YEAR}",
    re.IGNORECASE,
)
_EASTERN: Final = re.compile(
    r"(?:(?P<year>\d{4}) ?[年년] ?)?(?P<month>1[0-2]|0?[1-9]) ?[月월] ?(?P<day>[0-3]?\d) ?[日号號일]"
)
_NUMERIC: Final = re.compile(
    r"(?:(?<![\w/.-])|(?<=\d[/.]\d-)|(?<=\d[/.]\d\d-))(?:(?P<iso>(?:19|20)\d\d)(?P<mark>[-/.])(?P<iso_month>\d\d?)(?P=mark)(?P<iso_day>\d\d?)"
    r"|(?P<compact>(?:19|20)\d\d)(?P<compact_month>0[1-9]|1[0-2])(?P<compact_day>0[1-9]|[12]\d|3[01])(?=T\d|(?!\w))"
    r"|(?P<a>\d\d?)(?P<part>[/.-])(?P<b>\d\d?)(?:(?P=part)(?P<year>\d{4}|\d\d))?)(?:(?=T\d)|(?![\w/]|\.\d|-\d(?!\d?[/.]\d)))"
)
_MONTH_AND_YEAR: Final = re.compile(
    r"(?<![\w/.-])(?:(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)\d\d)|(?P<month2>0[1-9]|1[0-2])[.-](?P<year2>20\d\d)|"
    r"(?P<year3>20\d\d)[-/](?P<month3>0[1-9]|1[0-2]))(?![\w/]|[.-]\d)"
)
_DOTTED: Final = re.compile(r"(?<![\w/.,-])(?P<a>\d\d?)\.(?P<b>\d\d?)(?:\.(?![\w.])|(?![\w.,:%]))")
_SHARE: Final = re.compile(
    r" ?(?:of|an?|the|price|hours?|days?|weeks?|months?|years?|cups?|inch(?:es)?|miles?|kg|off|full|empty)\b",
    re.IGNORECASE,
)
_DATED: Final = re.compile(r"\b(?:on|by|until|dated)\s+$", re.IGNORECASE)
_ALONE: Final = re.compile(
    rf"\b(?P<month>{LONE_MONTH})\b\.?(?:(?:,? (?:de )?(?P<year>(?:19|20)\d\d)|,? '(?P<year2>\d\d))\b)?", re.IGNORECASE
)
_WEEKDAY: Final = re.compile(
    rf"\b(?P<day>{'|'.join(sorted(WEEKDAYS, key=len, reverse=True))})(?:s|'s|’s)?\b", re.IGNORECASE
)
_MONTH_DASH: Final = re.compile(r"[^\W\d_]{3}-\d\d")
_MONTH_YEAR: Final = ("month", "year")


@dataclass(frozen=True)
class Date:
    """A date at `start:end`, which may be incomplete. `days` holds its possible `(day, month)` pairs, 0 for unknown.

    "05/06" is two pairs, and "May" is `(0, 5)`. `weekday`, from 0 for Monday, is for a date that is only a weekday.
    `expiry` is the month and the year, of two digits, that "12/26" may mean instead of a day.
    """

    days: frozenset[tuple[int, int]]
    start: int
    end: int
    year: int | None = None
    weekday: int | None = None
    numeric: bool = False
    expiry: tuple[int, int] | None = None


def find_dates(text: str, *, lenient: bool = False) -> list[Date]:
    """Find the dates, months and weekdays in `text`, in order.

    A month alone needs a capital letter; one that is also another word ("May", "March") must not begin a sentence.
    Short forms of weekdays need a capital letter. With `lenient` none of this is needed, as in chats.
    """
    return list(_read(text, lenient))


@lru_cache(maxsize=256)
def _read(text: str, lenient: bool) -> tuple[Date, ...]:
    dates: list[Date] = []
    named = (
        *_named(text, lenient),
        *_numeric(text, lenient),
        *_months_of_years(text),
        *_eastern(text),
        *_alone(text, lenient),
        *_weekdays(text, lenient),
    )
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
            year = match["year"] or match["year2"] or match["year3"] or match["year4"]
            end = match.end() - match.group().endswith(".")
            expiry = (_month(word), day) if _MONTH_DASH.fullmatch(match.group()) else None  # "Oct-23", as in Excel
            days = frozenset({(day, _month(word))})
            dates.append(Date(days, match.start(), end, int(year) if year else None, expiry=expiry))
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
        expiry = None if year is not None or parts.get("part") != "/" else _expiry(int(match["a"]), int(match["b"]))
        if days or expiry:
            dates.append(Date(days, match.start(), match.end(), year, numeric=True, expiry=expiry))
    return dates


def _expiry(month: int, year: int) -> tuple[int, int] | None:
    return (month, year) if 1 <= month <= 12 and year > 12 else None


def _months_of_years(text: str) -> list[Date]:
    """Find "12/2026" and "2026-12"."""
    dates = []
    for match in _MONTH_AND_YEAR.finditer(text):
        month, year = (
            next(int(match[f"{name}{n}"]) for n in ("", 2, 3) if match[f"{name}{n}"]) for name in _MONTH_YEAR
        )
        dates.append(Date(frozenset({(0, month)}), *match.span(), year, numeric=True))
    return dates


def _eastern(text: str) -> list[Date]:
    """Find "2025年3月4日"."""
    return [
        Date(
            frozenset({(int(match["day"]), int(match["month"]))}),
            *match.span(),
            int(match["year"]) if match["year"] else None,
        )
        for match in _EASTERN.finditer(text)
    ]


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
        written = match["year"] or match["year2"]
        year = int(written) if written else None
        end = match.end() if year else match.end("month")
        dates.append(Date(frozenset({(0, _month(word))}), match.start(), end, year))
    return dates


def _weekdays(text: str, lenient: bool) -> list[Date]:
    dates = []
    for match in _WEEKDAY.finditer(text):
        word = match["day"]
        if lenient or len(word) > 5 or word[0].isupper():
            dates.append(Date(frozenset(), match.start(), match.end("day"), weekday=WEEKDAYS[word.lower()]))
    return dates


def _opens_sentence(text: str, place: int) -> bool:
    before = text[:place].rstrip(" \"'“(")
    return not before or before[-1] in ".!?\n:"


def _month(word: str) -> int:
    return MONTH_NUMBERS[word.lower()]
