"""The list of all checks, and the function that runs them on one summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from arf_programs.checks.finding import Check, Finding, Material
from arf_programs.checks.form import check_copying, check_leftovers, check_length, check_repetition
from arf_programs.checks.identifiers import check_codes, check_private_data
from arf_programs.checks.moments import check_dates, check_times
from arf_programs.checks.names import check_names
from arf_programs.checks.numbers import check_numbers, check_rates
from arf_programs.checks.speakers import check_speakers
from arf_programs.text import Folded, find_quote, find_sentences, note_at
from signatures.records import Conversation, ErrorNote

CHECKS: Final[MappingProxyType[str, Check]] = MappingProxyType(
    {
        "length": check_length,
        "leftovers": check_leftovers,
        "private_data": check_private_data,
        "codes": check_codes,
        "dates": check_dates,
        "times": check_times,
        "numbers": check_numbers,
        "rates": check_rates,
        "names": check_names,
        "speakers": check_speakers,
        "copying": check_copying,
        "repetition": check_repetition,
    }
)
ALL: Final = tuple(CHECKS)

_NEXT_WORD: Final = re.compile(r"\s*\S*\w")
_FACTS: Final = frozenset(("wrong_fact", "fabricated", "private_data"))


def run_checks(conversation: Conversation, summary_text: str, *, enabled: Iterable[str] = ALL) -> list[ErrorNote]:
    """Run the enabled checks on a summary. Return each error once, in the order of the text.

    Texts that look equal are equal, whatever their encoding. The quotes are exact substrings of `summary_text`. Raises
    KeyError for a check that does not exist. `ALL` holds the names of all checks.
    """
    material = Material.folded(conversation, summary_text)
    findings = [replace(finding, check=name) for name in enabled for finding in CHECKS[name](material)]
    sentences = find_sentences(summary_text)
    ordered = sorted(_distinct(findings), key=lambda item: item.start)
    notes = [_note(conversation, summary_text, sentences, _placed(finding, material.writing)) for finding in ordered]
    return list({note.id: note for note in notes}.values())


def _distinct(findings: list[Finding]) -> list[Finding]:
    """Drop a fact inside the quote of an earlier fact, for example a number inside a phone number."""
    kept: list[Finding] = []
    for finding in findings:
        facts = [other for other in kept if other.category in _FACTS] if finding.category in _FACTS else []
        if not any(other.start <= finding.start and finding.end <= other.end for other in facts):
            kept.append(finding)
    return kept


_MOST_WORDS: Final = 30


def widen_quote(text: str, sentences: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """Widen the quote `start:end` of `text` by words of its sentence, until its first occurrence is this place.

    After `_MOST_WORDS` it stays as it was: a model in a loop writes the same words hundreds of times.
    """
    first, last = next((span for span in sentences if span[0] <= start and end <= span[1]), (start, end))
    wide = (start, end)
    for _ in range(_MOST_WORDS):
        if find_quote(text[slice(*wide)], text) in (None, wide):
            return wide
        after = _NEXT_WORD.match(text, wide[1], last)
        if after:
            wide = (wide[0], after.end())
        elif wide[0] > first:
            wide = (max(first, text.rfind(" ", 0, wide[0] - 1) + 1), wide[1])
        else:
            break
    return start, end


def _placed(finding: Finding, writing: Folded | None) -> Finding:
    """Return the finding with its place in the summary as it was written."""
    start, end = writing.span(finding.start, finding.end) if writing else (finding.start, finding.end)
    return replace(finding, start=start, end=end)


def _note(
    conversation: Conversation, summary: str, sentences: Sequence[tuple[int, int]], finding: Finding
) -> ErrorNote:
    return note_at(
        summary,
        conversation,
        widen_quote(summary, sentences, finding.start, finding.end),
        category=finding.category,
        evidence=finding.evidence,
        explanation=finding.explanation,
        severity=finding.severity,
        source="check",
        check=finding.check,
    )
