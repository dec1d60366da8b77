"""The input of a check, `Material`, and its result, `Finding`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from arf_programs.text import Folded, find_sentences, fold
from signatures.records import Conversation, Severity

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_COMMON_LENGTH: Final = 4
_LETTERS: Final = str.maketrans(
    {"ß": "ss", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})


@dataclass(frozen=True)
class Finding:
    """One error. `start:end` is its quote in the summary, and is empty for the summary as a whole.

    `check` is the name of the check that found it; `run_checks` sets it.
    """

    category: str
    start: int
    end: int
    explanation: str
    severity: Severity = "major"
    evidence: tuple[int, ...] = ()
    check: str | None = None


@dataclass(frozen=True)
class Material:
    """A conversation and its summary, with values that several checks derive from them.

    `writing` maps the summary to what was written, where the summary is folded.
    """

    conversation: Conversation
    summary: str
    writing: Folded | None = None

    @classmethod
    def folded(cls, conversation: Conversation, summary: str) -> Material:
        """Make the material with all texts folded, so that what looks equal is equal."""
        turns = tuple(
            turn.model_copy(update={"speaker": fold(turn.speaker).text, "text": fold(turn.text).text})
            for turn in conversation.turns
        )
        metadata = {
            key: fold(value).text if isinstance(value, str) else value for key, value in conversation.metadata.items()
        }
        writing = fold(summary)
        plain = conversation.model_copy(update={"turns": turns, "metadata": metadata})
        return cls(plain, writing.text, writing)

    def written(self, start: int, end: int) -> str:
        """Return the characters `start:end` of the summary as they were written."""
        return self.writing.written(start, end) if self.writing else self.summary[start:end]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The text of each turn."""
        return tuple(turn.text for turn in self.conversation.turns)

    @cached_property
    def sentences(self) -> list[tuple[int, int]]:
        """Spans of the summary's sentences."""
        return find_sentences(self.summary)

    @cached_property
    def turn_words(self) -> list[frozenset[str]]:
        """The lower-case words of each turn's text."""
        return [frozenset(find_words(turn.text)) for turn in self.conversation.turns]

    @cached_property
    def known_words(self) -> frozenset[str]:
        """The lower-case words of the whole conversation, with speakers, channel and metadata."""
        speakers = [turn.speaker for turn in self.conversation.turns]
        metadata = [value for value in self.conversation.metadata.values() if isinstance(value, str)]
        labels = find_words(" ".join([*speakers, *metadata, self.conversation.channel]))
        words = frozenset(labels).union(*self.turn_words)
        return words | {word.removesuffix("'s") for word in words}

    @cached_property
    def bare_words(self) -> frozenset[str]:
        """The known words without accents, and with umlauts spelled out: a customer writes "Jose" for "José"."""
        return frozenset(form(word) for word in self.known_words for form in (without_accents, spelled_out))

    @cached_property
    def squeezed(self) -> str:
        """The lower-case words of the whole conversation with nothing between them, one line for each turn."""
        lines = [f"{turn.speaker} {turn.text}" for turn in self.conversation.turns]
        return "\n".join("".join(WORD.findall(line.lower())) for line in lines)

    def sentence_at(self, place: int) -> str:
        """Return the sentence of the summary that contains the character at `place`."""
        return next((self.summary[start:end] for start, end in self.sentences if start <= place < end), self.summary)

    def nearest_turns(self, candidates: set[int], place: int, most: int = 2) -> tuple[int, ...]:
        """Choose the turns (from 1), at most `most`, that share most words with the sentence at `place`."""
        words = {word for word in find_words(self.sentence_at(place)) if len(word) >= _COMMON_LENGTH}
        ranked = sorted(candidates, key=lambda turn: (-len(words & self.turn_words[turn - 1]), turn))
        return tuple(sorted(ranked[:most]))


Check = Callable[[Material], list[Finding]]


def without_accents(word: str) -> str:
    """Take the accents off the letters of a word: "jose" for "josé", "lukasz" for "łukasz"."""
    if word.isascii():
        return word
    plain = unicodedata.normalize("NFD", word.translate(_LETTERS))
    return "".join(char for char in plain if not unicodedata.combining(char))


def spelled_out(word: str) -> str:
    """Write umlauts as people do on a keyboard without them: "mueller" for "müller", "soeren" for "søren"."""
    return word if word.isascii() else without_accents(word.translate(_UMLAUTS))


def find_words(text: str) -> list[str]:
    """Find the lower-case words of `text`. An apostrophe inside a word belongs to it."""
    return [match.group().lower().replace("’", "'") for match in WORD.finditer(text)]


def squeeze(text: str) -> str:
    """Keep only letters and digits, in lower case, so that "KD-77 120" equals "kd77120"."""
    return "".join(char for char in text.lower() if char.isalnum())
