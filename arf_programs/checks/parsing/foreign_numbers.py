"""Numbers in words of other languages than English: "fünfundzwanzig", "quatre-vingt-dix", "двести", "二十五"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FOREIGN: Final = (
    (1, "eins eine einen une uno una um uma"),
    (2, "zwei zwo deux dos dois duas twee"),
    (3, "drei trois tres três tre drie"),
    (4, "vier quatre cuatro quatro quattro"),
    (5, "fünf fuenf cinq cinco cinque vijf"),
    (6, "sechs seis sei zes"),
    (7, "sieben sept siete sete sette zeven"),
    (8, "acht huit ocho oito otto"),
    (9, "neun neuf nueve nove negen"),
    (10, "zehn dix diez dez dieci tien"),
    (11, "onze undici"),
    (12, "zwölf zwoelf douze doce doze dodici twaalf"),
    (13, "dreizehn treize trece treze tredici dertien"),
    (14, "vierzehn quatorze catorce catorze quattordici veertien"),
    (15, "fünfzehn quinze quince quindici vijftien"),
    (16, "sechzehn seize dieciséis dezesseis sedici zestien"),
    (17, "siebzehn diecisiete diciassette zeventien"),
    (18, "achtzehn dieciocho diciotto achttien"),
    (19, "neunzehn diecinueve diciannove negentien"),
    (20, "zwanzig vingts vingt veinte vinte venti twintig"),
    (30, "dreißig dreissig trente treinta trinta trenta dertig"),
    (40, "vierzig quarante cuarenta quarenta quaranta veertig"),
    (50, "fünfzig cinquante cincuenta cinquenta cinquanta vijftig"),
    (60, "sechzig soixante sesenta sessenta sessanta zestig"),
    (70, "siebzig setenta settanta zeventig"),
    (80, "achtzig ochenta oitenta ottanta tachtig"),
    (90, "neunzig noventa novanta negentig"),
    (70, "septante"),
    (80, "huitante octante"),
    (90, "nonante"),
    (12, "dutzend douzaine docena dozzina dúzia dozijn dussin tucat дюжина"),
    (100, "hundert einhundert cien ciento cem cento honderd"),
    (1000, "tausend eintausend mille mil duizend"),
)
_SLAVIC: Final = (
    (1, "один одна одну одного jeden jedna jedno"), (2, "два две двух dwa dwie dvě"), (3, "три трёх trzy tři"),
    (4, "четыре cztery čtyři"), (5, "пять pięć pět"), (6, "шесть sześć šest"), (7, "семь siedem sedm"),
    (8, "восемь osiem osm"), (9, "девять dziewięć devět"), (10, "десять dziesięć deset"),
    (11, "одиннадцать jedenaście jedenáct"), (12, "двенадцать dwanaście dvanáct"), (13, "тринадцать trzynaście"),
    (14, "четырнадцать czternaście"), (15, "пятнадцать piętnaście patnáct"), (16, "шестнадцать szesnaście"),
    (17, "семнадцать siedemnaście"), (18, "восемнадцать osiemnaście"), (19, "девятнадцать dziewiętnaście"),
    (20, "двадцать dwadzieścia dvacet"), (30, "тридцать trzydzieści třicet"), (40, "сорок czterdzieści čtyřicet"),
    (50, "пятьдесят pięćdziesiąt padesát"), (60, "шестьдесят sześćdziesiąt šedesát"),
    (70, "семьдесят siedemdziesiąt sedmdesát"), (80, "восемьдесят osiemdziesiąt osmdesát"),
    (90, "девяносто dziewięćdziesiąt devadesát"), (100, "сто"), (200, "двести dwieście"), (300, "триста trzysta"),
    (400, "четыреста czterysta"), (500, "пятьсот pięćset"), (600, "шестьсот sześćset"), (700, "семьсот siedemset"),
    (800, "восемьсот osiemset"), (900, "девятьсот dziewięćset"),
    (1000, "тысяча тысячи тысяч tysiąc tysiące tysięcy tisíc"),
    (200, "doscientos doscientas duzentos duzentas"), (300, "trescientos trescientas trezentos trezentas"),
    (400, "cuatrocientos cuatrocientas quatrocentos quatrocentas"),
    (500, "quinientos quinientas quinhentos quinhentas"),
    (600, "seiscientos seiscientas seiscentos seiscentas"), (700, "setecientos setecientas setecentos setecentas"),
    (800, "ochocientos ochocientas oitocentos oitocentas"), (900, "novecientos novecientas novecentos novecentas"),
)  # fmt: skip
FOREIGN_NUMBERS: Final = {word: float(value) for value, words in (*_FOREIGN, *_SLAVIC) for word in words.split()}
"""Numbers in other languages, without the words that English has too ("due", "once", "elf")."""

_GERMAN: Final = ["ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
_DUTCH: Final = ["een", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"]
_ITALIAN: Final = ["uno", "due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove"]
_SPANISH: Final = ["uno", "dós", "trés", "cuatro", "cinco", "séis", "siete", "ocho", "nueve"]


def _compounds() -> Iterator[tuple[str, float]]:
    """Yield the numbers below 100 that are one word of two, and the first parts of larger ones."""
    tens = {
        "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
        "nl": "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
        "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    }
    for unit in range(1, 10):
        yield _GERMAN[unit - 1], unit
        yield _DUTCH[unit - 1], unit
        yield _ITALIAN[unit - 1], unit
        yield f"veinti{_SPANISH[unit - 1]}", 20 + unit
        for ten in range(2, 10):
            value = 10 * ten + unit
            german, dutch, italian = (tens[language].split()[ten - 2] for language in ("de", "nl", "it"))
            link = "ën" if _DUTCH[unit - 1].endswith("e") else "en"
            yield f"{_GERMAN[unit - 1]}und{german}", value
            yield f"{_DUTCH[unit - 1]}{link}{dutch}", value
            yield f"{italian[:-1] if unit in (1, 8) else italian}{_ITALIAN[unit - 1]}", value
    yield from (
        ("ventitré", 23),
        ("trentatré", 33),
        ("veintiun", 21),
        ("veintiún", 21),
        ("veintidos", 22),
        ("veintitres", 23),
    )


_PARTS: Final = {**{word: float(value) for word, value in _compounds()}, **FOREIGN_NUMBERS}
_SCALES: Final = (
    (1000.0, ("tausend", "duizend", "mila")),
    (100.0, ("hundert", "honderd", "cento")),
)
_HALVES: Final = {"anderthalb": 1.5, "anderhalf": 1.5, "полтора": 1.5, "полторы": 1.5}
_WORD: Final = re.compile(r"[^\W\d_]+")
_JOINED: Final = re.compile(r"[ -](?:(?:y|e|et|und|en|og|och|i)[ -])?")
_EASTERN_DIGITS: Final = {
    **{digit: value for value, digit in enumerate("〇一二三四五六七八九")},
    **{"零": 0, "两": 2, "兩": 2},
}
_EASTERN_SCALES: Final = {"十": 10, "百": 100, "千": 1000}
_EASTERN_LARGE: Final = {"万": 10_000, "萬": 10_000, "亿": 100_000_000, "億": 100_000_000}
_EASTERN: Final = re.compile(f"[{''.join((*_EASTERN_DIGITS, *_EASTERN_SCALES, *_EASTERN_LARGE))}]+")


def find_foreign_numbers(text: str) -> Iterator[float]:
    """Yield the values of numbers in words: each word, and words that are one number together ("treinta y cinco")."""
    run: list[float] = []
    last = 0
    for match in _WORD.finditer(text.lower()):
        joined = run and _JOINED.fullmatch(text, last, match.start())
        # Alone they are parts of a dollar.
        value = 100.0 if joined and match.group() == "cents" else _value(match.group())
        if value is None:
            if _EASTERN.search(match.group()):
                yield from (_eastern(found.group()) for found in _EASTERN.finditer(match.group()))
            continue
        run = [*run, value] if joined else [value]
        last = match.end()
        yield value
        if len(run) > 1 and (total := _total(run)) is not None:
            yield total


def _value(word: str) -> float | None:
    """Read one word, which may hold several: "zweihundertfünfzig", "eineinhalb"."""
    if word in _HALVES:
        return _HALVES[word]
    if word in FOREIGN_NUMBERS:
        return FOREIGN_NUMBERS[word]
    half = word.removesuffix("einhalb")
    if half != word:
        whole = _PARTS.get(half)
        return None if whole is None else whole + 0.5
    for scale, names in _SCALES:
        for name in names:
            head, found, tail = word.partition(name)
            if found:
                times = _below(head, scale) if head else 1.0
                rest = _below(tail.removeprefix("und").removeprefix("en"), scale) if tail else 0.0
                return None if times is None or rest is None else times * scale + rest
    return _PARTS.get(word) if len(word) > _SHORTEST else None


_SHORTEST: Final = 5  # "ein", "due" and "acht" alone are also other words


def _below(word: str, scale: float) -> float | None:
    if word in _PARTS:
        return _PARTS[word]
    return _value(word) if scale > 100 else None


def _total(values: list[float]) -> float | None:
    """Add the values up; None if they are several numbers.

    Hundred and thousand multiply what stands before them, and French counts in twenties.
    """
    whole = group = 0.0
    for value in values:
        if value == 1000:
            whole, group = whole + max(group, 1.0) * value, 0.0
        elif value == 100 or (value == 20 and group == 4):
            group = max(group, 1.0) * value
        elif group % (10 if value < 10 else 20 if value < 20 else 100 if value < 100 else 1000):
            return None
        else:
            group += value
    return whole + group


def _eastern(digits: str) -> float:
    """Read a number in Chinese or Japanese digits: "二十五", or one by one: "二〇二五"."""
    if all(digit in _EASTERN_DIGITS for digit in digits):
        return float("".join(str(_EASTERN_DIGITS[digit]) for digit in digits))
    whole = group = digit = 0
    for sign in digits:
        if sign in _EASTERN_DIGITS:
            digit = _EASTERN_DIGITS[sign]
        elif sign in _EASTERN_SCALES:
            group, digit = group + max(digit, 1) * _EASTERN_SCALES[sign], 0
        else:
            whole, group, digit = whole + max(group + digit, 1) * _EASTERN_LARGE[sign], 0, 0
    return float(whole + group + digit)
