"""Recognise private values that have a pattern: addresses on the net, IBANs, cards, phones, plates, numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from arf_programs.checks import find_dates, find_quantities, is_card
from arf_programs.privacy.values import Found, Kind, code_key
from arf_programs.text import Span, meets
from signatures.exceptions import MissingExtra

START: Final = r"(?:(?<![^\W_])|(?<=\\[ntr]))"
"""Where a word may begin: after no letter or digit, or after an escaped line break of JSON."""

END: Final = r"(?![^\W_])"
"""Where a word may end."""

_EMAIL: Final = re.compile(
    rf"{START}[^\W_][\w.+%-]*@[^\W_][\w-]*(?:\.[\w-]+)*\.[^\W\d_]{{2,}}{END}"
    rf"|{START}[^\W_][\w.+-]* ?[\[(](?:at|AT)[\])] ?[\w-]+ ?[\[(](?:dot|DOT)[\])] ?\w{{2,}}{END}"
)
URL: Final = re.compile(rf"{START}(?:https?://|www\.)[^\s<>\"'`|\\]+|{START}(?:[\w-]+\.)+[a-z]{{2,}}/[^\s<>\"'`|\\]+")
_URL_TAIL: Final = ".,;:!?)]}…"
_HAS_ID: Final = re.compile(r"(?<=[/=?&#_.-])[^/=?&#]*\d[^/=?&#]*|(?<==)[^&#]{3,}|(?<=#)[^/]{6,}")

_IBAN: Final = re.compile(
    rf"{START}[A-Za-z]{{2}}\d{{2}}(?:[ -]?[A-Za-z0-9]{{4}}){{2,7}}(?:[ -]?[A-Za-z0-9]{{1,3}})?{END}"
)
_DIGITS: Final = re.compile(r"(?<![\w.,$€£#-])(?:\+|\()?\d(?:[ ()./-]{0,2}\d){5,22}(?![\w%]|[.,]\d)")
_CARD: Final = re.compile(
    rf"{START}\d{{4}}[ -]?\d{{4}}[ -]?\d{{4}}[ -]?\d{{1,7}}{END}|"
    rf"{START}\d{{4}}[ -]?\d{{6}}[ -]?\d{{5}}{END}"
)
_INTERNATIONAL: Final = re.compile(rf"(?<![\w+])(?:\+|00)\d(?:[ ()./-]{{0,2}}\d){{7,14}}{END}")
_NATIONAL: Final = re.compile(
    rf"(?<![\w.,/$€£#-])(?:\(?0\d(?:[ ()./-]{{0,2}}\d){{6,11}}|\(\d{{3}}\) ?\d{{3}}[ .-]?\d{{4}}|"
    rf"\d{{3}}[ .-]\d{{3}}[ .-]\d{{4}}){END}"
)
_CALLED: Final = re.compile(
    r"\b(?:phone|telephone|mobile|cell|landline|whatsapp|tel|fax|telefon\w*|handy\w*|mobil\w*|rufnummer|téléphone|"
    r"portable|teléfono|móvil|telefono|cellulare|telefoon\w*|ring|call(?:ed)? (?:me|back|us)|reach me|text me)\b"
    rf"[^\d\n]{{0,25}}?(?P<value>[+(]?\d(?:[ ()./-]{{0,2}}\d){{5,14}}){END}",
    re.IGNORECASE,
)

# Three capitals after four digits that are no plate: currencies, units, and times.
_NO_PLATE: Final = (
    r"(?:USD|EUR|GBP|CHF|JPY|CNY|INR|PLN|SEK|NOK|DKK|CZK|HUF|RON|TRY|AUD|CAD|NZD|ZAR|BRL|MXN|SGD|HKD|KRW|THB|RUB|ILS|AED|"
    r"NGN|GMT|UTC|CET|BST|EST|PST|MAH|RPM|KWH|MHZ|KHZ|PPI|DPI|KCAL|AND|THE|FOR|BMW|XXL|PLC|LTD|INC)"
)
_PLATES: Final = re.compile(
    rf"{START}(?:[A-Z]{{2}}\d{{2}} ?[A-Z]{{3}}|[A-Z]{{2}}-\d{{3}}-[A-Z]{{2}}|[A-Z]{{2}} ?\d{{3}} ?[A-Z]{{2}}|"
    rf"[A-ZÄÖÜ]{{1,3}}-[A-Z]{{1,2}} ?\d{{1,4}}[EH]?|\d{{4}} ?(?!{_NO_PLATE}{END})[A-Z]{{3}}){END}"
)
_PLATED: Final = re.compile(
    r"\b(?:plates?|number ?plates?|registration|reg|kennzeichen|immatriculation|plaque|matr[íi]cula|targa|kenteken|"
    r"nummerplaat|rejestracyjn\w+)\b(?: (?:number|no\.?|is|was|ist|lautet|est|es|è|of|on (?:the|my) car|number is))*"
    rf"[\s:#]{{1,3}}(?P<value>(?=[A-Z0-9 -]*\d)[A-Z0-9ÄÖÜ]{{1,4}}(?:[ -]?[A-Z0-9]{{1,4}}){{1,3}}){END}",
    re.IGNORECASE,
)

_LABEL: Final = (
    r"orders?|ticket|case|ref(?:erence)?|account|acct|customer|client|invoice|booking|confirmation|reservation|tracking|"
    r"policy|member(?:ship)?|serial|contract|claim|transaction|shipment|parcel|voucher|loyalty|passport|licen[cs]e|"
    r"flyer|incident|request|complaint|receipt|user|patient|meter|imei|vin|ssn|social security|tax|id|pnr|"
    r"(?:bestell|auftrags?|kunden|rechnungs?|konto|vorgangs?|vertrags?|ticket|fall|sendungs?|buchungs?|serien|"
    r"mitglieds?|referenz)-?(?:nummer|nr\.?|code)|bestellung|auftrag|rechnung|vorgang|commande|dossier|facture|compte|"
    r"référence|contrat|r[ée]servation|pedido|cliente|cuenta|factura|referencia|reserva|ordine|fattura|conto|pratica|"
    r"prenotazione|(?:bestel|klant|factuur|rekening|order|zaak)nummer|bestelling|zamówieni\w+"
)
_NUMBER_WORD: Final = (
    r"numbers?|num|no\.?|nr\.?|n[°º]|nummer|numéro|n[úu]mero|numero|id|code|código|codice|ref(?:erence)?|locator"
)
_LINK: Final = r"is|was|ist|lautet|est|es|è|are|:|=|-|de|du|di|del|der|mit der|the|is the|would be|should be"
_LABELLED: Final = re.compile(
    rf"\b(?:{_LABEL})(?:\s*\(?(?:{_NUMBER_WORD})\)?)?(?:\s*(?:{_LINK})(?![^\W_]))*(?:\s*(?:{_NUMBER_WORD}))?[\s:#]*"
    rf"{START}(?P<value>\d{{2,}}(?:[ -]\d{{2,}})+|[A-Za-z]{{0,4}}[ -]?\d[A-Za-z0-9]*(?:[-/_][A-Za-z0-9]+)*|"
    rf"[A-Za-z0-9]+(?:[-/_][A-Za-z0-9]+)*){END}(?![.,]\d)",
    re.IGNORECASE,
)
_LOCATOR: Final = re.compile(
    r"\b(?:booking (?:reference|code|number|ref)|reservation (?:code|number)|record locator|locator|pnr|"
    r"confirmation (?:code|number)|reference|referencia|buchungscode|code de réservation)"
    r"(?: (?:is|was|ist|est|es))?[\s:#]+"
    rf"(?P<value>[A-Z]{{5,8}}){END}"
)
_HASHED: Final = re.compile(rf"(?<![\w&])#(?P<value>\d{{3,}}(?:-\d+)*){END}")
_TAIL: Final = re.compile(
    r"(?:\b(?:ending|ends|end|endet|endend|termin\w+|acaba\w*|finisce|last (?:four|4)(?: digits)?)"
    r"(?: (?:in|with|are|is|auf|par|en|con|of|of my card(?: is| are)?))*|[*xX•]{2,}[ -]?)[\s:]{0,2}"
    r"(?P<value>\d{3,4})(?![\w]|[.,]\d)",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"\b(?:password|passcode|passwort|kennwort|pin|cvv2?|cvc2?|security code|mot de passe|contraseña|otp)\b"
    r"(?:\s+(?:is|was|of|number|code|ist|lautet|est|es))*\s*[:=]?\s*[\"'“]?(?P<value>(?=\S*\d)[^\s\"'”,;]{3,40}[^\W_])",
    re.IGNORECASE,
)
_MIXED: Final = re.compile(rf"{START}(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*{END}")
_MEASURE: Final = re.compile(
    r"\d+(?:x\d+)*-?(?:st|nd|rd|th|[kmgt]i?b(?:ps)?|mah|wh|kwh|[kmg]?hz|[km]?m|[cm]m|kg|km|lbs?|oz|ml|[ap]m|px|dpi|"
    r"ppm|rpm|[a-z]{2,}(?:-[a-z]+)*)|\d{3,4}[pi](?:\d+)?|\d{1,2}[a-z]{3}\d{2,4}|[a-z]+-\d{1,2}|covid-?19",
    re.IGNORECASE,
)
_IP: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_POSTCODE: Final = re.compile(
    rf"{START}(?:[A-Z]{{1,2}}\d[A-Z\d]? ?\d[A-Z]{{2}}|(?<=[A-Z]{{2}} )\d{{5}}(?:-\d{{4}})?){END}"
)
_YEARS: Final = re.compile(r"(?:19|20)\d\d ?[-/–] ?(?:19|20)\d\d")
_CLOCKS: Final = re.compile(r"\d{1,2}[.:]\d\d ?- ?\d{1,2}[.:]\d\d")
_LONE: Final = re.compile(r"\d (?=\d-\d{4})")  # a digit of its own before a code that begins with one
_RATIO: Final = re.compile(r"\d{1,3}/\d{1,3}")
_DECIMAL: Final = re.compile(r"\d+[.,]\d{1,2}|\d{1,3}(?:[., ]\d{3})+")
_LETTERS_FIRST: Final = re.compile(r"[A-Za-z]{2,}-?\d{4}")  # "RS2895555" is no amount of rupees
_CARD_LENGTHS: Final = range(13, 20)


def find_patterns(text: str) -> list[Found]:
    """Find the values of all kinds that have a pattern, in any order. Amounts of money and dates of events stay."""
    kept = amounts_and_dates(text)
    found = [*_addresses(text), *_ibans(text), *_plates(text)]
    codes = (*_cards(text), *_phones(text), *_numbers(text))
    found += [item for item in codes if _LETTERS_FIRST.match(text, item.start) or not meets(item, kept)]
    return found


def amounts_and_dates(text: str) -> list[Span]:
    """Return the places of amounts, shares and dates of events. These stay in a text."""
    kept = [(item.start, item.end) for item in find_quantities(text) if item.kind in ("money", "percent")]
    return kept + [(date.start, date.end) for date in find_dates(text) if date.numeric or date.days]


def _addresses(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        yield Found(Kind.EMAIL, *match.span())
    for match in URL.finditer(text):
        url = match.group().rstrip(_URL_TAIL)
        if _HAS_ID.search(url.partition("://")[2] or url):
            yield Found(Kind.URL, match.start(), match.start() + len(url))


def _ibans(text: str) -> Iterator[Found]:
    for match in _IBAN.finditer(text):
        value = match.group()
        upper = value.isupper() and sum(character.isdigit() for character in value) >= 8
        if upper or is_iban(code_key(value)):
            yield Found(Kind.IBAN, *match.span())


def is_iban(key: str) -> bool:
    """Test the check digits of an IBAN (ISO 13616: the first four signs last, letters as 10 to 35, modulo 97 is 1)."""
    digits = "".join(str(int(sign, 36)) for sign in key[4:] + key[:4] if sign.isascii())
    return digits.isdecimal() and int(digits) % 97 == 1


def _cards(text: str) -> Iterator[Found]:
    for match in _CARD.finditer(text):
        digits = code_key(match.group())
        if len(digits) in _CARD_LENGTHS and is_card(digits):
            yield Found(Kind.CARD, *match.span())


def _phones(text: str) -> Iterator[Found]:
    for match in (*_INTERNATIONAL.finditer(text), *_NATIONAL.finditer(text)):
        if not (_CLOCKS.fullmatch(match.group()) or _DECIMAL.fullmatch(match.group())):
            yield Found(Kind.PHONE, *match.span())
    for match in _CALLED.finditer(text):
        yield Found(Kind.PHONE, *match.span("value"))
    if "+" in text:
        for number in import_phonenumbers().PhoneNumberMatcher(text, None, leniency=0):
            yield Found(Kind.PHONE, number.start, number.end)


def import_phonenumbers() -> Any:
    """Import the package `phonenumbers`. Raises MissingExtra if it is not installed."""
    try:
        import phonenumbers
    except ImportError:
        raise MissingExtra("privacy.pseudonyms needs phonenumbers: pip install 'arf-programs[privacy]'") from None
    return phonenumbers


def _plates(text: str) -> Iterator[Found]:
    for match in _PLATES.finditer(text):
        yield Found(Kind.PLATE, *match.span())
    for match in _PLATED.finditer(text):
        yield Found(Kind.PLATE, *match.span("value"))


def _numbers(text: str) -> Iterator[Found]:
    for pattern in (_LOCATOR, _HASHED, _TAIL, _SECRET):
        for match in pattern.finditer(text):
            yield Found(Kind.NUMBER, *match.span("value"))
    for match in _LABELLED.finditer(text):
        if _is_labelled_number(match["value"]):
            yield Found(Kind.NUMBER, *match.span("value"))
    for match in _DIGITS.finditer(text):
        value = match.group()
        if not (_is_date(value) or any(form.fullmatch(value) for form in (_YEARS, _CLOCKS, _DECIMAL, _RATIO))):
            lone = _LONE.match(value)
            yield Found(Kind.NUMBER, match.start() + (lone.end() if lone else 0), match.end())
    for match in (*_IP.finditer(text), *_POSTCODE.finditer(text)):
        yield Found(Kind.NUMBER, *match.span())
    for match in _MIXED.finditer(text):
        if _is_code(match.group()):
            yield Found(Kind.NUMBER, *match.span())


def _is_labelled_number(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    is_amount = any(form.fullmatch(value) for form in (_MEASURE, _DECIMAL, _RATIO))
    return digits >= 2 and len(code_key(value)) >= 4 and not is_amount


def _is_code(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return digits >= 3 and len(code_key(value)) >= 6 and not _MEASURE.fullmatch(value)


def _is_date(value: str) -> bool:
    return re.fullmatch(r"\d{1,4}([./-])\d{1,2}\1\d{1,4}", value) is not None
