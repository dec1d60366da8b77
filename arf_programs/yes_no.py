"""Reading a yes-or-no answer: by its word, and by the log-probabilities of its tokens. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from signatures.support_sentence import Word

_AROUND: Final = " \t\r\n\"'`*_.,:;!?()[]{}#->“”‘’Ġ▁Ċ"
"""What may stand around the word: space, quotes, Markdown, and tokenizers' own signs for a space."""


def read_word(text: str) -> Word | None:
    """The word that an answer begins with, if it is yes or no."""
    first = text.strip(_AROUND).split(maxsplit=1)
    word = first[0].strip(_AROUND).lower() if first else ""
    return "yes" if word == "yes" else "no" if word == "no" else None


def yes_probability(logprobs: Any) -> float | None:
    """The probability of "yes" against "no" where the answer begins, from 0 to 1; None without any mass for either.

    `logprobs` is what OpenAI calls a choice's log-probabilities: `content`, a list of tokens with `top_logprobs`; as an
    object or as the mapping that it is stored as. Counted is each token that is, without what may stand around it and
    in any case, a beginning of yes or of no: p = mass(yes) / (mass(yes) + mass(no)). Where a token is nothing but
    quotes, space or Markdown, the answer begins behind it.
    """
    for position in _get(logprobs, "content") or ():
        if _bare(position):
            mass = _masses([position, *(_get(position, "top_logprobs") or ())])
            both = mass["yes"] + mass["no"]
            return mass["yes"] / both if both > 0 else None
    return None


def _masses(tokens: Iterable[Any]) -> dict[Word, float]:
    """The summed probability of the tokens that begin each word; a token that is listed twice counts once."""
    once = {str(_get(token, "token")): float(_get(token, "logprob")) for token in tokens}
    mass: dict[Word, float] = {"yes": 0.0, "no": 0.0}
    for text, logprob in once.items():
        begun = text.strip(_AROUND).lower()
        for word in mass:
            if begun and word.startswith(begun):
                mass[word] += math.exp(logprob)
    return mass


def _bare(token: Any) -> str:
    return str(_get(token, "token")).strip(_AROUND)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
