"""Tokens of a summary and how two lists of them line up: what the metrics of errors and of repairs count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(r"\w+(?:['’.,:/-]\w+)*|[^\w\s]")


class Token(NamedTuple):
    """A token at `start:end` of its text; `key` is it in lower case, with a plain apostrophe."""

    key: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Words, numbers with their decimals ("18.90"), and each punctuation mark or sign on its own."""
    return [Token(m.group().lower().replace("’", "'"), m.start(), m.end()) for m in _TOKEN.finditer(text)]


def keys(text: str) -> list[str]:
    """The tokens of `text` without their places."""
    return [token.key for token in tokens(text)]


def words_of(text: str) -> list[str]:
    """The tokens of `text` that are words or numbers."""
    return [key for key in keys(text) if key[0].isalnum()]


def alignment(correct: Sequence[str], other: Sequence[str]) -> dict[int, int]:
    """{index in `correct`: index in `other`} of the tokens that both have in the same order.

    The matching blocks of difflib.SequenceMatcher (Ratcliff and Obershelp's "gestalt" pattern matching). It is always
    asked in the same direction, so that the same text lines up in the same way.
    """
    matcher = SequenceMatcher(None, other, correct, autojunk=False)
    return {block.b + step: block.a + step for block in matcher.get_matching_blocks() for step in range(block.size)}
