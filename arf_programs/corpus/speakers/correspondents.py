"""Who is the customer in a thread of mails, and who is the agent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from arf_programs.corpus.speakers.mail import ADDRESS
from arf_programs.corpus.speakers.threads import Mail

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
