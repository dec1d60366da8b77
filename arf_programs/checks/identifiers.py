"""The check of codes (order numbers, references, models, versions), and the check of personal data."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from arf_programs.checks.finding import Finding, Material, squeeze
from arf_programs.checks.forms import has_other_form, read_name_forms
from arf_programs.checks.parsing.dates import find_dates
from arf_programs.checks.parsing.number_words import find_read_out
from arf_programs.checks.parsing.quantities import SCIENTIFIC, find_quantities
from arf_programs.checks.parsing.times import find_times
from arf_programs.checks.parsing.units import CURRENCIES, LETTER_SCALES, MEASURES, TIME_UNITS

_CODE: Final = re.compile(
    r"\b[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}\b|"  # a postcode of the United Kingdom
    r"(?<![\w@#/.])#?(?:[A-Za-z]+[-_/.]?\d|\d+[-_/.]?[A-Za-z]|\d+[-_]\d|\d+\.\d+\.\d)[\w]*(?:[-_/.]\w+)*"
)
_JOINED: Final = MEASURES | set(TIME_UNITS) | set(LETTER_SCALES) | {word for word in CURRENCIES if word.isalpha()}
_UNIT: Final = re.compile(
    rf"\d+h[0-5]\d(?:m|min)?|\d+(?:[.,]\d+)?-?(?:{'|'.join(sorted(map(re.escape, _JOINED), key=len, reverse=True))}"
    r"|way|minutes?-\w+|hours?-\w+|days?-\w+)\.?",
    re.IGNORECASE,
)
_SCIENTIFIC: Final = re.compile(SCIENTIFIC, re.IGNORECASE)
_RANGE: Final = re.compile(r"\d{1,3}(?:\.\d+)?-\d{1,3}(?:\.\d+)?|\d+(?:\.\d+)?-?(?:to-)?\d*-?[a-z]+", re.IGNORECASE)
_GROUPS: Final = re.compile(
    r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?)?(?:\(0\) ?)?(?:\(\d{2,}\)|\d{2,})"
    r"(?:[ .-]{1,2}(?:\(\d{2,}\)|\d{2,}))+(?![\w/-]|[.,]\d)"
)
_SEAT: Final = re.compile(
    r"\b(?:seats?|rows?|flat|apt\.?|apartment|unit|room|gate|suite|platform|block|house)"
    r"(?: (?:no\.?|number|is|was))? $",
    re.IGNORECASE,
)
_AROUND: Final = 24
_TRUNK: Final = "(0)"
"""In a phone number, what is dialled only within the country."""

_LONG: Final = 7
_PHONE_LEAST: Final = 8
_COUNTRY_CODE: Final = 3


class Code(NamedTuple):
    """A code at `start:end`. `key` is the code in lower case without punctuation."""

    key: str
    start: int
    end: int


def find_codes(text: str) -> list[Code]:
    """Find codes: mixed letters and digits, versions, and digits in groups, but no amounts, measures and dates."""
    return list(_read_codes(text))


@lru_cache(maxsize=256)
def _read_codes(text: str) -> tuple[Code, ...]:
    amounts = [(item.start, item.end) for item in find_quantities(text) if item.kind == "money"]
    taken = amounts + [(date.start, date.end) for date in find_dates(text) if date.numeric or date.days]
    codes = []
    for match in _GROUPS.finditer(text):
        key = squeeze(match.group().replace(_TRUNK, ""))
        if len(key) >= _LONG and not _overlap(match.span(), taken):
            codes.append(Code(key, match.start(), match.end()))
    taken += [(code.start, code.end) for code in codes] + [(time.start, time.end) for time in find_times(text)]
    for match in _CODE.finditer(text):
        code = match.group().rstrip(".-_/")
        measure = bool(
            _UNIT.fullmatch(code) or _RANGE.fullmatch(code) or "/" in code or _SCIENTIFIC.match(text, match.start())
        )
        span = (match.start(), match.start() + len(code))
        seat = _SEAT.search(text, max(0, match.start() - _AROUND), match.start())
        if seat and code[-1].isupper():
            measure = False
        if len(squeeze(code)) > 1 + (not seat) and not measure and not _overlap(span, taken):
            codes.append(Code(squeeze(code), *span))
    return tuple(sorted(codes, key=lambda code: code.start))


def _overlap(span: tuple[int, int], others: list[tuple[int, int]]) -> bool:
    return any(start < span[1] and span[0] < end for start, end in others)


def check_codes(material: Material) -> list[Finding]:
    """Report codes of the summary that no turn contains, with any spaces or hyphens, read out, or spelled out (PS4)."""
    texts = [form for text in material.texts for form in (text, write_digits(text), text.replace(_TRUNK, ""))]
    squeezed = list(dict.fromkeys(map(squeeze, texts)))
    turns_with_codes = {turn for turn, text in enumerate(material.texts, start=1) if find_codes(text)}
    numbers = [number for text in squeezed for number in re.findall(r"\d{7,}", text)]
    forms = read_name_forms(material.texts)
    findings = []
    for code in find_codes(material.summary):
        if any(code.key in text for text in squeezed) or any(same_phone(code.key, number) for number in numbers):
            continue
        if forms.abbreviates(material.summary[code.start : code.end]) or has_other_form(code.key, texts):
            continue
        quote = material.written(code.start, code.end)
        evidence = material.nearest_turns(turns_with_codes, code.start)
        category = "wrong_fact" if evidence else "fabricated"
        reason = f'The conversation does not contain the code "{quote}".'
        findings.append(Finding(category, code.start, code.end, reason, "major", evidence))
    return findings


_LETTERS: Final = (
    "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima mike november oscar papa "
    "quebec romeo sierra tango uniform victor whiskey whisky xray x-ray yankee zulu"
)
_AS_IN: Final = re.compile(
    rf"\b(?P<letter>[A-Za-z]),? (?:as in|for|like|wie|comme|come|como|van) \w+(?:-\w+)*"
    rf"|\b(?P<word>{_LETTERS.replace(' ', '|')})\b",
    re.IGNORECASE,
)


def write_digits(text: str) -> str:
    """Replace digits and letters that are read out by themselves.

    "K D double seven one" is "K D 771", and so are "K as in kilo, D as in dog, ..." and "kilo delta ...".
    """
    text = _AS_IN.sub(lambda match: match["letter"] or match["word"][0], text)
    for spoken in reversed(find_read_out(text)):
        text = text[: spoken.start] + spoken.digits + text[spoken.end :]
    return text


def same_phone(one: str, other: str) -> bool:
    """Say whether two numbers are one phone number, with and without the code of the country: 0770 is +44 770."""
    if not (one.isdecimal() and other.isdecimal()):
        return False
    short, long = sorted((one.lstrip("0"), other.lstrip("0")), key=len)
    return len(short) >= _PHONE_LEAST and long.endswith(short) and len(long) - len(short) <= _COUNTRY_CODE


_EMAIL: Final = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_NUMBER: Final = re.compile(r"(?<![\w#.,/$€£-])(?:\+|\()?\d[\d ()./-]{4,24}\d(?![\w%]|[.,]\d)")
_PHONE: Final = re.compile(
    r"\b(?:phone|telephone|mobile|cell|landline|whatsapp|tel|fax)\b|\b(?:call(?:ed)?|ring|telephoned?|text|phoned?|dial|reach(?:ed)?)"
    r"(?: back)?(?: \w+){0,3} (?:on|at|under)\b",
    re.IGNORECASE,
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
_SECRET: Final = re.compile(
    r"\b(?:password|passcode|pin|cvv|cvc|social security number|ssn|date of birth|dob|born on)\b"
    r"(?: (?:is|was|of|number|code))*:? (?P<value>[\"'“]?(?=\S*\d)\S{2,}\w)",
    re.IGNORECASE,
)
_STREET: Final = re.compile(
    r"\b\d{1,5}[A-Za-z]? (?:[A-Z][\w'’]+ ){1,3}(?:Street|St\.|Avenue|Ave\.?|Road|Rd\.?|Lane|Ln\.?|Drive|Dr\.?|"
    r"Boulevard|Blvd\.?|Court|Ct\.?|Way|Terrace|Crescent|Close)(?!\w)(?:,? (?:Apt|Flat|Apartment|Unit) \w+)?"
)
_BEFORE: Final = 40
_CARD: Final = range(13, 20)
_PHONE_DIGITS: Final = range(7, 16)


def check_private_data(material: Material) -> list[Finding]:
    """Report personal data: e-mail and street addresses, secrets, and account, card and phone numbers.

    A card number has 13 to 19 digits and a right check digit (Luhn). A phone number has 7 to 15 digits. It begins with
    "+" or "0", or is written in groups, or follows words such as "phone" or "call back on".
    """
    text = material.summary
    findings = [_finding(material, match.start(), match.end(), "e-mail address") for match in _EMAIL.finditer(text)]
    findings += [_finding(material, match.start(), match.end(), "account number") for match in _IBAN.finditer(text)]
    findings += [_finding(material, match.start(), match.end(), "street address") for match in _STREET.finditer(text)]
    findings += [_finding(material, *match.span("value"), "secret") for match in _SECRET.finditer(text)]
    for match in _NUMBER.finditer(text):
        kind = _kind(match.group(), text[max(0, match.start() - _BEFORE) : match.start()])
        if kind:
            lone = match.group().startswith("(") and ")" not in match.group()
            findings.append(_finding(material, match.start() + lone, match.end(), kind))
    return findings


def _kind(number: str, before: str) -> str:
    """Say whether a long number is a card number or a phone number. Empty if it is neither."""
    digits = re.sub(r"\D", "", number)
    if len(digits) in _CARD and is_card(digits):
        return "card number"
    if len(digits) not in _PHONE_DIGITS or re.fullmatch(r"\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}", number):
        return _short_phone(digits, before)
    grouped = re.fullmatch(r"\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}", number) or re.fullmatch(r"555[ -]\d{4}", number)
    international = number[0] in "+(" or (digits[0] == "0" and len(digits) >= 9)
    return "phone number" if grouped or international or _PHONE.search(before) else ""


def _short_phone(digits: str, before: str) -> str:
    return "phone number" if len(digits) == 6 and _PHONE.search(before) else ""


def is_card(digits: str) -> bool:
    """Test a card number's check digit (ISO/IEC 7812-1: every second digit from the right doubled, sum modulo 10)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _finding(material: Material, start: int, end: int, kind: str) -> Finding:
    key = re.sub(r"\W", "", material.summary[start:end]).lower()
    turns = enumerate(material.texts, start=1)
    evidence = tuple(number for number, text in turns if key in re.sub(r"\W", "", text).lower())
    reason = f"The {kind} is personal data and does not belong in a summary."
    return Finding("private_data", start, end, reason, "major", evidence[:2])
