"""Changes of a sentence that leave its meaning as it is: other words for the same, and another order."""

from __future__ import annotations

import re
from random import Random
from typing import Final

_BOTH_WAYS: Final = (
    (r"did not", "didn't"),
    (r"does not", "doesn't"),
    (r"was not", "wasn't"),
    (r"could not", "couldn't"),
    (r"would not", "wouldn't"),
    (r"has not", "hasn't"),
    (r"is not", "isn't"),
    (r"cannot", "can't"),
    (r"asked for", "requested"),
    (r"said that", "stated that"),
    (r"told", "informed"),
    (r"got in touch with", "contacted"),
    (r"phone", "telephone"),
    (r"customer", "client"),
    (r"agent", "representative"),
    (r"also", "additionally"),
    (r"problem", "trouble"),
)
_ONE_WAY: Final = ((r"because", "since"), (r"but", "yet"), (r"in order to", "to"))
_SAME: Final = (*_BOTH_WAYS, *((right, left) for left, right in _BOTH_WAYS), *_ONE_WAY)
_CLAUSES: Final = re.compile(
    r"^(?P<first>[^,;]{12,}),? (?P<link>because|since|while|although) (?P<second>[^,;]{8,})\.$"
)
_VOWEL: Final = "aeiou"
_SHORT: Final = 40


def reword(sentence: str, rng: Random) -> str | None:
    """Return the sentence with some words exchanged for others of the same meaning, or with its clauses exchanged.

    None if nothing in it can be exchanged. An article before an exchanged word agrees with it afterwards.
    """
    match = _CLAUSES.match(sentence)
    if match and rng.random() < 0.5:
        first, link, second = match["first"], match["link"], match["second"]
        return f"{link.capitalize()} {second}, {_lower(first)}."
    changed = sentence
    usable = [pair for pair in _SAME if re.search(rf"\b{pair[0]}\b", sentence, re.IGNORECASE)]
    for old, new in rng.sample(usable, min(2, len(usable))):
        changed = _exchange(changed, old, new)
    return changed if changed != sentence else None


def _exchange(text: str, old: str, new: str) -> str:
    def write(match: re.Match[str]) -> str:
        article, word = match["article"] or "", match["word"]
        if article:
            fitting = "an " if new[0] in _VOWEL else "a "
            article = fitting.capitalize() if article[0].isupper() else fitting
        return article + (new[0].upper() + new[1:] if word[0].isupper() else new)

    return re.sub(rf"\b(?P<article>an? )?(?P<word>{old})\b", write, text, flags=re.IGNORECASE)


def join_sentences(sentences: list[str], rng: Random) -> str | None:
    """Return two short neighbouring sentences in one, or in the other order; None if there are none."""
    places = [place for place in range(len(sentences) - 1) if max(map(len, sentences[place : place + 2])) >= _SHORT]
    if not places:
        return None
    place = rng.choice(places)
    first, second = sentences[place].rstrip(), sentences[place + 1].rstrip()
    return f"{second} {first}" if rng.random() < 0.5 else f"{first} {second}"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:] if text[:2] not in ("I ", "I'") else text
