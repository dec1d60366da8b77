"""Which lines of a conversation's text begin a turn.

`Note: ...`, `Trip type: ...` and `https://...` look like `Speaker: ...` but belong to the turn before. A line begins a
turn when it is not indented, starts with a letter, has a label of one to four words and at most 40 characters, and the
label is one of the conversation's speakers. Those are the first label, the labels that end in a word for a role
(`Sales Agent`, `Customer 2`), and the labels that come back in different turns; a label seen once is trusted only while
there is no second speaker without it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from signatures.records import Turn

_LABEL = re.compile(r"(?P<label>[^\W\d_][^:：\n]{0,39})[:：](?!//)(?P<text>.*)")
_BRACKETS = re.compile(r"\([^()]*\)")
_NOT_IN_LABEL = re.compile(r"[,;!?\"“”„<>=*|(){}\[\]]")
_ROLE = re.compile(
    "advis[eo]r|agent|assistant|bot|buyer|caller|chatbot|clerk|client|consultant|customer|employee|expert|guest|helpdesk|"
    "manager|operator|patient|rep|representative|salesperson|seller|service|specialist|staff|supervisor|support|system|"
    "technician|user|visitor",
    re.IGNORECASE,
)
_FIELD = re.compile(
    "address|cc|date|dear|e-?mail|example|fwd|important|name|notes?|p\\.?s\\.?|phone|please|price|re|reminder|sent|status|"
    "subject|time|tip|total|update|warning",
    re.IGNORECASE,
)


def parse_turns(text: str) -> tuple[Turn, ...]:
    """Split text into turns, continuation lines joined to the turn before; the text of a turn keeps its inner lines.

    Raises ValueError, with a reason for the user, when there is text before the first speaker.
    """
    lines = text.split("\n")
    speakers = _speakers(lines)
    turns: list[tuple[str, list[str]]] = []
    for line in lines:
        label, said = _split_label(line)
        if label in speakers:
            turns.append((label, [said]))
        elif turns:
            turns[-1][1].append(line)
        elif line.strip():
            raise ValueError(f"the text begins with {_shown(line)}, not with a `Speaker: ...` line")
    return tuple(Turn(speaker=speaker, text="\n".join(said).strip()) for speaker, said in turns)


def _shown(line: str) -> str:
    short = line.strip()
    return repr(short if len(short) <= 40 else short[:40] + "…")


def _split_label(line: str) -> tuple[str, str]:
    """The label of a line and what follows it; an empty label where the line cannot begin a turn."""
    match = _LABEL.match(line)
    if match is None:
        return "", line
    label = match["label"].strip()
    plain = _BRACKETS.sub("", label)
    words = plain.split()
    if not 1 <= len(words) <= 4 or _NOT_IN_LABEL.search(plain) or _FIELD.fullmatch(words[0]):
        return "", line
    return label, match["text"]


def _speakers(lines: list[str]) -> frozenset[str]:
    """The labels that are speakers, by the rule at the top of this file."""
    labels = [label for label in _labels(lines) if label]
    if not labels:
        return frozenset()
    sure = {labels[0]} | {label for label in labels if _is_role(label)}
    if len(sure) > 1:
        return frozenset(sure | _in_several_turns(labels, sure))
    others = [label for label in labels if label not in sure]
    back = {label for label in others if others.count(label) > 1}
    if back or labels.count(labels[0]) == 1:
        return frozenset(sure | (back or set(others)))
    return frozenset(sure | set(others[:1]))


def _labels(lines: list[str]) -> Iterator[str]:
    for line in lines:
        label, said = _split_label(line)
        # "at 5:30" has no space behind its colon, but nor has "Customer:yes": only a letter tells them apart.
        if not said or not said[0].isdigit():
            yield label


def _is_role(label: str) -> bool:
    """Whether the last word of a label, but for a number, a letter or brackets behind it, is one for a role.

    The last, since `User ID: ...` and `Customer name: ...` are fields.
    """
    words = re.findall(r"[^\W\d_]{2,}", _BRACKETS.sub("", label))
    return bool(words) and _ROLE.fullmatch(words[-1]) is not None


def _in_several_turns(labels: list[str], sure: set[str]) -> set[str]:
    """Labels that occur under at least two turns of sure speakers: fields listed within one message do not."""
    turn = 0
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for label in labels:
        if label in sure:
            turn += 1
        else:
            seen[label].add(turn)
    return {label for label, turns in seen.items() if len(turns) > 1}
