"""Take private words out of a sentence. The functions are pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from signatures.records import ErrorNote

_PRIVATE: Final = "private_data"
# With one of these before it and a pause after it, a phone number or an address can go, and the sentence stays whole.
_BEFORE: Final = r"[\s,]*\b(?:on|at|under|via|by|using|to)\s+"
_AFTER: Final = r"(?=\s*(?:[.,;!?]|$))"


def without_private_words(sentence: str, notes: Sequence[ErrorNote]) -> str | None:
    """Return the sentence without the private words of its only error, and without their brackets or preposition.

    None if it has other errors, or if the words cannot be taken out alone.
    """
    words = notes[0].quote.strip().strip("()") if len(notes) == 1 and notes[0].category == _PRIVATE else ""
    if not words:
        return None
    place = re.compile(rf"\s*\(\s*{re.escape(words)}\s*\)|{_BEFORE}{re.escape(words)}{_AFTER}", re.IGNORECASE)
    text, count = place.subn("", sentence)
    return text if count else None
