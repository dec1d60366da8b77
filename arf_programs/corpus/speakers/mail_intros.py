"""Lines that introduce a quoted mail, such as "On Mon, 3 May 2025, Joe <joe@example.org> wrote:". Who wrote, when."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from arf_programs.corpus.speakers.mail import says_who_wrote, sender_name

_MOST_LINES: Final = 3  # mail programs break such a line where it is long
_LONGEST: Final = 300
_OPENER: Final = re.compile(
    r"(?:on|am|le|el|il|em|op|den|dne|dnia|în|la|pada|vào|w dniu|a las|in data)\s|\d{1,4}[./年-]|\S+@\S+|<|"
    r"[^\W\d_]+ [^\W\d_]+ <",
    re.IGNORECASE,
)
_VERB: Final = re.compile(
    r"\b(?:wrote|writes|schrieb|a écrit|écrit|escribió|escreveu|ha scritto|scritto|scrive|schreef|skrev|kirjoitti|"
    r"napisała?(?:\(a\))?|napsala?|пишет|написала?|написав|yazdı|írta|a scris|έγραψε|menulis|"
    r"đã viết)\b|写道|寫道|書きました|작성",
    re.IGNORECASE,
)
_MOMENT: Final = re.compile(
    r"\d{1,2}[:.h]\d\d(?:[:.]\d\d)?(?:\s?[ap]\.?\s?m\b\.?)?(?:\s?(?:Uhr|h\b|(?:UTC|GMT)(?:[+-]\d{1,2})?|[+-]\d{4}|\([A-Z]{2,5}\)))*|"
    r"\d{4}年|\d{1,2}[月日]|\b(?:19|20)\d\d\b|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}",
    re.IGNORECASE,
)
_ADDRESSED: Final = re.compile(
    r"(?P<before>.*?)\(?<?(?P<address>[^\s<>@()]+@[^\s<>@()]+\.\w+)>?\)?(?P<after>.*)", re.DOTALL
)
_FIRST_WORD: Final = re.compile(
    r"^\s*(?:(?:on|am|le|el|il giorno|il|em|op|den|dne|dnia|w dniu|in data)\s+|[在于於])?", re.I
)
_EDGES: Final = re.compile(
    r"^(?:[\s,;:·|-]|(?:on|am|um|uhr|à|at|le|el|il|em|op|den|kl\.?|o|a las|às|alle(?: ore)?|von|by|de|v|"
    r"tarihinde|odesílatel|"
    r"(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim)\w*\.?(?=[\s,])|于|在)(?=[\s,]))+|[\s,;:(]+$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Intro:
    """A line before a quoted mail. `end` is the number of the line after it."""

    end: int
    sender: str
    address: str
    date: str


def read_intro(lines: list[str], start: int) -> Intro | None:
    """Read an introduction that begins at a line, and may go on over the next two. None if there is none."""
    joined = ""
    for end in range(start, min(start + _MOST_LINES, len(lines))):
        joined = f"{joined} {lines[end].strip()}".strip()
        if not lines[end].strip() or len(joined) > _LONGEST or (end > start and not _OPENER.match(joined)):
            return None
        if says_who_wrote(joined) or _ends_in_address(joined):
            return _intro(joined, end + 1)
    return None


def _ends_in_address(line: str) -> bool:
    """Say whether a line is like Gmail's in Japanese: a date, a name and `<address>:`, and no verb."""
    return re.search(r"<[^\s<>]+@[^\s<>]+>\s?[:：]$", line) is not None and _MOMENT.search(line) is not None


def _intro(line: str, end: int) -> Intro:
    plain = line.rstrip(" :：")
    addressed = _ADDRESSED.fullmatch(plain)
    address = addressed["address"] if addressed else ""
    before, after = _around_the_verb(plain)
    dated = after if _MOMENT.search(after) and not _MOMENT.search(before) else before
    moments = list(_MOMENT.finditer(dated))
    date = _FIRST_WORD.sub("", dated[: moments[-1].end()]) if moments else ""
    for part in (before, after):
        name = _name(part)
        if name:
            return Intro(end, sender_name(f"{name} <{address}>") if address else name, address, date)
    return Intro(end, address, address, date)


def _around_the_verb(line: str) -> tuple[str, str]:
    verb = _VERB.search(line)
    return (line[: verb.start()], line[verb.end() :]) if verb else (line, "")


def _name(part: str) -> str:
    """Return the name in "Mon, 3 May 2025 at 10:32, Joe Miller <joe@example.org>"."""
    addressed = _ADDRESSED.fullmatch(part)
    text = addressed["before"] if addressed else part
    moments = list(_MOMENT.finditer(text))
    rest = text[moments[-1].end() :] if moments else text
    name = _EDGES.sub("", _EDGES.sub("", rest)).strip(" \"'<>()")
    return (
        name
        if re.search(r"[^\W\d_]", name) and not re.fullmatch(r"(?:am|on|le|el|il|em|op)\b.{0,3}", name, re.I)
        else ""
    )
