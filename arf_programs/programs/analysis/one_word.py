"""Read the answer to a yes-or-no question as the model means it, and its probability if the model gives one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from arf_programs.text import fold, word_set
from signatures.support_sentence import Word

_AROUND: Final = " \t\r\n\"'`*_.,:;!?()[]{}#->“”‘’Ġ▁Ċ"
"""Characters that may stand around the word: space, quotes, Markdown, and the signs of tokenizers for a space."""

_FENCE: Final = re.compile(r"^\s*```\w*|```\s*$")
_MARKUP: Final = re.compile(r"<\|[^|<>]{1,30}\|>|</?\w{1,20}/?>|\\\\?(?:boxed|text|textbf|mathbf|mathrm)\s*(?=\{)")
_ITEM: Final = re.compile(r"^\W*(?:[a-d]|\d)\s?[.):]\s+", re.IGNORECASE)
_LABEL: Final = re.compile(
    r"^[\W_]*(?:(?:so|therefore|json|the|my|final|short)\s+)*"
    r"(?:answer|supported|support|is_supported|verdict|response|result|output|label)"
    r"(?:[\W_]*[:=][\W_]*|\s+[-–—]\s+[\W_]*|\W+(?:is|would be)\b[\W_]*|[\s#]*\]\]\s*)|"
    r"^[\W_]*(?:entail\w*|faithful|consistent|grounded|correct|accurate|factual)\s*[:=]\s*(?=(?:yes|no|true|false)\b)",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_YES: Final = word_set(
    "yes yeah yep yup true affirmative ja jo oui sí si sim да так tak evet igen áno ano kyllä ναι نعم כן "
    "vrai verdadero verdadeiro vero wahr richtig stimmt верно правда "
    "はい 是 是的 对 對 对的 正确 正しい 真 支持 네 예 그렇습니다"
)
_NO: Final = word_set(
    "no nope nah false negative nein non nee não нет ні nie hayır nem nej nei ei όχι لا לא "
    "faux falso falsch неверно неправда "
    "いいえ 不 不是 否 没有 不正确 不支持 假 아니요 아니오 아닙니다"
)
_SIGNS: Final = str.maketrans({**dict.fromkeys("✅✓✔👍☑", " yes "), **dict.fromkeys("❌✗✘✖👎🚫", " no ")})
# What repeats the question, before an answer: "Supported?", "(yes/no)", and a box that is not ticked.
_ASKED: Final = re.compile(
    r"[^.!?؟:\n]{0,100}[?؟](?=[\W_]{0,20}\w)|"
    r"[(\[]?\b(?:yes\s*(?:/|\||or)\s*no|y\s*[/|]\s*n)\b[)\]]?(?=[\W_]{0,20}\w)|(?:\[\s*\]|[☐□○])\s*\w+|\[x\]",
    re.IGNORECASE,
)
_ECHOED: Final = re.compile(r"\b(yes|no)(?:\1)+\b", re.IGNORECASE)
_ESCAPED: Final = re.compile(r"^(?:\\n|\\t(?!ext)|[Ġ▁Ċ\s])+")
_BUT: Final = re.compile(r"\b(?:but|however|although|though)\b(?P<rest>[^.!?\n]*)", re.IGNORECASE)
_LETTERS: Final[dict[str, Word]] = {"y": "yes", "t": "yes", "n": "no", "f": "no"}
_CERTAIN: Final = word_set(
    "absolutely certainly definitely indeed sure exactly entirely fully completely course quite really"
)
"""They mean yes where they are all of an answer, and no behind "not"."""

_GOOD: Final = word_set(
    "supported support supports true correct right accurate stated mentioned said backed follows follow confirmed "
    "confirms consistent faithful match matches entailed covered verified verifiable "
    "entailment entails mentions states shows grounded"
)
_BAD: Final = word_set(
    "unsupported false incorrect wrong inaccurate untrue contradicted contradicts contradict invented fabricated "
    "hallucinated unfaithful inconsistent error errors mistake mistakes issue issues problem problems contradiction "
    "contradictions missing misleading partially partly mostly largely somewhat unverified unconfirmed unverifiable "
    "half neutral hallucination hallucinations refuted refutes insufficient ungrounded"
)
_EVIDENCE: Final = word_set("mention evidence basis indication proof record enough sufficient info information appear")
"""They mean no behind a negation: "no mention of it"."""

_NEGATIONS: Final = word_set("not never no cannot nothing nowhere neither nor without hardly none")
_ABSENT: Final = word_set("not never nowhere hardly")
"""They mean no at the beginning, where no word follows that says right or wrong: "Not in the conversation"."""

_BEFORE: Final = word_set(
    "i i'd i'll would say think believe guess well hmm actually sorry ok okay so then thus a an assistant it's that's "
    "probably likely clearly and answer is the"
)
"""Words before the word that answers."""

_AFTER: Final = word_set("the it this that because there he she they we in as since")
"""Words before which "no" is an answer, and not a part of what follows: "no errors"."""

_PEOPLE: Final = word_set("customer agent user caller client he she they we i")
"""What such a one says is no answer: "The agent confirmed 20"."""

_ABOUT: Final = word_set("sentence statement claim summary it this that everything all")
_IDIOM: Final = re.compile(r"\bno (?:doubt|question|problem)\b", re.IGNORECASE)
_UNSURE: Final = re.compile(
    r"\W*(?:n\s?/\s?a\b|no idea\b|not (?:sure|certain|clear|applicable|possible|relevant|known)\b|"
    r"un(?:clear|known|sure)\b|(?:i )?(?:can't|cannot|can not|don't|do not) "
    r"(?:tell|know|say|determine|answer|be sure)\b)",
    re.IGNORECASE,
)
_BOTH: Final = re.compile(
    r"\W*(?:yes\W{0,3}(?:and|or|/|&)?\W{0,3}no|no\W{0,3}(?:and|or|/|&)?\W{0,3}yes)\b", re.IGNORECASE
)
_VERDICT: Final = re.compile(
    r"\b(?:(?:answer|verdict|conclusion)\b(?:[^.!?\n]{0,40}\bis\b|\W*)|so\b|thus\b|hence\b|therefore\b)\W*(?P<word>yes|no)\b(?!\s+\w)",
    re.IGNORECASE,
)
_BARE: Final = re.compile(
    r"(?:it|this|that|the (?:conversation|sentence|statement|text))?\s*(?:does|do|is|has)(?P<no>n't|\s+not)?\s?[.!]",
    re.IGNORECASE,
)
_EXCEPTED: Final = re.compile(
    r"\b(?:except|apart from|other than)\b|^\W*\w+\W+(?:only )?(?:partially|partly|mostly|largely|somewhat|in part)\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"[.;:!?\n…—–]|,|\b(?:but|because|since|however|although|as)\b")


def read_word(text: str) -> Word | None:
    """Return what an answer means: "yes", "no", or None if it says neither.

    The word may stand in quotes, Markdown, tags or JSON, behind a label ("Answer: no"), or at the end ("So the answer
    is no."). An answer in other words counts by what it says: "Not supported.", "False", "It does not.", "Based on the
    conversation, no".
    """
    text = _FENCE.sub("", fold(text).text).strip()
    for written in (text, text[max(0, text.find("{")) : text.rfind("}") + 1]):
        with suppress(ValueError, RecursionError):
            if (meaning := _read_json(json.loads(written))) is not None:
                return meaning
    text = _ASKED.sub(" ", _ESCAPED.sub("", text)).lstrip()
    plain = _MARKUP.sub(" ", text)
    text = plain if _TOKEN.search(plain.translate(_SIGNS)) else text  # `<no>` is no tag
    text = _ECHOED.sub(r"\1", _IDIOM.sub(" ", _ITEM.sub("", text)))
    text = text if _TOKEN.search(text) else text.translate(_SIGNS)
    label = _LABEL.match(text)
    if label is None and text.startswith("{"):
        return None
    return _read_plain(text[label.end() :] if label else text)


def _read_json(value: Any) -> Word | None:
    """Read a value of JSON: true or false, 1 or 0, a word, a list of one, or an object with one such answer.

    An object may also say for each word whether it holds: `{"no": true}`.
    """
    if isinstance(value, bool) or value in (0, 1):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _read_plain(value)
    if isinstance(value, list) and len(value) == 1:
        return _read_json(value[0])
    if isinstance(value, dict):
        named = [value[name] for name in ("supported", "answer") if name in value]
        holds = [(name.lower() == "yes") == bool(item) for name, item in value.items() if _says_of_word(name, item)]
        meanings = {_read_json(item) for item in named or holds or value.values()} - {None}
        return meanings.pop() if len(meanings) == 1 else None
    return None


def _says_of_word(name: str, item: Any) -> bool:
    return name.lower() in ("yes", "no") and item in (0, 1)  # True and False too


def _read_plain(text: str) -> Word | None:
    if _BOTH.match(text):
        return None
    clauses = [clause.strip(_AROUND) for clause in _CLAUSE.split(text.lower())]
    clauses = [clause for clause in clauses if _TOKEN.search(clause)]
    if len(clauses) == 1 and clauses[0] in _LETTERS:
        return _LETTERS[clauses[0]]
    if clauses and clauses[0] in _PEOPLE and ":" in text:
        return None  # a turn is quoted
    if len(clauses) == 2 and {clauses[0] in _YES, clauses[1] in _YES} == {clauses[0] in _NO, clauses[1] in _NO} == {
        True,
        False,
    }:
        return None
    bare = _BARE.fullmatch(text.strip().lower())
    if bare:
        return "no" if bare["no"] else "yes"
    meaning = _read_first(clauses[0]) if clauses and not _UNSURE.match(text) else None
    verdict = [match["word"].lower() for match in _VERDICT.finditer(text)]
    if verdict and (meaning is None or not _begins_with_word(clauses[0])):
        return "yes" if verdict[-1] == "yes" else "no"
    if _UNSURE.match(text):
        return None
    later = (_read_later(clause) for clause in clauses[1:])
    meaning = meaning or next((found for found in later if found), None)
    return "no" if meaning == "yes" and _takes_back(text) else meaning


def _takes_back(text: str) -> bool:
    """Say whether an answer that begins with yes names what is wrong: "Yes, but the date is not mentioned"."""
    rests = (_TOKEN.findall(match["rest"].lower()) for match in _BUT.finditer(text))
    return _EXCEPTED.search(text) is not None or any(_read_clause(words) == "no" for words in rests)


def _read_first(clause: str) -> Word | None:
    """Read the first clause of an answer."""
    words = _TOKEN.findall(clause)
    return _read_lead(words) or _read_clause(words)


def _read_later(clause: str) -> Word | None:
    """Read a later clause: it answers if it begins with the word, or is about the sentence."""
    words = _TOKEN.findall(clause)
    return _read_lead(words) or (_read_clause(words) if _ABOUT & set(words) else None)


def _begins_with_word(clause: str) -> bool:
    words = _TOKEN.findall(clause)
    return bool(words) and (words[0] in _YES or words[0] in _NO)


def _read_lead(words: list[str]) -> Word | None:
    """Read a word that answers at the beginning, or behind words such as "I think"."""
    place = next((place for place, word in enumerate(words) if word not in _BEFORE), len(words))
    rest = words[place:]
    if not rest:
        return None
    if rest[0] in _YES:
        return "yes"
    if rest[0] in _NO:
        ends = len(rest) == 1 or rest[1] in _AFTER or rest[1] in _NO or rest[0] not in _NEGATIONS
        return "no" if ends else _read_clause(rest) or "no"
    if set(rest) & _CERTAIN and set(rest) <= _CERTAIN | {"of", "not"}:
        return "no" if "not" in rest else "yes"
    says_absent = rest[0] in _ABSENT and rest != ["not"] and not set(rest) & (_GOOD | _BAD)
    return "no" if says_absent else None


def _read_clause(words: list[str]) -> Word | None:
    """Read a clause by its first word that says right or wrong. A negation before that word reverses it."""
    negated = False
    for word in words:
        if word in _PEOPLE:
            return None
        if word in _GOOD or word in _BAD:
            return "yes" if (word in _GOOD) != negated else "no"
        if negated and word in _EVIDENCE:
            return "no"
        negated ^= word in _NEGATIONS or word.endswith("n't")
    return None


LEAST_MASS: Final = 0.5
"""Share of the probability that "yes" and "no" together must hold: else the model does not answer with them."""


def yes_probability(logprobs: Any) -> float | None:
    """Return the probability of "yes" against "no", 0 to 1, at the token where the answer begins.

    It is p = mass(yes) / (mass(yes) + mass(no)). A token counts for a word if the word begins with it, in upper or
    lower case, without the characters of `_AROUND`. Tokens of such characters alone, and labels ("Answer:"), come
    before the answer. `logprobs` are the log-probabilities of a choice as OpenAI gives them: `content`, a list of
    tokens with `top_logprobs`, as an object or as a mapping. Without another token, the rest counts for the other word.
    Returns None if both words together hold less than `LEAST_MASS`.
    """
    before = ""
    for position in _get(logprobs, "content") or ():
        if _bare(position) and (not before.strip(_AROUND) or _is_label(before)):
            tokens = [position, *(_get(position, "top_logprobs") or ())]
            mass = _masses(tokens)
            both = mass["yes"] + mass["no"]
            if both >= LEAST_MASS:
                is_alone = len({str(_get(token, "token")) for token in tokens}) == 1
                return (mass["yes"] or 1 - mass["no"]) if is_alone else mass["yes"] / both
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
    """Return the probability of a log-probability; 0 if the value is none."""
    try:
        value = float(logprob)
    except (TypeError, ValueError):
        return 0.0
    return math.exp(min(value, 0.0)) if not math.isnan(value) else 0.0


def _bare(token: Any) -> str:
    return str(_get(token, "token")).strip(_AROUND)


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
