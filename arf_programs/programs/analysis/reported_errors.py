"""Turn the errors that an analyst reports into records, and merge records. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, create_model

from arf_programs.corpus import NOT_OF_FACT
from arf_programs.text import (
    LEAST_OVERLAP,
    Changes,
    Span,
    find_quotes,
    find_sentences,
    is_retelling,
    locate_error,
    place_of,
    split_words,
)
from signatures.describe_error import SentenceError
from signatures.exceptions import QuoteError
from signatures.find_errors import CorrectedError, FoundError
from signatures.find_omissions import Omission
from signatures.records import Conversation, ErrorNote, SentenceScore, Taxonomy

Reported = FoundError | SentenceError | Omission
Rejections = list[str]
ReportedModel = TypeVar("ReportedModel", bound=BaseModel)

OMISSION_PREFIX = "missing_"


def is_omission(category: str) -> bool:
    """Say whether errors of this category have no quote.

    By convention the id of such a category starts with `missing_`.
    """
    return category.startswith(OMISSION_PREFIX)


def omission_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the omission categories among `ids`, or all of `ids` if there is none."""
    return tuple(name for name in ids if is_omission(name)) or tuple(ids)


def statement_ids(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the other categories among `ids`, or all of `ids` if there is none."""
    return tuple(name for name in ids if not is_omission(name)) or tuple(ids)


def narrow_categories(model: type[ReportedModel], ids: Sequence[str]) -> type[ReportedModel]:
    """Return `model` with its `category` restricted to `ids`, so that the JSON schema that is sent names them."""
    field = model.model_fields["category"]
    return create_model(model.__name__, __base__=model, category=(Literal[tuple(ids)], field))  # type: ignore[arg-type]


def note_errors(
    conversation: Conversation,
    summary: str,
    reported: Iterable[Reported],
    rejections: Rejections,
    *,
    taxonomy: Taxonomy,
    sentence: Span | None = None,
    within: Sequence[Span] = (),
    score: float | None = None,
) -> list[ErrorNote]:
    """Return records of the reported errors. A report whose quote or turn does not exist adds a reason to `rejections`.

    The severity is that of the category. `sentence` is the place of the sentence that was asked about: a quote that
    does not stand in it is replaced by the whole of it. Of several places of a quote, one that touches a span of
    `within` is preferred. `score` is the score of the sentence; the records carry it.
    """
    severities = {category.id: category.severity for category in taxonomy.categories}
    notes: list[ErrorNote] = []
    for error in reported:
        try:
            note = _locate(conversation, summary, error, sentence, within)
        except QuoteError as problem:
            rejections.append(str(problem))
        else:
            severity = severities.get(note.category, note.severity)
            correction = error.correction if isinstance(error, CorrectedError) else None
            update = {"score": score, "severity": severity, "correction": correction}
            notes.append(note.model_copy(update=update))
    return notes


_DETAILS: Final = frozenset(("wrong_fact", "fabricated"))
"""Which of the two a wrong detail is called depends on what else the conversation says."""


def merge_errors(checked: Sequence[ErrorNote], reported: Sequence[ErrorNote], summary: str) -> tuple[ErrorNote, ...]:
    """Return the errors of the checks, then those of the analyst that are not among them. An error counts once.

    `same_place` says which notes are about one error. The note that explains more is kept. If a check found the error
    too, the source of the note is `check`, because a check does not err as a model does.
    """
    merged = list(checked)
    for note in reported:
        index = next((n for n, other in enumerate(merged) if same_place(note, other, summary)), None)
        if index is None:
            merged.append(note)
        else:
            merged[index] = _better(merged[index], note, summary)
            merged = [other for n, other in enumerate(merged) if n <= index or not _holds(note, other, summary)]
    return tuple(merged)


def _holds(note: ErrorNote, other: ErrorNote, summary: str) -> bool:
    """Say whether a note quotes all words of another note of its category, as two notes about one loop do."""
    place, inner = place_of(note, summary), place_of(other, summary)
    if note.category != other.category or place is None or inner is None or is_retelling(other, summary):
        return False
    return place[0] <= inner[0] and inner[1] <= place[1]


def one_kind(a: str, b: str) -> bool:
    """Say whether two categories are equal, or are the two names of a detail that the conversation does not give."""
    return a == b or {a, b} <= _DETAILS


def same_place(a: ErrorNote, b: ErrorNote, summary: str) -> bool:
    """Say whether two notes on one summary are about one error.

    Their quotes have to overlap. How much depends on the categories. If the categories are equal, or are the wrong and
    the invented detail, the notes share at least half of the words of the shorter quote (`LEAST_OVERLAP`). If they
    differ, the notes share half of the longer quote, and both are about whether a statement is true. Two omissions are
    one error if `same_omission` says so.
    """
    if not (a.quote and b.quote):
        return not a.quote and not b.quote and same_omission(a, b)
    kinds = {a.category, b.category}
    if len(kinds) > 1 and kinds & NOT_OF_FACT:
        return False
    of = min if one_kind(a.category, b.category) else max
    places, others = _places(a, summary), _places(b, summary)
    return bool(places) and all(any(_overlap(summary, place, other, of) for other in others) for place in places)


def _places(note: ErrorNote, summary: str) -> list[Span]:
    """Return the place of a note. If the note does not say which place it means, return all places of its words."""
    place = place_of(note, summary)
    return [place] if note.start is not None and place else find_quotes(note.quote, summary)


def same_omission(a: ErrorNote, b: ErrorNote) -> bool:
    """Say whether two omissions of one category miss the same thing.

    They do if both cite turns and share one, or else if their explanations share most words. An omission without turns
    and explanation is the same as every other of its category.
    """
    if a.category != b.category or a.quote or b.quote:
        return False
    if a.evidence and b.evidence:
        return bool(set(a.evidence) & set(b.evidence))
    first, second = set(split_words(a.explanation)), set(split_words(b.explanation))
    return len(first & second) >= LEAST_OVERLAP * min(len(first), len(second))


def _better(old: ErrorNote, new: ErrorNote, summary: str) -> ErrorNote:
    """Return the note that says more.

    Evidence counts first, then the length of the explanation; if equal, the older note.

    The exact words of a check stay if the model quotes a whole sentence. The check's note that the summary retells the
    conversation stays too, since the revision has to know how much of the summary does so.
    """
    if old.source == "check":
        if is_retelling(old, summary) or not (new.evidence and new.explanation):
            return old.model_copy(update={"score": old.score if new.score is None else new.score})
        place = place_of(new, summary)
        whole = place in find_sentences(summary) and len(old.quote) < len(new.quote)
        words = {"quote": old.quote, "start": old.start, "correction": None} if whole else {}
        return new.model_copy(update={"source": "check", "check": old.check, **words})
    richer = (bool(new.evidence), len(new.explanation)) > (bool(old.evidence), len(old.explanation))
    return new if richer else old


def same_error(a: ErrorNote, b: ErrorNote) -> bool:
    """Say whether notes on two texts are about one error.

    They are if they have one category, and one quote holds the words of the other. Two omissions of one category are
    one error. For two notes on one text `same_place` decides.
    """
    if a.category != b.category or bool(a.quote) != bool(b.quote):
        return False
    return holds_words(a.quote, b.quote) or holds_words(b.quote, a.quote)


def is_old_copy(note: ErrorNote, changes: Changes) -> bool:
    """Say whether an error of the revision is a copied passage of which the draft had more than half.

    A right value in such a passage makes the copy longer. That is no reason to refuse the value.
    """
    place = place_of(note, changes.after)
    return note.category == "verbatim_copy" and place is not None and not changes.wrote_most(place)


def holds_words(text: str, part: str) -> bool:
    """Say whether the words of `part` stand in `text` one after the other: "9" is in "9 April" and not in "39".

    Case and punctuation do not count. If `part` has no words ("!"), `text` has to hold its characters.
    """
    words = split_words(part)
    return f" {' '.join(words)} " in f" {' '.join(split_words(text))} " if words else part in text


def _overlap(text: str, a: Span, b: Span, of: Callable[[int, int], int] = min) -> bool:
    """Say whether two spans share at least `LEAST_OVERLAP` of the words of the shorter or, by `max`, longer one."""
    shared = split_words(text[max(a[0], b[0]) : min(a[1], b[1])])
    words = of(len(split_words(text[slice(*a)])), len(split_words(text[slice(*b)])))
    # A quote without words ("!") overlaps by its characters.
    return len(shared) >= LEAST_OVERLAP * words if words else a[0] < b[1] and b[0] < a[1]


def _locate(
    conversation: Conversation, summary: str, error: Reported, sentence: Span | None, within: Sequence[Span]
) -> ErrorNote:
    """Make the record of a reported error. Raises QuoteError if its quote or a turn does not exist."""
    missing = is_omission(error.category)
    quote = "" if isinstance(error, Omission) or missing else error.quote
    if sentence and not missing and not any(_inside(place, sentence) for place in find_quotes(quote, summary)):
        quote = summary[slice(*sentence)]
    if not quote.strip() and not missing:
        raise QuoteError(f"{conversation.id}: {error.category} was reported without a quote.")
    return locate_error(
        summary,
        conversation,
        category=error.category,
        quote=quote,
        evidence=tuple(error.evidence),
        explanation=" ".join(error.explanation.split()),
        source="lm",
        within=[sentence] if sentence else within or _last(error.category, quote, summary),
    )


_LATER: Final = frozenset(("repetition", "length"))
"""What is repeated, or breaks off, is wrong where it stands last."""


def _last(category: str, quote: str, summary: str) -> list[Span]:
    return find_quotes(quote, summary)[-1:] if category in _LATER else []


def _inside(place: Span, sentence: Span) -> bool:
    return sentence[0] <= place[0] and place[1] <= sentence[1]


_NAMES: Final = "names"
SURE: Final = 0.05
"""A calibrated probability that a sentence is wrong, up to which the model counts as sure that it is right.

A calibration maps the scores of a model that cannot tell to probabilities near the share of wrong sentences, so such a
model is never sure.
"""


def give_way(checked: Sequence[ErrorNote], summary: str, scores: Sequence[SentenceScore]) -> list[ErrorNote]:
    """Return the notes of the checks without names in sentences that the model is sure of.

    A name may have a form that no rule knows. A number, a date or a code either is in the conversation or is not.
    `scores` are calibrated scores of sentences of the summary.
    """
    supported = {score.sentence for score in scores if score.score is not None and score.score <= SURE}
    sure = [span for span in find_sentences(summary) if summary[slice(*span)] in supported]

    def stays(note: ErrorNote) -> bool:
        place = place_of(note, summary) if note.check == _NAMES else None
        return place is None or not any(start <= place[0] and place[1] <= end for start, end in sure)

    return [note for note in checked if stays(note)]
