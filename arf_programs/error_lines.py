"""Errors as an editor reads them. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from signatures.records import ErrorNote

_QUOTE_SHOWN = 160


def describe_errors(errors: Sequence[ErrorNote]) -> str:
    """One line an error, with the short ids (e1, e2, ...) by which an editor names what it mends."""
    lines = []
    for number, note in enumerate(errors, start=1):
        turns = f" (turns {', '.join(map(str, note.evidence))})" if note.evidence else ""
        quote = f'"{_shortened(note.quote)}"' if note.quote else "nothing quoted: something is missing"
        lines.append(f"e{number}. {note.category}: {quote}. {note.explanation}{turns}")
    return "\n".join(lines)


def _shortened(quote: str) -> str:
    """A long quote by its beginning and end: the editor has the summary, and pays for each word twice."""
    return quote if len(quote) <= _QUOTE_SHOWN else f"{quote[: _QUOTE_SHOWN - 40]} ... {quote[-30:]}"
