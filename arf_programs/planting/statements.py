"""The kinds of error that reverse a statement, `negation` and `action`, with the verbs of customer service."""

from __future__ import annotations

import re
from functools import lru_cache
from random import Random
from typing import Final, NamedTuple

from arf_programs.checks import Material
from arf_programs.config import Kind
from arf_programs.planting.records import Change, outcome_or_fact, turns_with, with_article


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
    verbs = [forms(base) for base in _STATED.split()]
    return {form: verb for verb in verbs for form in (verb.past, verb.third)}


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


def plant_negations(material: Material, rng: Random) -> list[Change]:
    """Remove or insert a "not", at each verb where that is grammatical."""
    changes = []
    for match in _NOT.finditer(material.summary):
        if material.summary[: match.start()].endswith(('"', "“", "'", "‘")):
            continue  # a name such as "Do not disturb"
        verb = match["verb"] or "can"
        changes.append(_reversed(material, "negation", match.span(), verb, f'the conversation says "{match.group()}"'))
    for match in _PLAIN.finditer(material.summary):
        verb = match["verb"] or match["perfect"]
        wrong = "cannot" if verb == "can" else f"{verb} not"
        changes.append(_reversed(material, "negation", match.span(), wrong, f'the conversation says "{verb}"'))
    verbs = stated()
    for match in _SUBJECT.finditer(material.summary):
        stated_verb = verbs.get(match["verb"])
        if stated_verb is not None:
            helper = "does not" if match["verb"] == stated_verb.third else "did not"
            change = f"{helper} {stated_verb.base}"
            reason = "the conversation says that it was so"
            changes.append(_reversed(material, "negation", match.span("verb"), change, reason))
    return changes


def plant_actions(material: Material, rng: Random) -> list[Change]:
    """Change verbs and phrases of action to their opposites."""
    changes = []
    taken: list[tuple[int, int]] = []
    for phrase, wrong in _PHRASES.items():
        for match in re.finditer(rf"\b{phrase}\b", material.summary):
            taken.append(match.span())
            changes.append(_reversed(material, "action", match.span(), wrong, f'right is "{phrase}"'))
    table = opposites()
    for match in _WORD.finditer(material.summary):
        opposite = table.get(match.group())
        inside = any(start < match.end() and match.start() < end for start, end in taken)
        if opposite and not inside and _is_verb(material.summary, match):
            changes.append(_reversed(material, "action", match.span(), opposite, f'right is "{match.group()}"'))
    return sorted(changes, key=lambda change: change.start)


def _is_verb(text: str, match: re.Match[str]) -> bool:
    """Whether the word can only be a verb here: a past form, or an infinitive after "to" or an auxiliary.

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


def _reversed(material: Material, kind: Kind, span: tuple[int, int], wrong: str, right: str) -> Change:
    start, end, wrong = with_article(material.summary, *span, wrong)
    return Change(
        kind=kind,
        category=outcome_or_fact(material, start),
        origin="none",
        start=start,
        end=end,
        wrong=wrong,
        explanation=f"The statement is turned round: {right}.",
        evidence=turns_with(material, material.sentence_at(start), start),
        severity="critical",
    )
