"""Texts ranked by the words that they share with a query, by BM25."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


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
