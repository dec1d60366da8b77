"""Find names of people with a token-classification model, for `privacy.ner`. It runs in this process."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from arf_programs.privacy import Finder
from signatures.exceptions import ConfigError

_PERSON: Final = ("PER", "PERSON")
_LONGEST: Final = 1000  # characters of a piece, so that a model of 512 tokens sees all of it
_OVERLAP: Final = 100


@cache
def finder_of_people(model: str | None) -> Finder | None:
    """Load a model of names, a folder or an id on the hub; None for none. Raises ConfigError if it cannot be loaded.

    Its labels have to name people PER or PERSON, as those of CoNLL and OntoNotes do, with or without B- and I-.
    """
    if model is None:
        return None
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
        weights = AutoModelForTokenClassification.from_pretrained(model, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"privacy.ner: {model} cannot be loaded: {str(error).splitlines()[0]}") from None
    labels = {label.rpartition("-")[2].upper() for label in weights.config.id2label.values()}
    if not labels & set(_PERSON):
        raise ConfigError(f"privacy.ner: {model} has no label PER or PERSON (it has {', '.join(sorted(labels))})")
    tagger = pipeline("token-classification", model=weights, tokenizer=tokenizer, aggregation_strategy="simple")

    def find(text: str) -> Iterable[tuple[int, int]]:
        return _find(tagger, text)

    return find


def _find(tagger: Any, text: str) -> list[tuple[int, int]]:
    spans = set()
    for start in range(0, max(1, len(text)), _LONGEST - _OVERLAP):
        piece = text[start : start + _LONGEST]
        for found in tagger(piece) if piece.strip() else ():
            if found["entity_group"].upper() in _PERSON:
                spans.add((start + found["start"], start + found["end"]))
    return sorted(spans)
