"""Statements and their opposites: a "not" that is put in or taken out, and customer and agent exchanged."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from arf_programs.values.writing import Replacement, with_article


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
"""Verbs that double their last letter, as British English does in "cancelled"."""

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

_PHRASES: Final = {
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
    """{form: the same form of the opposite}. If two verbs have the same form, the first counts."""
    table: dict[str, str] = {}
    for verb, other in _PAIRS:
        for form, turned in zip(forms(verb), forms(other), strict=True):
            table.setdefault(form, turned)
    return table


@lru_cache(maxsize=1)
def past_forms() -> frozenset[str]:
    """The forms in `opposites` that cannot be nouns."""
    return frozenset(form for verb, _ in _PAIRS for form in (forms(verb).past, forms(verb).participle))


@lru_cache(maxsize=1)
def stated() -> dict[str, Verb]:
    """{past or third person: the verb}, to form "did not" and "does not"."""
    return {form: verb for verb in by_base().values() for form in (verb.past, verb.third)}


@lru_cache(maxsize=1)
def by_base() -> dict[str, Verb]:
    """{infinitive: the verb}, of the verbs in `stated`."""
    return {base: forms(base) for base in _STATED.split()}


_AUXILIARY: Final = "was|were|is|are|will|would|could|can|should|did|does|do|has|had|have|must|might"
_NOT: Final = re.compile(rf"\b(?P<verb>{_AUXILIARY})(?: not\b(?! only)|n['’]t\b)|\bcannot\b", re.IGNORECASE)
_PLAIN: Final = re.compile(
    r"\b(?P<verb>was|were|is|are|will|would|could|can|should)\b"
    r"(?! (?:not|no|never|like|able|unable|only|just)\b|['’]|\?|,)"
    r"|\b(?P<perfect>has|had|have)\b(?= (?:been|already been|\w{3,}ed)\b)"
)
_SUBJECT: Final = re.compile(
    r"\b(?:customer|client|caller|user|agent|representative|advisor|bot|he|she|they|it|[A-Z][a-z]+)"
    r"(?= (?P<verb>[a-z]+)\b(?! not\b))"
)
_BEFORE_NOUN: Final = ("the", "a", "an", "his", "her", "their", "this", "that", "any", "no", "and", "or", "")
_BEFORE_VERB: Final = ("to", "will", "would", "could", "can", "should", "not", "must")
_WORD: Final = re.compile(r"[A-Za-z]+")


class Reversal(NamedTuple):
    """A change that reverses a statement: `words` replace `start:end`. `said` are the words there, or their verb."""

    start: int
    end: int
    words: str
    said: str


def find_negations(text: str) -> list[Reversal]:
    """Find where a "not" can be taken out or put in, at each verb where that is grammatical."""
    found = []
    for match in _NOT.finditer(text):
        if text[: match.start()].endswith(('"', "“", "'", "‘")):
            continue  # a name such as "Do not disturb"
        found.append(_stating(text, match) or Reversal(*match.span(), match["verb"] or "can", match.group()))
    for match in _PLAIN.finditer(text):
        verb = match["verb"] or match["perfect"]
        found.append(Reversal(*match.span(), "cannot" if verb == "can" else f"{verb} not", verb))
    verbs = stated()
    for match in _SUBJECT.finditer(text):
        verb = verbs.get(match["verb"])
        if verb is not None:
            helper = "does not" if match["verb"] == verb.third else "did not"
            found.append(Reversal(*match.span("verb"), f"{helper} {verb.base}", match["verb"]))
    return found


def _stating(text: str, match: re.Match[str]) -> Reversal | None:
    """Turn "did not refund" into "refunded"; None for another auxiliary or an unknown verb."""
    after = re.match(r" ([a-z]+)\b", text[match.end() :])
    verb = by_base().get(after[1]) if after else None
    helper = (match["verb"] or "").lower()
    if verb is None or after is None or helper not in ("did", "does"):
        return None
    words = verb.past if helper == "did" else verb.third
    return Reversal(match.start(), match.end() + after.end(), words, match.group() + after.group())


def find_opposites(text: str) -> list[Reversal]:
    """Find the verbs and phrases of action that have an opposite."""
    found: list[Reversal] = []
    for phrase, words in _PHRASES.items():
        found += [Reversal(*match.span(), words, phrase) for match in re.finditer(rf"\b{phrase}\b", text)]
    phrases = [(item.start, item.end) for item in found]
    table = opposites()
    for match in _WORD.finditer(text):
        opposite = table.get(match.group())
        inside = any(start < match.end() and match.start() < end for start, end in phrases)
        if opposite and not inside and _is_verb(text, match):
            found.append(Reversal(*match.span(), opposite, match.group()))
    return sorted(found)


def _is_verb(text: str, match: re.Match[str]) -> bool:
    """Say whether the word can only be a verb here: a past form, or an infinitive after "to" or an auxiliary.

    "refund", "order" and "charges" are nouns as often as verbs. A past form before a noun ("the cancelled order") or
    with a preposition of its own ("agreed with") does not count, since its opposite would not fit.
    """
    word, before, after = match.group(), text[: match.start()].rstrip(), text[match.end() :]
    if re.match(r" (?:with|on|about|for|from|up|out|that|whether|if|as)\b", after):
        return False
    last = re.search(r"[\w'’]+$", before)
    previous = last.group().lower() if last else ""
    if word in past_forms():
        return previous not in _BEFORE_NOUN
    return previous in _BEFORE_VERB and bool(re.match(r" \w", after))


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
