"""Quotes: how they are located in a text, and how error notes are made whose quotes and turns exist.

Language models quote inexactly: they straighten quotation marks, collapse white space, change case, and add or drop a
full stop. They also encode a letter in another way than the text (see folding.py). The match accepts these differences
only. An error note always has the exact substring of the text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Final

from arf_programs.text.folding import cuts_character, fold, letters_around
from signatures.exceptions import QuoteError
from signatures.records import Conversation, ErrorNote, ErrorSource, Severity

_SAME: Final = {
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
}
_EDGE: Final = " \"'.,;:!?-"
_SHOWN: Final = 80


def find_quote(quote: str, text: str) -> tuple[int, int] | None:
    """Find the `(start, end)` span of `quote` in `text`. Return None if there is none.

    These forms are tried in order: the quote as it is; the quote with white space, case, typographic quotes and dashes
    normalised; the same without punctuation around it. White space around the quote is ignored. The first occurrence
    that begins and ends at word boundaries is taken, else the first occurrence. A blank quote has no span, nor has one
    that ends between a letter and its accent.
    """
    quote = quote.strip()
    if not quote:
        return None
    exact = _first(quote, text)
    if exact is not None:
        return exact, exact + len(quote)
    plain, spans = _normalise(text)
    for wanted in _candidates(quote):
        start = _first(wanted, plain)
        if start is not None:
            return spans[start][0], spans[start + len(wanted) - 1][1]
    return None


def find_quotes(quote: str, text: str) -> list[tuple[int, int]]:
    """Find all spans of `quote`, an exact substring, that begin and end at word boundaries in `text`, in order.

    If no occurrence does, find all occurrences. A blank quote has no span.
    """
    if not quote.strip():
        return []
    # A lookahead, since places may overlap: "a a" stands twice in "a a a".
    starts = [match.start() for match in re.finditer(f"(?={re.escape(quote)})", text)]
    spans = [(start, start + len(quote)) for start in starts if not _cuts(text, start, start + len(quote))]
    return [span for span in spans if not any(_joined(text, place) for place in span)] or spans


def _candidates(quote: str) -> list[str]:
    """Return the normalised quote, with and without the punctuation around it."""
    plain = _normalise(quote)[0].strip()
    bare = plain.strip(_EDGE)
    return [wanted for wanted in dict.fromkeys((plain, bare)) if wanted]


def _normalise(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Normalise encoding, case, punctuation and spaces. Also return the span in `text` of each character."""
    folded = fold(text)
    plain: list[str] = []
    spans: list[tuple[int, int]] = []
    for index, char in enumerate(folded.text):
        place = folded.span(index, index + 1)
        if char.isspace():
            if plain and plain[-1] == " ":
                spans[-1] = (spans[-1][0], place[1])
                continue
            same = " "
        else:
            same = _SAME.get(char, char).casefold()
        plain.extend(same)
        spans.extend([place] * len(same))
    return "".join(plain), spans


def _first(wanted: str, text: str) -> int | None:
    """Find the first place of `wanted` at word boundaries, else the first place, else None."""
    fallback = None
    place = text.find(wanted)
    while place >= 0:
        end = place + len(wanted)
        if not _cuts(text, place, end):
            if not (_joined(text, place) or _joined(text, end)):
                return place
            fallback = place if fallback is None else fallback
        place = text.find(wanted, place + 1)
    return fallback


def _cuts(text: str, start: int, end: int) -> bool:
    return cuts_character(text, start) or cuts_character(text, end)


def _joined(text: str, place: int) -> bool:
    """Say whether the characters on both sides of `place` belong to one word or number."""
    if not 0 < place < len(text):
        return False
    left, right = letters_around(text, place)
    if left.isalnum() and right.isalnum():
        return True
    inside_number = left in ".," and right.isdigit() and place > 1 and text[place - 2].isdigit()
    before_decimals = left.isdigit() and right in ".," and text[place + 1 : place + 2].isdigit()
    return inside_number or before_decimals


def error_id(
    conversation_id: str,
    category: str,
    quote: str,
    source: ErrorSource,
    evidence: Iterable[int] = (),
    explanation: str = "",
) -> str:
    """Make a short id that is the same in every run: 12 hexadecimal digits of a SHA-256 over the error.

    Evidence and explanation are included, because two omissions of one category have the same empty quote.
    """
    content = json.dumps([conversation_id, category, quote, source, list(evidence), explanation], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def locate_error(
    summary_text: str,
    conversation: Conversation,
    *,
    category: str,
    quote: str = "",
    evidence: Iterable[int] = (),
    explanation: str = "",
    severity: Severity = "major",
    source: ErrorSource = "lm",
) -> ErrorNote:
    """Make an error note whose quote is an exact substring of the summary and whose turns exist.

    A blank quote means an omission. Raises QuoteError, which names the quote or the turn that does not exist.
    """
    span = find_quote(quote, summary_text)
    if span is None and quote.strip():
        shown = quote if len(quote) <= _SHOWN else quote[: _SHOWN - 3] + "..."
        raise QuoteError(f"the summary of {conversation.id} does not contain the quote {shown!r}")
    exact = summary_text[slice(*span)] if span else ""
    turns = tuple(dict.fromkeys(evidence))
    unknown = [turn for turn in turns if not 1 <= turn <= len(conversation.turns)]
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise QuoteError(f"{conversation.id} has turns 1 to {len(conversation.turns)}, not turn {listed}")
    return ErrorNote(
        id=error_id(conversation.id, category, exact, source, turns, explanation),
        category=category,
        quote=exact,
        evidence=turns,
        explanation=explanation,
        severity=severity,
        source=source,
    )
