"""Candidates for a flagged sentence that no editor writes, and the errors that such candidates reveal.

The functions are pure. For each error they say what may replace its wrong words: for a value, the values of the
conversation that fit there; for a wrong speaker, the other role; for a wrong statement, its opposite.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

from arf_programs.checks import Material, find_words, widen_quote
from arf_programs.programs.analysis.reported_errors import is_omission
from arf_programs.text import Span, find_sentences, meets, note_at, place_of
from arf_programs.values import (
    Candidate,
    Replacement,
    Value,
    exchange_roles,
    find_misplaced,
    find_negations,
    find_values,
    has_value,
    rank_values,
    same_value,
)
from signatures.records import Conversation, ErrorNote

_NO_FACTS: Final = frozenset(("private_data", "irrelevant", "verbatim_copy", "repetition", "length"))
_MORE_WORDS: Final = 3  # words beside a value from which a quote is about more than the value
_STATEMENT: Final = 4  # most words of a quote that has a "not" too much
VALUES: Final = "values"
"""The name of the check that says that a value of the conversation stands in the wrong place."""
MOST: Final = 3
"""Sentences that are tried."""


@dataclass(frozen=True)
class Swaps:
    """What may replace the wrong words of some errors of one sentence, the best first.

    `are_values` says whether the options are values of the conversation. Otherwise they are another role, or the
    opposite statement. `clear` says whether the best option may be written although no model looks at it.
    """

    notes: tuple[ErrorNote, ...]
    options: tuple[Replacement, ...]
    are_values: bool
    clear: bool


def find_swaps(material: Material, index: int, notes: Sequence[ErrorNote]) -> list[Swaps]:
    """Return the swaps of the errors of the sentence at `index`. Errors without any are left out.

    Errors of one place have one entry.
    """
    start, end = material.sentences[index]
    places = [span for note in notes if (span := place_of(note, material.summary))]
    swaps: dict[tuple[Replacement, ...], Swaps] = {}
    for note in notes:
        values = _values(material, note, places)
        found = [item.replacement for item in values] or _turned(material, note)
        options = tuple(item for item in found if start <= item.start and item.end <= end)
        if options:
            earlier = swaps[options].notes if options in swaps else ()
            swaps[options] = Swaps((*earlier, note), options, bool(values), not values or values[0].clear)
    return list(swaps.values())


def swapped_sentences(summary: str, index: int, swaps: Sequence[Swaps]) -> list[str]:
    """Return the sentence at `index` with one option of each swap, at most `MOST` times, the best first."""
    start, end = find_sentences(summary)[index]
    ranks = sorted(product(*(range(min(MOST, len(item.options))) for item in swaps)), key=sum)
    sentences = []
    for chosen in ranks:
        parts = sorted(item.options[rank] for item, rank in zip(swaps, chosen, strict=True))
        if all(one.end <= other.start for one, other in pairwise(parts)):
            sentences.append(_replaced(summary, start, end, parts))
    return list(dict.fromkeys(sentences))[:MOST]


def _replaced(summary: str, start: int, end: int, parts: Iterable[Replacement]) -> str:
    pieces, last = [], start
    for part in parts:
        pieces += [summary[last : part.start], part.words]
        last = part.end
    return "".join([*pieces, summary[last:end]])


def find_value_errors(conversation: Conversation, summary: str, known: Sequence[ErrorNote] = ()) -> list[ErrorNote]:
    """Return an error for each value of the conversation in whose place another one fits much better.

    No model is asked. Places that the errors in `known` quote are left out.
    """
    material = Material(conversation, summary)
    quoted = [span for note in known if (span := place_of(note, summary))]
    notes = []
    for value, better in find_misplaced(material):
        if meets(value, quoted):
            continue
        notes.append(
            note_at(
                summary,
                conversation,
                widen_quote(summary, material.sentences, value.start, value.end),
                category="wrong_fact",
                evidence=better.turns[:1],
                explanation=f'The conversation has "{better.replacement.words}" where it speaks of this.',
                source="check",
                check=VALUES,
            )
        )
    return notes


def _values(material: Material, note: ErrorNote, errors: Sequence[Span]) -> list[Candidate]:
    """Return the values that may stand in the place of the wrong one of an error, the best first."""
    quoted = place_of(note, material.summary)
    if quoted is None or is_omission(note.category) or note.category in _NO_FACTS or "speaker" in note.category:
        return []
    explained = _explained(material.summary[slice(*quoted)], note)
    wrong = _wrong_value(material, quoted, note, explained)
    if wrong is None:
        return []
    ranked = rank_values(material, wrong, cited=note.evidence, explained=explained, errors=errors)
    return [item for item in ranked if item.fits]


def _turned(material: Material, note: ErrorNote) -> list[Replacement]:
    """Return the other role for a wrong speaker, and the opposite of a wrong statement."""
    quoted = place_of(note, material.summary)
    if quoted is None or is_omission(note.category) or note.category in _NO_FACTS:
        return []
    if "speaker" not in note.category:
        return _opposite(material.summary, quoted)
    sentence = next((span for span in material.sentences if span[0] <= quoted[0] < span[1]), quoted)
    exchanged = exchange_roles(material.summary, *sentence)
    return [exchanged] if exchanged else []


def _explained(quote: str, note: ErrorNote) -> list[Value]:
    """Return the values that stand in the explanation and not in the quote. A model often says there what is right."""
    if note.source == "check":
        return []
    quoted = find_values(quote)
    return [value for value in find_values(note.explanation) if not any(same_value(value, item) for item in quoted)]


def _wrong_value(material: Material, quoted: Span, note: ErrorNote, explained: Sequence[Value]) -> Value | None:
    """Return the value that the error is about; None if it is about something else, or if that is not clear.

    It is the value for which the explanation names another. Else it is the value of a quote with hardly another word;
    of several, the one that the conversation does not have.
    """
    summary = material.summary
    values = [value for value in find_values(summary) if quoted[0] < value.end and value.start < quoted[1]]
    named = [value for value in values if any(value.kind == other.kind for other in explained)]
    if named:
        return named[0]
    if not values:
        return _capitalised(summary, quoted)
    unknown = [value for value in values if not has_value(material.conversation, value)]
    likely = unknown if len(unknown) == 1 else values
    if note.source in ("check", "planted"):
        return likely[0]  # their quotes begin with the wrong words, and have more only to be found at one place
    others = len(find_words(summary[slice(*quoted)])) - sum(len(find_words(value.text)) for value in values)
    clear = len(likely) == 1 and others <= (0 if note.explanation else _MORE_WORDS)
    return likely[0] if clear else None


def _capitalised(summary: str, quoted: Span) -> Value | None:
    """Return the quote as a name if all its words have capitals, as an unknown name that opens a sentence has."""
    text = summary[slice(*quoted)]
    words = text.split()
    if len(words) > _MORE_WORDS or not all(word[:1].isupper() and word.isalpha() for word in words):
        return None
    return Value("name", *quoted, text, frozenset({text.lower()}))


def _opposite(summary: str, quoted: Span) -> list[Replacement]:
    """Return the quoted statement without its "not", or with one; none if the quote is about more than the verb."""
    negations = [item for item in find_negations(summary) if quoted[0] <= item.start and item.end <= quoted[1]]
    quote = find_words(summary[slice(*quoted)])
    return [
        Replacement(item.start, item.end, item.words)
        for item in negations
        if find_words(item.said) == quote or ("not" in item.said and len(quote) <= _STATEMENT)
    ]
