"""The check of names: capitalised words of the summary that the conversation does not contain."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks.finding import Finding, Material, spelled_out, squeeze, without_accents
from arf_programs.checks.forms import (
    COMMON,
    COMPANY_WORDS,
    ENDINGS,
    GENERAL,
    LINKING,
    ROLES,
    TITLES,
    NameForms,
    has_other_form,
    read_name_forms,
)
from arf_programs.checks.identifiers import find_codes
from arf_programs.checks.parsing.dates import find_moments
from arf_programs.checks.parsing.quantities import find_quantities
from arf_programs.text import GIVEN_NAMES, find_sentences

_CAPITALISED: Final = re.compile(r"(?<![\w@#'’/.-])[^\W\d_a-z][^\W_]*(?:(?:[-'’.]|&(?!amp))[^\W_]+)*")
_RUN: Final = re.compile(
    rf"{_CAPITALISED.pattern}(?: (?:(?:{'|'.join(sorted(LINKING))}) )?{_CAPITALISED.pattern}| \d+\b)+"
)
_CAMEL: Final = re.compile(r"[a-z][A-Z]")
_DOMAINS: Final = frozenset(("com", "org", "net", "co", "uk", "io", "de"))
_VERB: Final = re.compile(
    r"['’]s\b|\s+(?:(?:also|then|later|first|finally|now|never|already)\s+)?(?:will|has|had|is|was|can|could|would|should|"
    r"does|did|may|might|said|told|gave|sent|took|made|found|wrote|got|put|paid|set|let|kept|left|spoke|sold|bought|"
    r"brought|met|rang|ran|held|from (?:the )?\w+ (?:\w+ed|has|will)|(?!need|speed|feed|seed|indeed|red\b)\w+ed|"
    r"says|asks|wants|tells|offers|explains|promises|agrees|confirms|refuses|requests|sends|gives|needs)\b"
)
_UNREMARKABLE: Final = TITLES | ROLES | GENERAL | COMMON
_CLOSE_LENGTH: Final = 6
_AFTER_LATIN: Final = "\u0370"


def _is_in_another_script(material: Material) -> bool:
    """Say whether most letters of a turn are not Latin, but those of the summary are."""
    return any(not _is_latin(text) for text in material.texts) and _is_latin(material.summary)


def _is_latin(text: str) -> bool:
    if text.isascii():
        return True
    letters = [char for char in text if char.isalpha()]
    return 2 * sum(char < _AFTER_LATIN for char in letters) >= len(letters)


class _Name(NamedTuple):
    start: int
    end: int


def check_names(material: Material) -> list[Finding]:
    """Report names of the summary that the conversation does not contain. Case, hyphens and plural do not matter.

    The conversation may have a name in another form (see forms.py): in a handle, a hashtag or an address, as an
    acronym or spelled out, or as the short form of a given name.

    The first word of a sentence counts only if it is clearly a name: a common given name, a word after a title, or a
    word before another unknown capitalised word. Neighbouring unknown names are one finding. Nothing is reported if the
    conversation is in another script, in which its names look different: Екатерина for Ekaterina.
    """
    if _is_in_another_script(material):
        return []
    unknown = _unknown(material)
    openers = _openers(material.summary, material.sentences)
    starts = {name.start for name in unknown}
    kept = [name for name in unknown if name.start not in openers or _clearly(name, material.summary, starts)]
    return [_finding(material, start, end) for start, end in _join_neighbours(kept, material.summary)]


def find_names(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` spans of names. Neighbours are one span; roles, titles and common words are no names.

    The first word of a sentence counts only if it is a common given name or follows a title.
    """
    openers = _openers(text, find_sentences(text))
    kept = []
    for name in _names(text):
        word = text[name.start : name.end].lower()
        clear = word in GIVEN_NAMES or _titled(name, text)
        common = word in _UNREMARKABLE or len(word) < 3 or "'" in word or "’" in word
        if not common and (clear or (name.start not in openers and not word.endswith(ENDINGS))):
            kept.append(name)
    return _join_neighbours(kept, text)


def _names(text: str) -> list[_Name]:
    """Find capitalised words that are not part of a date, a time, a code, an amount or a share."""
    taken = [*find_moments(text), *((code.start, code.end) for code in find_codes(text))]
    taken += [
        (item.start, item.end)
        for item in find_quantities(text)
        if item.kind in ("money", "percent") or text[item.start].isdecimal()  # 3 Tsd.
    ]
    names = []
    for match in _CAPITALISED.finditer(text):
        word = re.sub(r"['’]s?$", "", match.group())
        if not any(start < match.end() and match.start() < end for start, end in taken):
            names.append(_Name(match.start(), match.start() + len(word)))
    return names


def _unknown(material: Material) -> list[_Name]:
    """Find the names that the conversation does not contain in any form."""
    forms = read_name_forms(material.texts)
    runs = [match.span() for match in _RUN.finditer(material.summary)]
    unknown: list[_Name] = []
    known_end = -1
    for name in _names(material.summary):
        word = material.summary[name.start : name.end]
        after_known = material.summary[known_end : name.start] == " " and word.lower() in COMPANY_WORDS
        if after_known or _is_supported(name, material) or _has_other_form(name, runs, forms, material):
            named = after_known or word.lower() not in _UNREMARKABLE or forms.has_piece(word)
            known_end = name.end if named else -1
        else:
            unknown.append(name)
    return unknown


def _has_other_form(name: _Name, runs: list[tuple[int, int]], forms: NameForms, material: Material) -> bool:
    """Say whether the conversation has the name in another form, or the summary has it as a common word, too."""
    word = material.summary[name.start : name.end]
    plain = word.lower()
    singular = plain.removesuffix("s") if len(plain) > 3 else plain
    if forms.has_piece(word) or forms.has_piece(singular) or forms.abbreviates(word) or forms.has_short_form(plain):
        return True
    number = re.match(r" ?(\d+)\b", material.summary[name.end :])
    if (
        forms.has_zone(plain)
        or has_other_form(plain, material.texts)
        or (number and forms.before_number(plain, number[1]))
    ):
        return True
    if re.search(rf"(?<![\w@#]){re.escape(plain)}(?!\w)", material.summary):
        return True
    start, end = next((run for run in runs if run[0] <= name.start and name.end <= run[1]), (name.start, name.end))
    words = material.summary[start:end].split()
    place = len(material.summary[start : name.start].split())
    parts = ((a, b) for a in range(place + 1) for b in range(max(place + 1, a + 2), len(words) + 1))
    return any(forms.spelled_out(words[a:b]) for a, b in parts)


def _is_supported(name: _Name, material: Material) -> bool:
    """Say whether the conversation supports the word, or the word needs no support."""
    word = material.summary[name.start : name.end].lower().replace("’", "'")
    if word in _UNREMARKABLE or len(word) < 2 or set(word) == {"x"} or word.startswith("i'"):
        return True
    parts = [part for part in re.split(r"[-&'.]", word) if part and part not in _DOMAINS]
    if _is_mentioned(word, material) or all(_is_mentioned(part, material) or part in _UNREMARKABLE for part in parts):
        return True
    return _in_handle(name, material) or (
        word.endswith(ENDINGS)
        and word not in GIVEN_NAMES
        and not _titled(name, material.summary)
        and not _CAMEL.search(material.summary, name.start, name.end)
    )


def _in_handle(name: _Name, material: Material) -> bool:
    """Say whether the conversation writes the word together with its neighbour, as handles and hashtags do."""
    before = re.search(r"(\w+)\s+$", material.summary[: name.start])
    after = re.match(r"\s+(\w+)", material.summary[name.end :])
    word = material.summary[name.start : name.end]
    pairs = [before.group(1) + word] if before else []
    pairs += [word + after.group(1)] if after else []
    digits = [word] if any(char.isdigit() for char in word) else []
    return any(squeeze(pair) in material.squeezed for pair in pairs + digits)


def _titled(name: _Name, text: str) -> bool:
    before = re.search(r"(\w+)\.?\s+$", text[: name.start])
    return before is not None and before.group(1).lower() in TITLES


def _is_mentioned(word: str, material: Material) -> bool:
    """Say whether the conversation has the word, its singular or plural, or a longer word or handle with it."""
    words = material.known_words
    forms = {word, word.removesuffix("s"), f"{word}s", word.removesuffix("es"), word.removesuffix("'s")}
    if word.endswith(("ies", "y")):
        forms |= {f"{word.removesuffix('ies')}y", f"{word.removesuffix('y')}ies"}
    if words & forms or {without_accents(word), spelled_out(word)} & material.bare_words:
        return True
    compact = squeeze(word)
    if len(compact) >= 4 and compact in material.squeezed:
        return True
    return len(word) >= _CLOSE_LENGTH and any(_close(word, other) for other in words)


def _close(word: str, other: str) -> bool:
    """Say whether two long words differ in one letter, as a misspelling does, or share their stem."""
    if word[0] != other[0] or abs(len(word) - len(other)) > 1:
        return len(other) >= _CLOSE_LENGTH - 1 and (word.startswith(other) or other.startswith(word))
    short, long = sorted((word, other), key=len)
    cut = next((place for place, char in enumerate(short) if char != long[place]), len(short))
    return short[cut + (len(short) == len(long)) :] == long[cut + 1 :]


def _openers(text: str, sentences: list[tuple[int, int]]) -> set[int]:
    """Find where any word has a capital letter: at the start of sentences and lines, after colon or quote."""
    starts = {start for start, _ in sentences}
    places = set()
    for match in _CAPITALISED.finditer(text):
        before = text[: match.start()].rstrip(" \t\"'“‘(*-•")
        if not before or before[-1] in ".!?:;\n" or match.start() in starts:
            places.add(match.start())
    return places


def _clearly(name: _Name, text: str, unknown: set[int]) -> bool:
    """Say whether the first word of a sentence is clearly a name."""
    if _titled(name, text) or text[name.start : name.end].lower() in GIVEN_NAMES or _VERB.match(text, name.end):
        return True
    after = re.match(r"\s+(\w+)", text[name.end :])
    if after is None:
        return False
    return name.end + after.start(1) in unknown


def _join_neighbours(names: list[_Name], text: str) -> list[tuple[int, int]]:
    """Join names with only a space between them into one span."""
    spans: list[tuple[int, int]] = []
    for name in names:
        if spans and text[spans[-1][1] : name.start] == " ":
            spans[-1] = (spans[-1][0], name.end)
        else:
            spans.append((name.start, name.end))
    return spans


def _finding(material: Material, start: int, end: int) -> Finding:
    quote = material.written(start, end)
    reason = f'The conversation does not contain the name "{quote}".'
    return Finding("fabricated", start, end, reason)
