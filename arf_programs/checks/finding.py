"""What a check finds, and what it gets to read."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from arf_programs.text import find_sentences
from signatures.records import Conversation, Severity

WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_COMMON_LENGTH: Final = 4


@dataclass(frozen=True)
class Finding:
    """One error: `start:end` is its quote in the summary (empty for the summary as a whole)."""

    category: str
    start: int
    end: int
    explanation: str
    severity: Severity = "major"
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True)
class Material:
    """A conversation and a summary of it, with what several checks derive from them."""

    conversation: Conversation
    summary: str

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
        """Lower-case words of the whole conversation, speakers, channel and metadata included."""
        said = [turn.speaker for turn in self.conversation.turns]
        told = [value for value in self.conversation.metadata.values() if isinstance(value, str)]
        known = frozenset(find_words(" ".join([*said, *told, self.conversation.channel]))).union(*self.turn_words)
        return known | {word.removesuffix("'s") for word in known}

    @cached_property
    def squeezed(self) -> str:
        """The words of the whole conversation in lower case without anything between them, turn by turn."""
        said = [f"{turn.speaker} {turn.text}" for turn in self.conversation.turns]
        return "\n".join("".join(WORD.findall(text.lower())) for text in said)

    def sentence_at(self, place: int) -> str:
        """The sentence of the summary that holds the character at `place`."""
        return next((self.summary[start:end] for start, end in self.sentences if start <= place < end), self.summary)

    def nearest_turns(self, candidates: set[int], place: int, most: int = 2) -> tuple[int, ...]:
        """The `most` of the candidate turns (from 1) that share most words with the sentence at `place`, in order."""
        said = {word for word in find_words(self.sentence_at(place)) if len(word) >= _COMMON_LENGTH}
        ranked = sorted(candidates, key=lambda turn: (-len(said & self.turn_words[turn - 1]), turn))
        return tuple(sorted(ranked[:most]))


Check = Callable[[Material], list[Finding]]


def find_words(text: str) -> list[str]:
    """The lower-case words of `text`; an apostrophe inside a word belongs to it."""
    return [match.group().lower().replace("’", "'") for match in WORD.finditer(text)]
