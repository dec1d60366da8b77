"""Quotes: how they are located in a text, and how error notes are made whose quotes and turns exist.

Language models quote inexactly: they straighten quotation marks, collapse white space, change case, and add or drop a
full stop. They also encode a letter in another way than the text (see characters.py), leave out marks of Markdown, and
write "..." for words in the middle. The match accepts these differences only. An error note always has the exact
substring of the text.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from arf_programs.text.characters import MARKS, cuts_character, fold, letters_around, with_pairs
from arf_programs.text.sentences import find_sentences, split_words
from signatures.exceptions import QuoteError
from signatures.records import Conversation, Edit, ErrorNote, ErrorSource, Severity

Span = tuple[int, int]

_SAME: Final = {
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    "…": "...",
}
_EDGE: Final = " \"'.,;:!?-"
_ITEM: Final = re.compile(r"^[ \t]*(?:[-*•–]|\d{1,2}[.)])[ \t]+", re.MULTILINE)
_ELLIPSIS: Final = re.compile(r"\s*(?:\[\.\.\.\]|\(\.\.\.\)|\.\.\.)\s*")
_SHOWN: Final = 80
_CLOSE: Final = 3  # words before a quote, which say most of what it is about
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Letters of scripts without spaces between words (Chinese, Japanese, Thai, ...), and Korean, which joins particles."""


def find_quote(quote: str, text: str) -> Span | None:
    """Find the first place of `quote` in `text`, as `find_quotes` does. Return None if there is none."""
    return next(_places(quote, text), None)


def find_quotes(quote: str, text: str) -> list[Span]:
    """Find all places `(start, end)` of `quote` in `text`, in order.

    The quote is looked for as it is, then with white space, case, typographic quotes and dashes normalised, then also
    without punctuation around it, then without marks of Markdown, and last as words with others between them ("the
    agent ... the refund"). The first form that is found counts. White space around the quote is ignored. A place begins
    and ends at the borders of words and numbers: "6" is not in "2611", nor "39" in "39.90". A blank quote has no place.
    """
    return list(_places(quote, text))


def _places(quote: str, text: str) -> Iterator[Span]:
    quote = quote.strip()
    if not quote:
        return
    found = False
    for start in _starts(quote, text):
        found = True
        yield start, start + len(quote)
    if found:
        return
    plain, spans = _normalise(text)
    for wanted in _candidates(quote):
        for start in _starts(wanted, plain):
            found = True
            yield spans[start][0], spans[start + len(wanted) - 1][1]
        if found:
            return
    unmarked, spans = _without_marks(text)
    pieces = [piece for piece in _ELLIPSIS.split(_without_marks(quote)[0]) if piece.strip(_EDGE)]
    for start, end in _parted(pieces, unmarked):
        yield with_pairs(text, spans[start][0], spans[end - 1][1])


def leaves_out(text: str) -> bool:
    """Say whether an ellipsis stands for words in the middle of a text."""
    return len([piece for piece in _ELLIPSIS.split(text.replace("…", "...")) if piece.strip(_EDGE)]) > 1


def _parted(pieces: Sequence[str], text: str) -> list[Span]:
    """Find the shortest places that begin with the first piece, end with the last, and have all pieces in order."""
    places: dict[int, int] = {}
    for first in _starts(pieces[0].strip(_EDGE), text) if pieces else ():
        end = first
        for piece in pieces:
            wanted = piece.strip(_EDGE)
            start = next((start for start in _starts(wanted, text) if start >= end), None)
            if start is None:
                return [(begin, last) for last, begin in places.items()]
            end = start + len(wanted)
        places[end] = first  # of several that end alike, the last to begin is the shortest
    return [(begin, last) for last, begin in places.items()]


def _without_marks(text: str) -> tuple[str, list[Span]]:
    """Normalise without the marks of Markdown, those of emphasis and those of lists."""
    markers = {place for match in _ITEM.finditer(text) for place in range(*match.span())}
    kept = [place for place, char in enumerate(text) if char not in MARKS and place not in markers]
    plain, spans = _normalise("".join(text[place] for place in kept))
    return plain, [(kept[start], kept[end - 1] + 1) for start, end in spans]


def place_of(note: ErrorNote | Edit, text: str) -> Span | None:
    """Return the place of a note's or an edit's quote in its text: where it says, else the first place of the quote."""
    if note.start is not None and note.quote and text.startswith(note.quote, note.start):
        return note.start, note.start + len(note.quote)
    return find_quote(note.quote, text)


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


def _starts(wanted: str, text: str) -> Iterator[int]:
    """Yield where `wanted` stands at the borders of words. Places may overlap: "a a" stands twice in "a a a"."""
    place = text.find(wanted)
    while place >= 0:
        end = place + len(wanted)
        if not (_cuts(text, place, end) or _joined(text, place) or _joined(text, end)):
            yield place
        place = text.find(wanted, place + 1)


def _cuts(text: str, start: int, end: int) -> bool:
    return cuts_character(text, start) or cuts_character(text, end)


def _joined(text: str, place: int) -> bool:
    """Say whether the characters on both sides of `place` belong to one word or number."""
    if not 0 < place < len(text):
        return False
    left, right = letters_around(text, place)
    if left.isalnum() and right.isalnum():
        return not (_UNSPACED.match(left) or _UNSPACED.match(right))
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
    *,
    occurrence: int = 0,
) -> str:
    """Make a short id that is the same in every run: 12 hexadecimal digits of a SHA-256 over the error.

    Evidence and explanation are included, because two omissions of one category have the same empty quote.
    `occurrence` counts the earlier places of the same words.
    """
    content: list[object] = [conversation_id, category, quote, source, list(evidence), explanation]
    named = json.dumps([*content, occurrence] if occurrence else content, ensure_ascii=False)
    return hashlib.sha256(named.encode()).hexdigest()[:12]


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
    within: Iterable[Span] = (),
) -> ErrorNote:
    """Make an error note whose quote is an exact substring of the summary, with its place, and whose turns exist.

    A blank quote means an omission. Where the quote stands more than once, the place that touches one of the spans
    `within` is taken, if any does; else the one whose sentence shares most words with the explanation and the turns.
    Raises QuoteError, which names the quote or the turn that does not exist.
    """
    turns = tuple(dict.fromkeys(evidence))
    unknown = [turn for turn in turns if not 1 <= turn <= len(conversation.turns)]
    places = find_quotes(quote, summary_text)
    if not places and quote.strip():
        shown = quote if len(quote) <= _SHOWN else quote[: _SHOWN - 3] + "..."
        raise QuoteError(f"the summary of {conversation.id} does not contain the quote {shown!r} as words of its own")
    if unknown:
        listed = ", ".join(map(str, unknown))
        raise QuoteError(f"{conversation.id} has turns 1 to {len(conversation.turns)}, not turn {listed}")
    proof = " ".join([explanation, *(conversation.turns[turn - 1].text for turn in turns)])
    place = _meant(summary_text, _touching(places, within) or places, proof, explanation)
    return note_at(
        summary_text,
        conversation,
        place,
        category=category,
        evidence=turns,
        explanation=explanation,
        severity=severity,
        source=source,
    )


def note_at(
    summary_text: str,
    conversation: Conversation,
    place: Span | None,
    *,
    category: str,
    evidence: tuple[int, ...] = (),
    explanation: str = "",
    severity: Severity = "major",
    source: ErrorSource = "lm",
    check: str | None = None,
) -> ErrorNote:
    """Make an error note about the characters at `place` of the summary. None, or an empty place, has no quote."""
    quote = summary_text[slice(*place)] if place else ""
    earlier = (
        [start for start in _starts(quote, summary_text[: place[1]]) if start < place[0]] if place and quote else []
    )
    return ErrorNote(
        id=error_id(conversation.id, category, quote, source, evidence, explanation, occurrence=len(earlier)),
        category=category,
        quote=quote,
        start=place[0] if place and quote else None,
        evidence=evidence,
        explanation=explanation,
        severity=severity,
        source=source,
        check=check,
    )


def _touching(places: Sequence[Span], within: Iterable[Span]) -> list[Span]:
    spans = list(within)
    return [place for place in places if any(place[0] < end and start < place[1] for start, end in spans)]


def _meant(text: str, places: Sequence[Span], proof: str, explanation: str) -> Span | None:
    """Return the place whose sentence shares most words with `proof`; None if there is none.

    Of several in one sentence it is the one that has most words of the explanation close to it, else the first.
    """
    if len(places) < 2:
        return places[0] if places else None
    proving, sentences = set(split_words(proof)), find_sentences(text)
    explained = set(split_words(explanation))

    def shared(place: Span) -> tuple[int, int]:
        spans = [span for span in sentences if place[0] < span[1] and span[0] < place[1]]
        around = split_words(" ".join(text[slice(*span)] for span in spans))
        start, end = min((a for a, _ in spans), default=place[0]), max((b for _, b in spans), default=place[1])
        close = [*split_words(text[start : place[0]])[-_CLOSE:], *split_words(text[place[1] : end])[:1]]
        return len(proving.intersection(around)), len(explained.intersection(close))

    return max(places, key=shared)
