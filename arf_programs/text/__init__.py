"""Text and places in it: sentences, words, exact quotes, edits, and where errors stand. Pure functions."""

from arf_programs.text.edits import AppliedEdits, apply_edits, change_share, changed_places
from arf_programs.text.error_notes import (
    LEAST_OVERLAP,
    Span,
    describe_errors,
    evidence_of,
    match_errors,
    notes_by_sentence,
    sentence_edit,
)
from arf_programs.text.quotes import find_quote, locate_error, quote_spans
from arf_programs.text.sentences import (
    Token,
    alignment,
    keys,
    sentence_spans,
    split_sentences,
    tokens,
    word_set,
    words_of,
)
from arf_programs.text.student_prompt import student_messages, user_text

__all__ = [
    "LEAST_OVERLAP",
    "AppliedEdits",
    "Span",
    "Token",
    "alignment",
    "apply_edits",
    "change_share",
    "changed_places",
    "describe_errors",
    "evidence_of",
    "find_quote",
    "keys",
    "locate_error",
    "match_errors",
    "notes_by_sentence",
    "quote_spans",
    "sentence_edit",
    "sentence_spans",
    "split_sentences",
    "student_messages",
    "tokens",
    "user_text",
    "word_set",
    "words_of",
]
