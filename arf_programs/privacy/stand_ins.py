"""Draw stand-ins: another value of the same kind and the same form.

A stand-in is drawn by the place of its value in the conversation, never computed from the value. So nobody can compute
a value from its stand-in, not even with the seed.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from random import Random
from typing import Final

from arf_programs.checks import is_card
from arf_programs.privacy.patterns import import_phonenumbers, is_iban
from arf_programs.privacy.values import Kind
from arf_programs.privacy.words import GIVEN, KNOWN_MEN, KNOWN_WOMEN, MEN, STREETS, SURNAMES, WOMEN
from arf_programs.text import word_set

_TRIES: Final = 200
_VOWELS: Final = "aeiou"
_CONSONANTS: Final = "bdfgklmnprstvz"
_FREE_MAIL: Final = word_set("""
gmail.com googlemail.com yahoo.com hotmail.com outlook.com live.com icloud.com aol.com gmx.de gmx.net web.de
t-online.de orange.fr free.fr laposte.net wanadoo.fr libero.it virgilio.it proton.me protonmail.com msn.com
yahoo.co.uk hotmail.co.uk btinternet.com ziggo.nl kpnmail.nl wp.pl o2.pl
""")
Taken = Callable[[str], bool]


def draw_code(kind: Kind, key: str, random: Random, taken: Taken) -> str:
    """Return a code with the same pattern of letters and digits. A check digit is right where it was right before.

    The country of a phone number or an IBAN stays, as does a leading zero.
    """
    for _ in range(_TRIES):
        drawn = _scramble(key, random, keep=_kept(kind, key))
        drawn = _with_check_digits(kind, key, drawn)
        if drawn != key and not taken(drawn):
            return drawn
    return drawn


def _kept(kind: Kind, key: str) -> int:
    if kind is Kind.IBAN:
        return 2
    if kind is Kind.CARD:
        return 1
    if kind is Kind.PHONE:
        digits = key.lstrip("0")
        zeros = len(key) - len(digits)
        return zeros + (_country_code(digits) if zeros == 2 or len(digits) > 10 else 0)
    return len(key) - len(key.lstrip("0")) if key.isdecimal() else 0


def _country_code(digits: str) -> int:
    known = import_phonenumbers().COUNTRY_CODE_TO_REGION_CODE
    return next((length for length in (1, 2, 3) if digits[:length].isdecimal() and int(digits[:length]) in known), 0)


def _scramble(key: str, random: Random, *, keep: int) -> str:
    drawn = [key[:keep]]
    for place, character in enumerate(key[keep:], start=keep):
        if character.isdecimal():
            drawn.append(random.choice("123456789" if character != "0" or place == keep else string.digits))
        elif character.isalpha():
            drawn.append(random.choice("abcdefghjkmnpqrstuvwxyz"))
        else:
            drawn.append(character)
    return "".join(drawn)


def _with_check_digits(kind: Kind, key: str, drawn: str) -> str:
    if kind is Kind.CARD and is_card(key):
        return next(drawn[:-1] + digit for digit in string.digits if is_card(drawn[:-1] + digit))
    if kind is Kind.IBAN and is_iban(key):
        return next(changed for number in range(2, 99) if is_iban(changed := f"{drawn[:2]}{number:02d}{drawn[4:]}"))
    return drawn


def draw_name(word: str, *, is_given: bool, random: Random, taken: Taken) -> str:
    """Return another name, capitalised: a given name for a given name, of the same sex where the name says it."""
    plain = word.lower()
    pool = SURNAMES
    if is_given or plain in GIVEN:
        women, men = plain in KNOWN_WOMEN, plain in KNOWN_MEN
        pool = WOMEN if women and not men else MEN if men and not women else (*WOMEN, *MEN)
    parts = [_draw_word(pool, random, taken)]
    parts += [_draw_word(pool, random, taken) for _ in range(plain.count("-"))]
    return "-".join(parts)


def draw_street(random: Random, taken: Taken) -> str:
    """Return another word for the name of a street, capitalised."""
    return _draw_word(STREETS, random, taken)


def _draw_word(pool: tuple[str, ...], random: Random, taken: Taken) -> str:
    for name in random.sample(pool, len(pool)):
        if not taken(name.lower()):
            return name
    for _ in range(_TRIES):
        syllables = "".join(random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(3))
        if not taken(syllables + "n"):
            break
    return syllables.capitalize() + "n"


def draw_email(email: str, random: Random, taken: Taken, code: Callable[[str], str]) -> str:
    """Return another e-mail address in lower case. A domain of free mail stays; others end in `.example` (RFC 2606)."""
    local, _, domain = email.lower().partition("@")
    for _ in range(_TRIES):
        drawn = "".join(_like(piece, random, code) for piece in _pieces(local))
        place = domain if domain in _FREE_MAIL else f"{random.choice(SURNAMES).lower()}.example"
        if not taken(drawn) and not taken(f"{drawn}@{place}"):
            break
    return f"{drawn}@{place}"


def draw_url(url: str, random: Random, code: Callable[[str], str], private: Callable[[str], bool]) -> str:
    """Return the URL with other ids: parts with a digit, values of the query, and parts that `private` names.

    `code` gives the stand-in of an id, in its writing.
    """
    start = url.find("/", url.find("://") + 3) if "://" in url else url.find("/")
    place = start if start >= 0 else len(url)
    drawn, in_query = url[:place], False
    for piece in _pieces(url[place:], keep="-_"):
        in_query = in_query or piece in "?#"
        if not piece[0].isalnum():
            drawn += piece
        elif any(character.isdigit() for character in piece):
            drawn += code(piece)
        elif (in_query and drawn[-1:] in "=#") or private(piece):
            drawn += _like(piece, random, code)
        else:
            drawn += piece
    return drawn


def _pieces(text: str, keep: str = "") -> list[str]:
    """Cut a text into runs of letters and digits, and single other characters."""
    pieces: list[str] = []
    for character in text:
        joins = character.isalnum() or character in keep
        if joins and pieces and (pieces[-1][-1].isalnum() or pieces[-1][-1] in keep):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _like(piece: str, random: Random, code: Callable[[str], str]) -> str:
    """Return another name for letters, and another code for what has digits."""
    letters = piece.rstrip(string.digits)
    digits = piece[len(letters) :]
    if not piece[0].isalnum():
        return piece
    if not letters.isalpha() or not letters.isascii():
        return code(piece)
    drawn = random.choice((*MEN, *WOMEN, *SURNAMES)).lower() if len(letters) > 2 else _scramble(letters, random, keep=0)
    return drawn + _scramble(digits, random, keep=0)
