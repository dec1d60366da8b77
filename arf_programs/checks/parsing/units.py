"""The units of numbers: currencies, times, scales ("k", "lakh") and measures, in the forms that people write."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.text import word_set


def _forms(groups: dict[str, str]) -> dict[str, str]:
    return {form: unit for unit, forms in groups.items() for form in forms.split()}


CURRENCIES: Final = _forms(
    {
        "dollar": "$ dollar dollars buck bucks",
        "usd": "usd us$ u.s.$",
        "aud": "aud a$ au$",
        "cad": "cad c$ ca$",
        "nzd": "nzd nz$",
        "hkd": "hkd hk$",
        "sgd": "sgd s$",
        "euro": "€ eur euro euros",
        "pound": "£ gbp quid pound pounds",
        "yen": "¥ yen 円",
        "jpy": "jpy",
        "cny": "cny rmb yuan 元 块",
        "rupee": "₹ rs rupee rupees",
        "inr": "inr",
        "franc": "chf sfr franc francs",
        "krone": "kr krone kroner krona kronor",
        "sek": "sek",
        "nok": "nok",
        "dkk": "dkk",
        "crown": "crown crowns czk kč",
        "zloty": "pln zł zloty zlotys zlotych złotych złote",
        "rouble": "₽ rub руб рублей рубля рубль rouble roubles ruble rubles",
        "lira": "₺ try lira liras",
        "shekel": "₪ ils shekel shekels",
        "won": "₩ krw won",
        "baht": "฿ thb baht",
        "dong": "₫ vnd dong",
        "peso": "₱ peso pesos",
        "php": "php",
        "mxn": "mxn mx$",
        "real": "brl r$ reais",
        "naira": "₦ ngn naira",
        "rand": "zar rand",
        "dirham": "aed dhs dirham dirhams",
        "riyal": "sar riyal riyals",
        "ringgit": "myr rm ringgit",
        "rupiah": "idr rp rupiah",
        "forint": "huf forint forints",
        "leu": "ron lei leu",
        "lev": "bgn lv лв leva lev",
        "hryvnia": "₴ uah грн hryvnia hryvnias",
        "twd": "twd nt$",
        "kuna": "hrk",
        "shilling": "kes ksh shilling shillings",
        "sol": "sol soles",
        "bitcoin": "btc bitcoin bitcoins",
        "cent": "¢ cent cents pence",
    }
)
_GENERAL: Final = _forms(
    {
        "dollar": "usd aud cad nzd hkd sgd twd",
        "yen": "jpy cny",
        "rupee": "inr",
        "krone": "sek nok dkk",
        "peso": "php mxn",
    }
)
WITHOUT_CENTS: Final = frozenset(("yen", "jpy", "won", "dong", "rupiah"))
_WORDS_ONLY: Final = frozenset(("kr", "try", "won", "rand", "real"))  # also other words, so only after digits


def same_currency(one: str, other: str) -> bool:
    """Say whether two currencies can be the same: "$" may be "USD" or "CAD", and cents belong to most."""
    if one == other or _GENERAL.get(one) == other or _GENERAL.get(other) == one:
        return True
    return "cent" in (one, other) and not WITHOUT_CENTS & {one, other}


NATIONAL: Final = {
    **dict.fromkeys(("us", "u.s.", "american"), "usd"),
    **{"australian": "aud", "canadian": "cad", "singapore": "sgd", "hong kong": "hkd", "new zealand": "nzd"},
    **{"swiss": "franc", "indian": "inr", "british": "pound", "swedish": "sek", "norwegian": "nok", "danish": "dkk"},
    **{"mexican": "mxn", "philippine": "php", "japanese": "jpy", "chinese": "cny", "czech": "crown", "polish": "zloty"},
}
"""Words before "dollars", "francs" and the like, with the currency that they name."""

SIGNS: Final = "$€£¥₹₽₺₪₩฿₫₱₦₴¢"
_CODES: Final = sorted(
    form for form in CURRENCIES if form.isascii() and form.isalpha() and len(form) <= 3 and form not in _WORDS_ONLY
)
_PREFIXES: Final = {
    "zł": "zloty",
    "kč": "crown",
    "kr": "krone",
    "ft": "forint",
    "руб": "rouble",
    "лв": "lev",
    "грн": "hryvnia",
    "s/": "sol",
    "r": "rand",
}
_PREFIX: Final = r"(?<!\w)(?-i:zł|Kč|[Kk]r|Ft|R(?=\d{2,}(?![\w-]))|[Рр]уб|лв|грн|S/)\.?(?= ?\d)"
_CODE: Final = rf"\b(?:{'|'.join(_CODES)})"
SIGN: Final = rf"(?:(?-i:\b(?:U\.?S\.? ?|CA?|AU?|NZ|HK|S|R|MX|NT))?[{SIGNS}]|{_CODE}\b\.?|{_CODE}(?=\d)|{_PREFIX})"
"""What may stand before an amount."""


def read_sign(sign: str) -> str:
    """Return the currency of what stands before a number: "US $", "Rs.", "eur"."""
    plain = re.sub(r"\s", "", sign.lower())
    if (unit := _PREFIXES.get(plain.rstrip("."))) is not None:
        return unit
    return CURRENCIES.get(plain) or CURRENCIES.get(plain.replace(".", "")) or CURRENCIES[plain[-1]]


DAYS: Final = {
    **{"second": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "day": 1.0, "night": 1.0, "week": 7.0},
    **{"fortnight": 14.0, "month": 30.0, "quarter": 90.0, "year": 360.0},
}
TIME_UNITS: Final = {
    **{form: unit for unit in DAYS for form in (unit, f"{unit}s")},
    **dict.fromkeys(("min", "mins"), "minute"),
    **dict.fromkeys(("h", "hr", "hrs"), "hour"),
    **dict.fromkeys(("wk", "wks"), "week"),
    **dict.fromkeys(("mth", "mths"), "month"),
    **dict.fromkeys(("yr", "yrs"), "year"),
    **dict.fromkeys(("sec", "secs"), "second"),
    **dict.fromkeys(("sekunde", "sekunden", "seconde", "secondes", "segundo", "segundos", "secondi"), "second"),
    **dict.fromkeys(("minuten", "minuto", "minutos", "minuti"), "minute"),
    **dict.fromkeys(("stunde", "stunden", "heure", "heures", "hora", "horas", "ore", "uur"), "hour"),
    **dict.fromkeys(
        ("tage", "tagen", "jour", "jours", "día", "días", "dia", "dias", "giorno", "giorni", "dagen"), "day"
    ),
    **dict.fromkeys(("woche", "wochen", "semaine", "semaines", "semana", "semanas", "settimana", "settimane"), "week"),
    **dict.fromkeys(("monat", "monate", "monaten", "mois", "meses", "mese", "mesi", "maanden"), "month"),
    **dict.fromkeys(("jahr", "jahre", "jahren", "année", "années", "año", "años", "anno", "anni", "jaar"), "year"),
}
PERCENT: Final = ("%", "percent", "pct", "prozent", "procent", "prosent")

SCALES: Final = {
    **{"hundred": 1e2, "thousand": 1e3, "grand": 1e3, "lakh": 1e5, "lac": 1e5, "million": 1e6, "crore": 1e7},
    **{"billion": 1e9, "trillion": 1e12, "ribu": 1e3, "juta": 1e6},
}
"""Words that multiply the number before them."""

LETTER_SCALES: Final = {
    **{
        "k": 1e3,
        "m": 1e6,
        "mn": 1e6,
        "mio": 1e6,
        "mln": 1e6,
        "mil": 1e6,
        "mrd": 1e9,
        "mld": 1e9,
        "bn": 1e9,
        "t": 1e12,
        "mm": 1e6,
        "tsd": 1e3,
        "thou": 1e3,
        "тыс": 1e3,
        "млн": 1e6,
        "млрд": 1e9,
        "b": 1e9,
        "cr": 1e7,
        "rb": 1e3,
        "jt": 1e6,
        "l": 1e5,
    },
    **{form: value for word, value in SCALES.items() for form in (word, f"{word}s")},
}
EASTERN_SCALES: Final = {
    **{"百": 1e2, "千": 1e3, "천": 1e3, "万": 1e4, "萬": 1e4, "만": 1e4},
    **{"亿": 1e8, "億": 1e8, "억": 1e8},
}
"""What multiplies digits in Chinese, Japanese and Korean."""

AMBIGUOUS_SCALES: Final = frozenset(("m", "l", "b", "t", "mm", "mil"))
"""They are also metres, litres, bytes, tonnes, millimetres and thousandths."""

METRIC: Final = {
    unit: (base, size)
    for base, sizes in {
        "g": {"mg": 1e-3, "g": 1.0, "kg": 1e3, "kilo": 1e3, "kilos": 1e3},
        "m": {"cm": 1e-2, "km": 1e3, "kms": 1e3, "metres": 1.0, "meters": 1.0},
        "l": {"ml": 1e-3, "cl": 1e-2, "dl": 0.1, "litre": 1.0, "litres": 1.0, "liter": 1.0, "liters": 1.0},
        "b": {"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12},
    }.items()
    for unit, size in sizes.items()
}
"""Units of measure with their base and their size. "m" and "l" are left out, since they also multiply a number."""

MEASURES: Final = word_set(
    "st nd rd th s am pm a.m p.m d k mn m mm cm km kms mi ft feet foot in inch inches yd yds sqm sqft g kg kgs mg lb "
    "lbs oz l cl dl ml gal b kb mb gb tb kbit mbit gbit mbits gbits kbps mbps gbps bps mah ah wh kwh kw w v mv a hz "
    "khz mhz ghz px dpi fps p mp cc hp mph kmh kph rpm c f cal kcal db x way star stars year-old"
)
"""What may be joined to a number without making it a code."""
