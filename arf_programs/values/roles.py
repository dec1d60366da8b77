"""Customer and agent in a summary: what it calls them, and how they are exchanged in a sentence."""

from __future__ import annotations

import re
from typing import Final

from arf_programs.values.writing import Replacement, with_article

_CUSTOMERS: Final = "customer|client|caller|user"
_AGENTS: Final = "sales agent|agent|representative|advisor|assistant|bot|operator"
_ROLE: Final = re.compile(rf"\b(?:(?P<customer>{_CUSTOMERS})|(?P<agent>{_AGENTS}))\b", re.IGNORECASE)
_OPENS: Final = re.compile(rf"(?:The |A |An )?(?:{_CUSTOMERS}|{_AGENTS})\b(?!['’])", re.IGNORECASE)


def exchange_roles(text: str, start: int, end: int) -> Replacement | None:
    """Exchange customer and agent in the sentence `start:end`; None if it does not begin with one of them."""
    roles = list(_ROLE.finditer(text, start, end))
    if not roles or not _OPENS.match(text, start, end):
        return None
    names = names_of_roles(text)
    first, last = roles[0].start(), roles[-1].end()
    pieces, at = [], first
    for role in roles:
        other = names["agent" if role["customer"] else "customer"]
        pieces += [text[at : role.start()], other.capitalize() if role.group()[0].isupper() else other]
        at = role.end()
    return Replacement(*with_article(text, first, last, "".join(pieces)))


def names_of_roles(summary: str) -> dict[str, str]:
    """Return what the summary calls customer and agent; by default those words."""
    names = {"customer": "customer", "agent": "agent"}
    for role in reversed(list(_ROLE.finditer(summary))):
        names["customer" if role["customer"] else "agent"] = role.group().lower()
    return names


def role_as_subject(summary: str, name: str) -> str:
    """Write a role as the subject of a sentence: with the article, or without it if the summary leaves articles out."""
    bare = re.search(rf"(?:^|[.!?]\s+){_ROLE.pattern}", summary, re.IGNORECASE)
    with_the = re.search(rf"\bthe (?:{_CUSTOMERS}|{_AGENTS})\b", summary, re.IGNORECASE)
    return name.capitalize() if bare and not with_the else f"The {name}"
