"""The verbs of customer service in their forms, for turning statements round."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple


class Verb(NamedTuple):
    """The forms of a verb that summaries use: "refund", "refunds", "refunded", "refunded", "refunding"."""

    base: str
    third: str
    past: str
    participle: str
    gerund: str


_IRREGULAR: Final = {
    **{"send": ("sent", "sent"), "give": ("gave", "given"), "get": ("got", "got"), "pay": ("paid", "paid")},
    **{"find": ("found", "found"), "lose": ("lost", "lost"), "keep": ("kept", "kept"), "buy": ("bought", "bought")},
    **{"sell": ("sold", "sold"), "take": ("took", "taken"), "make": ("made", "made"), "say": ("said", "said")},
    **{"tell": ("told", "told"), "forget": ("forgot", "forgotten"), "withdraw": ("withdrew", "withdrawn")},
}
_DOUBLED: Final = ("cancel", "ship", "stop", "forget", "get")
"""Verbs that double their last letter, as British English has it in "cancelled"."""

_STATED: Final = (
    "refund accept offer promise confirm send book order receive pay replace arrange agree explain apologise apologize "
    "provide cancel return change credit approve deliver ship extend activate update inform resolve close open keep "
    "ask request want need complain report call contact mention suggest advise recommend check find give get "
    "work arrive charge help purchase renew install upgrade transfer reset repair decide"
)

_OPPOSITE: Final = (
    ("open", "close"),
    ("accept", "decline"),
    ("approve", "reject"),
    ("cancel", "confirm"),
    ("refund", "charge"),
    ("activate", "deactivate"),
    ("enable", "disable"),
    ("add", "remove"),
    ("increase", "reduce"),
    ("extend", "shorten"),
    ("upgrade", "downgrade"),
    ("start", "stop"),
    ("block", "unblock"),
    ("lock", "unlock"),
    ("buy", "sell"),
    ("subscribe", "unsubscribe"),
    ("connect", "disconnect"),
    ("install", "uninstall"),
    ("remember", "forget"),
    ("include", "exclude"),
)
_ONE_WAY: Final = (
    ("waive", "charge"),
    ("agree", "refuse"),
    ("refuse", "accept"),
    ("book", "cancel"),
    ("order", "cancel"),
    ("arrange", "cancel"),
    ("schedule", "cancel"),
    ("offer", "refuse"),
    ("promise", "refuse"),
    ("grant", "deny"),
    ("receive", "send"),
    ("replace", "keep"),
    ("return", "keep"),
    ("credit", "charge"),
    ("deliver", "lose"),
)
_PAIRS: Final = (*_OPPOSITE, *((b, a) for a, b in _OPPOSITE), *_ONE_WAY)

PHRASES: Final = {
    "was able to": "was unable to",
    "were able to": "were unable to",
    "is able to": "is unable to",
    "was unable to": "was able to",
    "is unable to": "is able to",
    "were unable to": "were able to",
    "offered to": "refused to",
    "offers to": "refuses to",
    "promised to": "refused to",
    "agreed to": "refused to",
    "agrees to": "refuses to",
    "refused to": "agreed to",
    "refuses to": "agrees to",
    "declined to": "agreed to",
    "managed to": "failed to",
    "failed to": "managed to",
    "wanted to": "did not want to",
    "wants to": "does not want to",
    "confirmed that": "denied that",
    "confirms that": "denies that",
    "denied that": "confirmed that",
    "was satisfied": "was dissatisfied",
    "was dissatisfied": "was satisfied",
    "was happy": "was unhappy",
    "was unhappy": "was happy",
}


def forms(base: str) -> Verb:
    """The forms of a verb: irregular by a table, otherwise by the rules of spelling."""
    third = base + ("es" if base.endswith(("s", "sh", "ch", "x", "z")) else "s")
    stem = base.removesuffix("e")
    if base.endswith("y") and base[-2] not in "aeiou":
        third, stem_past = base[:-1] + "ies", base[:-1] + "i"
    else:
        stem_past = stem
    doubled = base + base[-1] if base in _DOUBLED else ""
    past, participle = _IRREGULAR.get(base, (f"{doubled or stem_past}ed",) * 2)
    gerund = (doubled or (base if base.endswith("ee") else stem)) + "ing"
    return Verb(base, third, past, participle, gerund)


@lru_cache(maxsize=1)
def opposites() -> dict[str, str]:
    """{form: the same form of the opposite}; of two verbs with the same form the first decides."""
    table: dict[str, str] = {}
    for verb, other in _PAIRS:
        for form, turned in zip(forms(verb), forms(other), strict=True):
            table.setdefault(form, turned)
    return table


@lru_cache(maxsize=1)
def past_forms() -> frozenset[str]:
    """The forms in `opposites` that are certainly verbs."""
    return frozenset(form for verb, _ in _PAIRS for form in (forms(verb).past, forms(verb).participle))


@lru_cache(maxsize=1)
def stated() -> dict[str, Verb]:
    """{past or third person: the verb}, for "did not" and "does not"."""
    verbs = [forms(base) for base in _STATED.split()]
    return {form: verb for verb in verbs for form in (verb.past, verb.third)}
