"""Turns whose speaker stands before the text without a colon: `<Anna> hi`, `@anna hi`, `[Anna] hi`, `Anna - hi`.

The first line of the text shows the form, and all turns have it. So such a text is only read if nothing else fits.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from arf_programs.corpus.speakers.labels import Label, is_name
from arf_programs.corpus.speakers.stamps import plain_line
from arf_programs.corpus.speakers.words import NO_SPEAKERS, SYSTEM, TAGS

_NAME = r"(?P<name>[^\W_][^\t\n<>|\[\]【】「」『』＜＞〈〉:：]{0,39}?)"
_REST = r"(?P<text>.*)"
_FORMS = {
    "<>": re.compile(rf"<[@+%&~ ]?{_NAME}\s?>[:：]?(?:\s+{_REST}|$)"),
    "[]": re.compile(rf"\[{_NAME}\][:：]?(?:\s+{_REST}|$)"),
    "()": re.compile(rf"\({_NAME}\)[:：]?(?:\s+{_REST}|$)"),
    "【】": re.compile(rf"[【「『＜〈]{_NAME}[】」』＞〉]\s*[:：]?\s*{_REST}"),
    "**": re.compile(rf"(?P<mark>\*\*|__){_NAME}(?P=mark)(?:\s+{_REST}|$)"),
    "#": re.compile(rf"#{{1,6}}\s+{_NAME}\s*#*(?P<text>$)"),
    "@": re.compile(rf"@(?P<name>\w[\w.-]{{0,39}})(?:\s+(?:[-–—>|]+\s+)?{_REST}|$)"),
    "tab": re.compile(rf"{_NAME}\t+{_REST}"),
    "|": re.compile(rf"{_NAME}\s*\|\s+{_REST}"),
    ">": re.compile(rf"{_NAME}\s*(?:>{{1,3}}|[-=]>|→|»)\s+{_REST}"),
    "-": re.compile(rf"{_NAME}\s+[-–—]{{1,2}}\s+{_REST}"),
    "alone": re.compile(rf"{_NAME}(?P<text>)"),
}
_SURE = ("<>", "@")
"""Forms that nothing but a name has."""

_NUMBERED = re.compile(r"(?:speaker|sprecher|locuteur|hablante|participant)[ _-]?\w{1,2}", re.IGNORECASE)
_NICKNAME = re.compile(r"[^\W\d][\w.\-^`]*")
_NOTICE = re.compile(r"(?:\*{3}|-!-|---|-->|<--|==)\s")
_ACTION = re.compile(r"\*+\s+(?P<name>\S+)\s")


@dataclass(frozen=True)
class NamedLine:
    """A line that begins a turn: who speaks, and the text on this line."""

    speaker: str
    text: str


def read_named_line(line: str, *forms: str) -> NamedLine | None:
    """Read a line in one of these forms. None if there is no name in it."""
    shown = plain_line(line)
    for form in forms:
        match = _FORMS[form].fullmatch(shown)
        if match and _may_speak(match["name"], form):
            return NamedLine(" ".join(match["name"].split()), match["text"] or "")
    return None


def read_named_lines(lines: list[str]) -> dict[int, NamedLine] | None:
    """Return the lines that begin a turn, by their numbers. None if the first line has no such form.

    Notices of the chat may stand before it. Raises ValueError, with a reason for the user, for a name that occurs only
    once where it may also be text.
    """
    filled = [number for number, line in enumerate(lines) if line.strip()]
    first = next((number for number in filled if not _NOTICE.match(lines[number])), 0)
    before = {filled[0]: NamedLine(SYSTEM, lines[filled[0]])} if filled and filled[0] < first else {}
    for form in _FORMS:
        if read_named_line(lines[first], form) is None:
            continue
        named = {number: found for number, line in enumerate(lines) if (found := read_named_line(line, form))}
        speakers = (_block_speakers(lines, named) if form == "alone" else set()) or _speakers(named, form)
        if len(speakers) > 1:
            _refuse_others(named, speakers, form)
            turns = {number: found for number, found in named.items() if found.speaker in speakers}
            return before | turns | (_actions(lines, speakers) if form == "<>" else {})
    return None


def refuse_names_without_colon(lines: list[str], speaker: str) -> None:
    """Raise ValueError if `speaker` talks alone, and others stand before a text in a form without a colon."""
    # A customer who writes to a handle, or a note in brackets, is no second speaker.
    forms = ("<>",) if Label(speaker, "").is_role else ("<>", "@", "[]")
    found = [(line, named) for line in lines if (named := read_named_line(line, *forms))]
    times = Counter(named.speaker for _, named in found)
    for line, named in found:
        if named.speaker != speaker and (line.startswith("<") or times[named.speaker] > 1):
            raise ValueError(
                f"it cannot be told whether {named.speaker!r} begins a turn in {line.strip()[:60]!r}: "
                "write `Speaker: ...` at the beginning of each turn"
            )


def _may_speak(name: str, form: str) -> bool:
    if Label(name, "").is_role or _NUMBERED.fullmatch(name):
        return True
    folded = name.casefold()
    if folded in NO_SPEAKERS or (form == "<>" and folded.split(" ")[0] in TAGS):
        return False
    return is_name(name) or (form in ("<>", "@", "[]", "tab") and _NICKNAME.fullmatch(name) is not None)


def _speakers(named: dict[int, NamedLine], form: str) -> set[str]:
    """Choose the names that speak.

    These are roles, and names that come back. If that is only one name, the next name speaks too.
    """
    times = Counter(line.speaker for line in named.values())
    first, *others = times
    if form in _SURE:
        return set(times)
    sure = {name for name in others if Label(name, "").is_role or times[name] > 1}
    if form == "alone":
        return {first, *sure} if times[first] > 1 or Label(first, "").is_role else set()
    if not sure:
        sure = set(others if times[first] == 1 else others[:1])
    return {first, *sure}


def _block_speakers(lines: list[str], named: dict[int, NamedLine]) -> set[str]:
    """Choose the names above blocks of text, as captions of a meeting have them, where every block has one."""
    starts = [n for n, line in enumerate(lines) if line.strip() and (n == 0 or not lines[n - 1].strip())]
    above = [named[n].speaker for n in starts if n in named and n + 1 < len(lines) and lines[n + 1].strip()]
    names = set(above)
    is_talk = len(above) > len(names) or all(Label(name, "").is_person for name in names)
    return names if len(above) == len(starts) and len(names) > 1 and is_talk else set()


def _refuse_others(named: dict[int, NamedLine], speakers: set[str], form: str) -> None:
    if form == "alone":  # a short line is more often text
        return
    for line in named.values():
        if line.speaker not in speakers:
            raise ValueError(
                f"it cannot be told whether {line.speaker!r} speaks or is part of the text: "
                "write `Speaker: ...` at the beginning of each turn"
            )


def _actions(lines: list[str], speakers: set[str]) -> dict[int, NamedLine]:
    """Return lines such as `* Anna waves`."""
    matches = [(number, _ACTION.match(line)) for number, line in enumerate(lines)]
    return {
        number: NamedLine(match["name"], lines[number])
        for number, match in matches
        if match and match["name"] in speakers
    }
