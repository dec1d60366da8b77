"""Read an answer to a question of yes or no, as a model means it, and its probability where the model gives one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from arf_programs.text import fold, word_set
from signatures.support_sentence import Word

_AROUND: Final = " \t\r\n\"'`*_.,:;!?()[]{}#->“”‘’Ġ▁Ċ"
"""Characters that may stand around the word: space, quotes, Markdown, and the signs of tokenizers for a space."""

_FENCE: Final = re.compile(r"^\s*```\w*|```\s*$")
_LABEL: Final = re.compile(
    r"^[\W_]*(?:(?:so|therefore|json|the|my|final|short)\s+)*"
    r"(?:answer|supported|support|is_supported|verdict|response|result|output|label)"
    r"(?:[\W_]*[:=][\W_]*|\W+(?:is|would be)\b[\W_]*|[\s#]*\]\]\s*)",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[a-z]+(?:'[a-z]+)?|[^\sa-z]")
_YES: Final = word_set("yes y yeah yep yup true affirmative")
_NO: Final = word_set("no n nope nah false negative")
_GOOD: Final = word_set(
    "supported support supports true correct right accurate stated mentioned said backed follows follow confirmed "
    "confirms consistent faithful match matches entailed covered"
)
_BAD: Final = word_set(
    "unsupported false incorrect wrong inaccurate untrue contradicted contradicts contradict invented fabricated "
    "hallucinated unfaithful inconsistent error errors mistake mistakes issue issues problem problems contradiction "
    "contradictions missing misleading partially partly"
)
_NEGATIONS: Final = word_set("not never no cannot nothing nowhere neither nor without hardly none")
_CLAUSE: Final = re.compile(r"[.;:!?\n]|,|\b(?:but|because|since|however|although|as)\b")


def read_word(text: str) -> Word | None:
    """Return what an answer means: "yes", "no", or None if it says neither.

    The word may stand in quotes, Markdown or JSON, or behind a label ("Answer: no"). An answer in other words counts by
    what it says: "Not supported.", "False", "It is not supported", "The conversation supports it".
    """
    text = _FENCE.sub("", fold(text).text).strip()
    try:
        meaning = _read_json(json.loads(text))
    except (ValueError, RecursionError):
        meaning = None
    if meaning is not None:
        return meaning
    label = _LABEL.match(text)
    return _read_plain(text[label.end() :] if label else text)


def _read_json(value: Any) -> Word | None:
    """Read a value of JSON: true or false, a word, or an object with one such answer."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _read_plain(value)
    if isinstance(value, dict):
        named = [value[name] for name in ("supported", "answer") if name in value]
        meanings = {_read_json(item) for item in named or value.values()} - {None}
        return meanings.pop() if len(meanings) == 1 else None
    return None


def _read_plain(text: str) -> Word | None:
    words = _TOKEN.findall(text.strip(_AROUND).lower())
    if not words:
        return None
    if re.match(r"\W*yes\W{0,3}(?:and|or|/|&)?\W{0,3}no\b", text, re.IGNORECASE):
        return None
    if words[0] in _YES:
        return "yes"
    ends = len(words) == 1 or not words[1].isalpha() or words[1] in ("the", "it", "this", "that", "because", "there")
    if words[0] in _NO and (ends or words[0] not in _NEGATIONS):
        return "no"
    clause = _CLAUSE.split(text.strip(_AROUND).lower(), maxsplit=1)[0]
    meaning = _read_clause(_TOKEN.findall(clause))
    return "no" if meaning is None and words[0] in _NO else meaning


def _read_clause(words: list[str]) -> Word | None:
    """Read a clause by its first word that says right or wrong; a negation before it turns it round."""
    negated = False
    for word in words:
        if word in _GOOD or word in _BAD:
            return "yes" if (word in _GOOD) != negated else "no"
        negated ^= word in _NEGATIONS or word.endswith("n't")
    return None


LEAST_MASS: Final = 0.5
"""Share of the probability that "yes" and "no" together must hold: else the model does not answer with them."""


def yes_probability(logprobs: Any) -> float | None:
    """Return the probability of "yes" against "no", 0 to 1, at the token where the answer begins.

    It is p = mass(yes) / (mass(yes) + mass(no)). A token counts for a word if the word begins with it, in upper or
    lower case, without the characters of `_AROUND`. Tokens of such characters alone, and labels ("Answer:"), come
    before the answer. `logprobs` are the log-probabilities of a choice as OpenAI gives them: `content`, a list of
    tokens with `top_logprobs`, as an object or as a mapping. Returns None if both words together hold less than
    `LEAST_MASS`.
    """
    before = ""
    for position in _get(logprobs, "content") or ():
        if _bare(position) and (not before.strip(_AROUND) or _is_label(before)):
            mass = _masses([position, *(_get(position, "top_logprobs") or ())])
            both = mass["yes"] + mass["no"]
            if both >= LEAST_MASS:
                return mass["yes"] / both
        before += str(_get(position, "token") or "").translate(_SPACES)
    return None


_SPACES: Final = str.maketrans("Ġ▁Ċ", "  \n")


def _is_label(text: str) -> bool:
    label = _LABEL.match(text)
    return label is not None and not text[label.end() :].strip(_AROUND)


def _masses(tokens: Iterable[Any]) -> dict[Word, float]:
    """Return for each word the summed probability of the tokens that begin it. Each token counts once."""
    once = {str(_get(token, "token")): _probability(_get(token, "logprob")) for token in tokens}
    mass: dict[Word, float] = {"yes": 0.0, "no": 0.0}
    for text, probability in once.items():
        begun = text.strip(_AROUND).lower()
        for word in mass:
            if begun and word.startswith(begun):
                mass[word] += probability
    return mass


def _probability(logprob: Any) -> float:
    """Return the probability; 0 for what is no log-probability."""
    try:
        value = float(logprob)
    except (TypeError, ValueError):
        return 0.0
    return math.exp(min(value, 0.0)) if not math.isnan(value) else 0.0


def _bare(token: Any) -> str:
    return str(_get(token, "token")).strip(_AROUND)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
