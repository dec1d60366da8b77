"""Private words are taken out of a sentence where it stays whole without them."""

from __future__ import annotations

import pytest

from arf_programs.programs.revision.propose import without_private_words
from signatures.records import ErrorNote


def note(quote: str, category: str = "private_data") -> ErrorNote:
    return ErrorNote(id=quote, category=category, quote=quote)


@pytest.mark.parametrize(
    ("sentence", "quotes", "left"),
    [
        ("Accounts will telephone him on 0555 014 233.", ["0555 014 233"], "Accounts will telephone him."),
        ("Ms Cole (07700 900142) had no door.", ["07700 900142"], "Ms Cole had no door."),
        ("Ms Cole (07700 900142) had no door.", ["(07700 900142)"], "Ms Cole had no door."),
        (
            "The agent wrote to a.b@example.com, and she agreed.",
            ["a.b@example.com"],
            "The agent wrote, and she agreed.",
        ),
        ("Reach her at a@example.com or on 555-0142.", ["a@example.com", "555-0142"], None),
        ("Reach her at a@example.com or at home.", ["a@example.com"], None),
        ("Her number is 0555 014 233, and she waits.", ["0555 014 233"], None),
        ("0555 014 233 is her number.", ["0555 014 233"], None),
        ("He called on 555-0142 twice.", ["555-0142"], None),
        ("He lives in Graz.", ["555-0142"], None),
        ("He lives in Graz.", [""], None),
    ],
)
def test_they_go_with_their_brackets_or_preposition(sentence, quotes, left):
    assert without_private_words(sentence, [note(quote) for quote in quotes]) == left


def test_a_sentence_with_another_error_is_left_to_the_editor():
    notes = [note("555-0142"), note("Graz", "wrong_fact")]
    assert without_private_words("He lives in Graz, on 555-0142.", notes) is None
    assert without_private_words("He lives in Graz.", []) is None
