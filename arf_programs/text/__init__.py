"""Pure functions on text: one encoding, sentences and tokens, quotes, edits, error notes, the prompt of a student.

A place in a text is a `(start, end)` span of characters.
"""

from arf_programs.text.changes import Changes, edit_span, find_changes, measure_change, spans_meet, speaks_of
from arf_programs.text.characters import Folded, clean, fold, look_equal, readable
from arf_programs.text.edits import AppliedEdits, apply_edits
from arf_programs.text.error_notes import (
    LEAST_OVERLAP,
    collect_evidence,
    describe_errors,
    edit_sentence,
    group_by_sentence,
    is_retelling,
    match_errors,
)
from arf_programs.text.given_names import GIVEN_NAMES, MEN_ABROAD, WOMEN_ABROAD
from arf_programs.text.quotes import Span, find_quote, find_quotes, locate_error, note_at, place_of
from arf_programs.text.sentences import (
    Token,
    align_tokens,
    find_sentences,
    is_list_marker,
    meets,
    split_sentences,
    split_tokens,
    split_words,
    tokenize,
    word_set,
)
from arf_programs.text.student_prompt import build_messages, build_system_text, build_user_text, read_user_text
from arf_programs.text.word_ranking import Ranking, WordRanking, place_stems, stem_word, stem_words
