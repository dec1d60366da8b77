"""Recognise names of people: by speakers, given names, greetings, signatures, titles, and phrases ("my name is")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from arf_programs.checks import COMPANY_WORDS, TITLES
from arf_programs.privacy.patterns import END, START
from arf_programs.privacy.words import GIVEN, KNOWN_SURNAMES, STAND_INS, is_name_word
from arf_programs.text import word_set

_LETTER: Final = r"[^\W\d_]"
_UPPER: Final = r"(?-i:[A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĖĘĚĢĞĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽȘȚ])"
_ANY: Final = rf"{_LETTER}+(?:['’-]{_LETTER}+)*"
_CAPITAL: Final = rf"{_UPPER}(?:{_LETTER}*(?:['’-]{_LETTER}+)*)"
_PARTICLE: Final = r"(?:van|von|vom|zu|de|del|della|di|da|dos|du|la|le|der|den|ter|ten|bin|ibn|al|el|abu|af|y|e)"
_INITIAL: Final = rf"{_UPPER}\.?"
_GAP: Final = r"[ \u00a0]"
_NAME: Final = rf"{_CAPITAL}\.?(?:{_GAP}(?:(?:{_PARTICLE}{_GAP}){{0,2}}{_CAPITAL}|{_INITIAL}(?={_GAP}{_UPPER}))){{0,3}}"
_LOOSE: Final = rf"(?:{_ANY}(?:{_GAP}{_ANY}){{0,3}})"

_TITLE: Final = (
    r"mr|mrs|ms|miss|mx|dr|prof|professor|sir|madam|herrn?|frau|fräulein|monsieur|madame|mademoiselle|mme|mlle|señora?|"
    r"sra?|srta|don|doña|signora?|sig|dott|meneer|mevrouw|mevr|dhr|pan|pani|senhora?"
)
_GREETING: Final = (
    r"hi|hello|hey|hiya|dear|good (?:morning|afternoon|evening|day)|morning|thanks|thank you|thx|cheers|"
    r"welcome|welcome back|bye|goodbye|sorry|hallo|moin|guten (?:tag|morgen|abend)|liebe[rs]?|"
    r"sehr geehrte[rs]?|danke(?: dir| ihnen)?|"
    r"bonjour|bonsoir|salut|chère?|merci|hola|buenos días|buenas(?: tardes)?|estimad[oa]|querid[oa]|gracias|"
    r"ciao|buongiorno|buonasera|gentile|caro|cara|grazie|beste|geachte|dag|goedemorgen|"
    r"goedemiddag|bedankt|olá|prezad[oa]|obrigad[oa]|cześć|witam|dzień dobry|hej|szanown[ya]"
)
_SIGNED: Final = (
    r"(?:(?:kind|best|warm|warmest|kindest|many)(?: kind)? )?(?:regards|wishes)|regards|sincerely(?: yours)?|"
    r"yours(?: (?:sincerely|faithfully|truly))?|cheers|thanks(?: (?:again|a lot|so much|in advance))?|many thanks|"
    r"thank you(?: (?:very much|so much|in advance))?|best|respectfully|love|all the best|take care|"
    r"(?:mit )?(?:freundlichen?|besten?|vielen?|lieben?|herzlichen?|schönen?)(?: lieben?)? gr[üu](?:ß|ss)en?|mfg|lg|vg|"
    r"(?:bien )?cordialement|bien à vous|salutations(?: distinguées)?|un saludo|saludos(?: cordiales)?|atentamente|"
    r"(?:cordiali|distinti) saluti|saluti|met vriendelijke groet(?:en)?|groet(?:jes|en)?|vriendelijke groet(?:en)?|mvg|"
    r"atenciosamente|abraços?|pozdrawiam|z poważaniem"
)
_IS: Final = (
    r"my (?:full |first |last |sur)?name(?: is|'s|:)|name'?s|the name(?: is|'s)|"
    r"full name(?: is|:)|mein name (?:ist|lautet)|ich hei(?:ß|ss)e|"
    r"(?:mon nom est|je m'appelle|je me nomme)|(?:me llamo|mi nombre es)|(?:mi chiamo|il mio nome è)|"
    r"(?:mijn naam is|ik heet)|o meu nome é|chamo-me|meu nome é|nazywam się|mam na imię|"
    r"(?:account|card|policy) ?holder(?:'s name)?(?: is|:)|under the name(?: of)?|in the name of|on behalf of|"
    r"(?:first |last |full |customer |contact |account |billing |sur)?name(?: on (?:the|my) \w+)?:|attn:?|c/o|"
    r"(?:nach)?name:|nom:|nombre:|nome:|naam:|booked (?:for|under)|registered to|addressed to|signed by|"
    r"spell(?:ed|s) it"
)
_SELF: Final = (
    r"i'?m|i am|this is|it'?s|here is|you'?re (?:chatting|speaking|talking) (?:with|to)|(?:spoke|speaking|speak|talked|"
    r"talking|chatted|chatting|dealing|connected|connecting) (?:with|to)|ich bin|hier ist|hier spricht|je suis|ici|"
    r"c'est|soy|habla|sono|ik ben|(?:met|sou)|u spreekt met|asked for|ask for|contact(?:ed)?|named|called|"
    r"agent|colleague|assistant|advisor|manager|wife|husband|partner|son|daughter|mother|father|brother|sister|friend|mum|mom|dad"
)
_TITLED: Final = re.compile(rf"{START}(?:{_TITLE})\.?{_GAP}(?P<name>{_NAME})", re.IGNORECASE)
_GREETED: Final = re.compile(
    rf"{START}(?:{_GREETING}),?{_GAP}(?:there{_GAP})?(?:(?:{_TITLE})\.?{_GAP})?(?P<name>{_NAME})", re.IGNORECASE
)
_SIGNATURE: Final = re.compile(
    rf"{START}(?:{_SIGNED})[,.!]?(?:\s|\\n|<br ?/?>)*(?:(?:{_TITLE})\.?{_GAP})?(?P<name>{_NAME})", re.IGNORECASE
)
_LAST: Final = re.compile(rf"(?:[-–—^~]{_GAP}?|\n|\\n)(?P<name>{_CAPITAL}(?:{_GAP}{_CAPITAL}){{0,2}})\W*$")
_NAMED: Final = re.compile(rf"{START}(?:{_IS}){_GAP}*(?P<name>{_LOOSE})", re.IGNORECASE)
_CALLS_SELF: Final = re.compile(
    rf"{START}(?:{_SELF}),?{_GAP}(?:(?:{_TITLE})\.?{_GAP})?(?P<name>{_NAME})", re.IGNORECASE
)
_SPEAKS: Final = re.compile(
    rf"{START}(?P<name>{_NAME}){_GAP}(?:here|speaking|am apparaat|aan de lijn|à l'appareil|al habla)(?:[ ,.!]|$)",
    re.IGNORECASE | re.MULTILINE,
)
_SPOKEN_SURNAME: Final = re.compile(
    rf"(?:{_GAP}(?:(?:{_PARTICLE}{_GAP}){{0,2}}{_CAPITAL}|{_INITIAL}(?={_GAP}{_UPPER}))){{1,2}}"
)
_WORD: Final = re.compile(rf"{START}{_ANY}")
_FULL: Final = (
    rf"{_UPPER}(?:['’]{_UPPER})?[a-zà-öø-ÿāăąćčďđēėęěģğīįıķĺļľłńņňōőœŕřśşšţťūůűųźżžșț]+(?:-{_UPPER}{_LETTER}+)?"
)
_RUN: Final = re.compile(rf"{START}{_FULL}(?:{_GAP}(?:{_PARTICLE}{_GAP}){{0,2}}{_FULL}){{1,4}}{END}")
NAME_PART: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]{2,})*")
"""A word of a name; a double name has two."""

_CAMEL: Final = re.compile(r"[^\W\d_A-Z][A-Z]")
_JOINED: Final = re.compile(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])")
_SURNAME_START: Final = re.compile(r"(?:Ma?c|De|Di|Da|Du|La|Le|Van|Von|Fitz|Ab[ud]|El|Al|O['’])[A-Z]")
_PARTICLES: Final = word_set("van von vom zu de del della di da dos du la le der den ter ten bin ibn al el abu af y e")
_CONTEXTS: Final = (_TITLED, _GREETED, _SIGNATURE, _LAST, _NAMED, _CALLS_SELF, _SPEAKS)


def find_people(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` spans of words that name people. Each span is one word of a name."""
    words: dict[int, int] = {}
    for pattern in _CONTEXTS:
        for match in pattern.finditer(text):
            words.update(_names_in(text, *match.span("name")))
    words.update(_given_names(text))
    words.update(_surnames(text))
    words.update(_runs(text))
    return [part for start, end in sorted(words.items()) for part in _parts(text, start, end)]


def _parts(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Cut a double name at its hyphens."""
    return [part.span() for part in NAME_PART.finditer(text, start, end)]


def _names_in(text: str, start: int, end: int, *, after_given: bool = False) -> Iterator[tuple[int, int]]:
    """Yield the words of a name that a phrase announces, up to the first word that is none.

    A word in lower case belongs to a name only if its first word is in lower case too.
    """
    capitalised = after_given
    for word in _WORD.finditer(text, start, end):
        plain = word.group().lower()
        if plain in _PARTICLES or plain in TITLES:
            continue
        if len(plain) == 1 and word.group().isupper() and word.end() < end:
            yield word.span()
            continue
        if (
            _is_company(word.group())
            or not is_name_word(word.group(), after_given=capitalised)
            or (capitalised and word.group()[0].islower())
        ):
            return
        capitalised = capitalised or word.group()[0].isupper()
        yield word.start(), word.start() + len(_without_genitive(word.group()))


def _given_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield capitalised given names, with the surname that follows."""
    for word in _WORD.finditer(text):
        written = word.group()
        if not written[0].isupper() or not (plain := plain_name(written)) or plain not in GIVEN | STAND_INS:
            continue
        yield word.start(), word.start() + len(_without_genitive(written))
        after = _SPOKEN_SURNAME.match(text, word.end())
        if after and plain not in STAND_INS - GIVEN:
            yield from _names_in(text, *after.span(), after_given=True)


def _surnames(text: str) -> Iterator[tuple[int, int]]:
    """Yield capitalised frequent surnames, with the given name before, if that is no common word."""
    before: re.Match[str] | None = None
    for word in _WORD.finditer(text):
        written = _without_genitive(word.group())
        if written[0].isupper() and written.lower() in KNOWN_SURNAMES:
            yield word.start(), word.start() + len(written)
            gap = text[before.end() : word.start()] if before else ""
            if before and gap == " " and before.group()[0].isupper() and is_name_word(before.group()):
                yield before.span()
        before = word


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Yield two or more capitalised words in a row that are no common words: the full name of somebody unknown.

    Names of products and companies are taken for names of people here. Their stand-ins are restored like any other.
    """
    for run in _RUN.finditer(text):
        names: list[re.Match[str]] = []
        for word in _WORD.finditer(text, *run.span()):
            plain = word.group().lower()
            if is_name_word(word.group(), after_given=bool(names)) and plain not in COMPANY_WORDS:
                names.append(word)
            elif plain not in _PARTICLES:
                names = names if len(names) > 1 else []
        if len(names) > 1:
            yield from ((word.start(), word.start() + len(_without_genitive(word.group()))) for word in names)


def plain_name(word: str) -> str:
    """Return a known given name in lower case, without a genitive ending; else the word in lower case."""
    plain = _without_genitive(word).lower()
    return plain if plain in GIVEN else plain.split("-")[0] if plain.split("-")[0] in GIVEN else plain


def _without_genitive(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def joined_names(word: str) -> list[str]:
    """Return the words that a handle or a hashtag joins: `JohnSmith` has two. Empty for one word, such as McDonald."""
    parts = _JOINED.findall(word) if _CAMEL.search(word) and not _SURNAME_START.match(word) else []
    return parts if len(parts) > 1 and "".join(parts) == word else []


def _is_company(word: str) -> bool:
    """Say whether words are joined as in names of companies, and none of them is a known name."""
    parts = {part.lower() for part in joined_names(word)}
    return bool(parts) and not parts & (GIVEN | KNOWN_SURNAMES | STAND_INS)


def names_of_value(value: str) -> tuple[str, ...]:
    """Return the words of a value that is a name, such as that of a column "agent"."""
    words = (word.group() for word in NAME_PART.finditer(value))
    return tuple(word for word in words if is_name_word(word) and word.lower() not in _PARTICLES | TITLES)
