"""Threads of mails: each mail with its sender, the oldest first, without headers, signatures and what it quotes.

A mail quotes the one before it: below a line such as "On Monday Joe wrote:", each line behind a `>`, or below a header
of its own, as Outlook writes it. Of two senders one is the customer, and the other the agent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from arf_programs.corpus.speakers.mail import ADDRESS, FORWARDED, Header, find_headers, says_who_wrote, sender_name

_QUOTE: Final = re.compile(r"\s{0,3}>\s?")
_SIGNATURE: Final = re.compile(r"\s{0,3}(?:--|—|__)\s?")
_DEVICE: Final = re.compile(
    r"(?:sent from (?:my|mail for)|get outlook for|von meinem .* gesendet|gesendet von (?:meinem|outlook)|"
    r"envoyé de(?:puis)? mon|enviado desde mi|inviato da|verzonden vanaf|skickat från min)\b.*",
    re.IGNORECASE,
)
_RULE: Final = re.compile(r"[-_=*\s]{5,}")
_REPLY: Final = re.compile(r"\s*(?:re|aw|sv|antw|odp|vs|rif|ynt|回复|答复)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE)
_DATES: Final = (
    "%a, %d %b %Y %H:%M", "%A, %B %d, %Y %I:%M %p", "%A, %d %B %Y %H:%M", "%A, %d. %B %Y %H:%M", "%d.%m.%Y %H:%M",
    "%d %B %Y %H:%M", "%B %d, %Y %I:%M %p", "%a, %b %d, %Y at %I:%M %p",
)  # fmt: skip
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


@dataclass
class Mail:
    """One mail of a thread: who wrote it, to whom, when, about what, and its lines."""

    sender: str = ""
    address: str = ""
    receiver: str = ""
    date: str = ""
    subject: str = ""
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The mail without its signature, with its date before it."""
        kept: list[str] = []
        for line in self.lines:
            if _SIGNATURE.fullmatch(line):
                break
            if not _DEVICE.fullmatch(line.strip()) and not _RULE.fullmatch(line):
                kept.append(line)
        body = "\n".join(kept).strip()
        return f"[{self.date}] {body}" if self.date and body else body


def is_thread(lines: Sequence[str]) -> bool:
    """Say whether a text whose turns have no labels is a thread of mails: it quotes one."""
    headers = find_headers([_unquoted(line)[1] for line in lines])
    return any(header.is_mail and header.sender for header in headers) or any(
        read_intro([_unquoted(part)[1] for part in lines[number : number + 3]], 0) for number in range(len(lines))
    )


def read_thread(text: str) -> list[Mail]:
    """Return the mails of a thread, the oldest first, with their senders as far as the thread tells them."""
    mails = [mail for mail in _split(text.split("\n")) if mail.text]
    for older, newer in zip(mails[1:], mails, strict=False):
        if not newer.sender and older.receiver:
            newer.sender, newer.address = sender_name(older.receiver), _address(older.receiver)
    return _oldest_first(mails)


def text_without_quotes(text: str) -> str:
    """Return the newest mail of a text, without the mails that it quotes and without its signature."""
    return next((mail.text for mail in _split(text.split("\n")) if mail.text), "")


def _split(lines: list[str]) -> list[Mail]:
    """Cut a text into mails, in their order. A level of `>` holds the mail that the level before it quotes."""
    levels = [_unquoted(line) for line in lines]
    plain = [text for _, text in levels]
    headers = {header.start: header for header in find_headers(plain) if header.sender and header.is_mail}
    mails = [Mail()]
    open_at: dict[int, Mail] = {0: mails[0]}
    number = 0
    while number < len(lines):
        level, line = levels[number]
        begun, end = _begin(plain, number, headers)
        if begun is not None:
            within = next((levels[later][0] for later in range(end, len(lines)) if plain[later].strip()), level)
            mails.append(begun)
            open_at = {depth: mail for depth, mail in open_at.items() if depth < max(level, within)} | {
                max(level, within): begun
            }
        elif not FORWARDED.fullmatch(line.strip()):
            depth = max((depth for depth in open_at if depth <= level), default=0)
            quoted = lines[number] if depth < level else line
            open_at[depth].lines.append(quoted)
        number = end
    return mails


def _unquoted(line: str) -> tuple[int, str]:
    level = 0
    while match := _QUOTE.match(line):
        line = line[match.end() :]
        level += 1
    return level, line


def _begin(lines: list[str], number: int, headers: dict[int, Header]) -> tuple[Mail | None, int]:
    """Return the mail that begins at a line, or None, and the number of the line to go on with."""
    header = headers.get(number)
    if header is not None:
        values = header.values
        sender = values.get("sender", "")
        date, subject = values.get("date", ""), values.get("subject", "")
        return Mail(header.sender, _address(sender), values.get("receiver", ""), date, subject), header.end
    intro: Intro | None = read_intro(lines, number)
    if intro is not None:
        return Mail(intro.sender, intro.address, date=intro.date), intro.end
    return None, number + 1


def _address(value: str) -> str:
    found = ADDRESS.search(value)
    return found.group().lower() if found else ""


def _oldest_first(mails: list[Mail]) -> list[Mail]:
    """Return the mails with the oldest first. The first and the last date decide; without dates, the subjects do.

    If neither decides, the thread begins with the newest mail.
    """
    dated = [(moment, place) for place, mail in enumerate(mails) if (moment := read_date(mail.date))]
    if len(dated) > 1:
        return mails if dated[0] < dated[-1] else mails[::-1]
    subjects = [mail.subject for mail in mails if mail.subject]
    if len(subjects) > 1 and _REPLY.match(subjects[-1]) and not _REPLY.match(subjects[0]):
        return mails
    return mails[::-1]


def read_date(text: str) -> datetime | None:
    """Read a date of a header, or one of ISO 8601. None if it cannot be told."""
    plain = " ".join(re.sub(r"\s(?:um|at)\s", " ", text.replace("Uhr", "")).split())
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(plain)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (TypeError, ValueError, OverflowError):
            continue
    for form in _DATES:
        try:
            return datetime.strptime(plain, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


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


CUSTOMER: Final = "Customer"
AGENT: Final = "Agent"
_DESK: Final = re.compile(
    r"(?:.*[._-])?(?:support|help|helpdesk|helpline|service|customer-?service|customercare|care|info|no-?reply|contact|billing|"
    r"orders?|sales|team|desk|office|hello|admin|kundenservice|kundendienst|kontakt|sav|assistance|soporte|atencion|"
    r"assistenza|klantenservice|ticket(?:s|ing)?|returns|claims)(?:[._+-].*)?",
    re.IGNORECASE,
)


def name_senders(mails: Sequence[Mail]) -> None:
    """Fill in the senders that a thread of two people leaves out.

    A mail is from the person who did not write the one before.

    Raises ValueError, with a reason for the user, if a sender cannot be told.
    """
    for place, mail in enumerate(mails):
        if mail.sender:
            continue
        others = list(dict.fromkeys(other.sender for other in mails if other.sender))
        before = mails[place - 1].sender if place else ""
        others = [other for other in others if other != before]
        if len(others) > 1:
            raise ValueError(
                f"it cannot be told who wrote the mail that begins with {mail.text[:40]!r}: "
                "begin it with a `From: ...` line"
            )
        mail.sender = others[0] if others else "Answer"


def unify_names(mails: Sequence[Mail]) -> None:
    """Give each address one name, since a quotation may have the address alone."""
    names: dict[str, str] = {}
    for mail in mails:
        if mail.address and names.get(mail.address, mail.address) == mail.address:
            names[mail.address] = mail.sender
    for mail in mails:
        mail.sender = names.get(mail.address, mail.sender)


def as_customer_and_agent(mails: Sequence[Mail], company: Sequence[str]) -> list[str]:
    """Return `Customer` or `Agent` for each mail. If several people have one role, their names are added to it.

    Agents are the people with an address of `company` (domains or addresses). If there are none, they are those with an
    address such as support@..., else those who answer the first mail.
    """
    agents = {_who(mail) for mail in mails if _is_of(mail.address, company)}
    if not agents and not company:
        agents = {_who(mail) for mail in mails if _DESK.fullmatch(mail.address.partition("@")[0] or mail.sender)}
    if not agents or agents == {_who(mail) for mail in mails}:
        agents = {_who(mail) for mail in mails} & agents if company else _who_answers(mails)
    roles = [AGENT if _who(mail) in agents else CUSTOMER for mail in mails]
    people = {role: {_who(mail) for mail, own in zip(mails, roles, strict=True) if own == role} for role in roles}
    return [
        role if len(people[role]) == 1 else f"{role} ({mail.sender})" for mail, role in zip(mails, roles, strict=True)
    ]


def role_of(author: str, company: Sequence[str]) -> str:
    """Return `Agent` for an author whose address is of the company, else `Customer`."""
    found = ADDRESS.search(author)
    return AGENT if _is_of(found.group() if found else author, company) else CUSTOMER


def _who(mail: Mail) -> str:
    return " ".join(mail.sender.casefold().replace(",", " ").split())


def _is_of(address: str, company: Sequence[str]) -> bool:
    domain = address.lower().rpartition("@")[2]
    wanted = [name.lower().lstrip("@") for name in company]
    return bool(address) and any(
        address.lower() == name or domain == name or domain.endswith(f".{name}") for name in wanted
    )


def _who_answers(mails: Sequence[Mail]) -> set[str]:
    """Return the second person who writes, and everybody who writes from the same domain."""
    first = _who(mails[0])
    second = next((mail for mail in mails if _who(mail) != first), None)
    if second is None:
        return set()
    domain = second.address.lower().rpartition("@")[2]
    same = {_who(mail) for mail in mails if domain and mail.address.lower().endswith(f"@{domain}")}
    return {_who(second), *same} - {first}
