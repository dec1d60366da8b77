"""The check of form: long passages copied from the conversation, and a dialogue instead of a summary."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

from arf_programs.checks.finding import WORD, Finding, Material, words

LONGEST_COPY: Final = 20
"""Words in a row that a summary may share with a turn: fewer than 1 in 100 human references of threads share more."""

_LINE: Final = re.compile(r"^[ \t>*_-]*(?P<speaker>[A-Za-z][\w .'-]{0,30}?)[*_]*:[*_]*\s+\S.*$", re.MULTILINE)
_SPEAKERS: Final = frozenset(("customer", "agent", "client", "bot", "representative", "user", "assistant", "caller"))
_LEAST_LINES: Final = 2


def check_copying(material: Material) -> list[Finding]:
    """Passages of more than `LONGEST_COPY` words that a turn contains word for word, and `Speaker: ...` lines."""
    return [*_dialogue(material), *_copies(material)]


def _dialogue(material: Material) -> list[Finding]:
    """The stretch from the first to the last `Speaker: ...` line, where there are at least two of them."""
    speakers = _SPEAKERS | {turn.speaker.lower() for turn in material.conversation.turns}
    lines = [line for line in _LINE.finditer(material.summary) if line["speaker"].lower() in speakers]
    if len(lines) < _LEAST_LINES:
        return []
    reason = "The summary retells the conversation as a dialogue instead of summarising it."
    return [Finding("verbatim_copy", lines[0].start(), lines[-1].end(), reason, "major")]


def _copies(material: Material) -> list[Finding]:
    told = list(WORD.finditer(material.summary))
    plain = words(material.summary)
    found: list[Finding] = []
    for turn, said in enumerate(material.conversation.turns, start=1):
        other = words(said.text)
        if len(other) <= LONGEST_COPY:
            continue
        for block in SequenceMatcher(None, plain, other, autojunk=False).get_matching_blocks():
            if block.size > LONGEST_COPY:
                start, end = told[block.a].start(), told[block.a + block.size - 1].end()
                reason = f"{block.size} words in a row are copied from turn {turn}."
                found.append(Finding("verbatim_copy", start, end, reason, "minor", (turn,)))
    return found
