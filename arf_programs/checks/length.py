"""The check of form: empty, over-long and cut-off summaries."""

from __future__ import annotations

from typing import Final

from arf_programs.checks.finding import Finding, Material, words

MOST_WORDS: Final = 120
"""A summary of at most this many words is never too long."""

MOST_SHARE: Final = 0.6
"""A longer one is too long if it has more than this share of the conversation's words."""

HARD_LIMIT: Final = 300
"""Words beyond which no summary of a conversation is one."""

_CLOSING: Final = ".!?…\"'”’)]*"
_LEAST_WORDS: Final = 3


def check_length(material: Material) -> list[Finding]:
    """A summary without words, with too many of them, or whose last sentence is cut off."""
    count = len(words(material.summary))
    if count < _LEAST_WORDS:
        return [Finding("length", 0, len(material.summary.rstrip()), "The summary is empty.", "critical")]
    findings = []
    said = sum(len(words(turn.text)) for turn in material.conversation.turns)
    if count > min(HARD_LIMIT, max(MOST_WORDS, MOST_SHARE * said)):
        start = _beyond(material)
        reason = f"The summary is too long: {count} words."
        findings.append(Finding("length", start, len(material.summary.rstrip()), reason, "major"))
    start, end = material.sentences[-1]
    last = material.summary[start:end]
    if last[-1] not in _CLOSING:
        findings.append(Finding("length", start, end, "The last sentence is cut off or has no full stop.", "minor"))
    return findings


def _beyond(material: Material) -> int:
    """Where the first sentence beyond `MOST_WORDS` begins: what has to go."""
    for start, end in material.sentences:
        if len(words(material.summary[:end])) > MOST_WORDS:
            return start
    return material.sentences[-1][0]
