"""The stems of words, and texts ranked by the words that they share with a query, by BM25."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ENDING: Final = re.compile(r"(?:'s|ing|ies|ied|ed|es|s|e|y)$")
_STEM: Final = 6


def stem_words(text: str) -> list[str]:
    """Return the crude stem of each word."""
    return [stem for stem, _, _ in place_stems(text)]


def place_stems(text: str) -> list[tuple[str, int, int]]:
    """Return the crude stem of each word, with its place."""
    return [(stem_word(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]


def stem_word(word: str) -> str:
    """Cut a common ending off and keep at most six letters: a crude stem."""
    return _ENDING.sub("", word.lower().replace("’", "'"))[:_STEM]


class Ranking(Protocol):
    """Ranks texts by how well they fit a query."""

    def order(self, query: str) -> list[int]:
        """Return the places of all texts, the best first. Of texts with equal scores the earlier one is first."""


class WordRanking:
    """Ranks texts by BM25 (Robertson and Zaragoza 2009), as the package bm25s computes it, without its stop words."""

    def __init__(self, texts: Sequence[str]) -> None:
        from bm25s import BM25

        self._size = len(texts)
        words = _tokens(texts)
        self._known = {word for text in words for word in text}
        self._index: Any = BM25()
        if self._known:
            self._index.index(words, show_progress=False)

    def scores(self, query: str) -> list[float]:
        """Return the score of each text, 0 or more. It is 0 for a text that shares no word with the query."""
        words = [word for word in _tokens([query])[0] if word in self._known]
        if not words:
            return [0.0] * self._size
        found: list[float] = self._index.get_scores(words).tolist()
        return found

    def order(self, query: str) -> list[int]:
        """Return the places of all texts, the best first. Of texts with equal scores the earlier one is first."""
        scores = self.scores(query)
        return sorted(range(self._size), key=lambda place: -scores[place])


def _tokens(texts: Sequence[str]) -> list[list[str]]:
    from bm25s import tokenize

    words: list[list[str]] = tokenize(list(texts), stopwords="english", return_ids=False, show_progress=False)
    return words
