"""The input forms of checkers: how document and claim are written, and which output says "supported". Pure functions.

Sources: Tang et al. (2024), "MiniCheck", arXiv 2404.10774; Lei et al. (2025), "FactCG", arXiv 2501.17144; the model
card of Vectara's HHEM-2.1-open. Each is used in the form in which it was trained.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from arf_programs.config import CheckerForm
from signatures.exceptions import DataError

HHEM_TYPE: Final = "HHEMv2"
"""The `model_type` in the configuration of HHEM-2.1-open."""


@dataclass(frozen=True)
class Form:
    """One input form.

    `template` has the places `{document}`, `{claim}` and `{end}` (the tokenizer's token of end). It is None where the
    tokenizer is given document and claim as a pair. `max_tokens` is the length that the model was tested with.
    """

    template: str | None
    max_tokens: int

    def write(self, document: str, claim: str, end: str) -> str:
        """Return document and claim in the template. Braces in them stay as they are."""
        values = {"{document}": document, "{claim}": claim, "{end}": end}
        return _PLACE.sub(lambda match: values[match.group()], self.template or "{document}{end}{claim}")


_PLACE: Final = re.compile(r"\{(?:document|claim|end)\}")
FORMS: Final[Mapping[CheckerForm, Form]] = MappingProxyType(
    {
        "hhem": Form(
            "<pad> Determine if the hypothesis is true given the premise?\n\n"
            "Premise: {document}\n\nHypothesis: {claim}",
            2048,
        ),
        "minicheck": Form("{document}{end}{claim}", 2048),
        "factcg": Form(
            '{document}\n\nChoose your answer: based on the paragraph above can we conclude that "{claim}"?\n\n'
            "OPTIONS:\n- Yes\n- No\nI think the answer is ",
            2048,
        ),
        "pair": Form(None, 512),
    }
)


@dataclass(frozen=True)
class KnownChecker:
    """A checker that is known by the name of its repository, which has no capital letters here."""

    form: CheckerForm
    licence: str


KNOWN: Final[Mapping[str, KnownChecker]] = MappingProxyType(
    {
        "vectara/hallucination_evaluation_model": KnownChecker("hhem", "Apache-2.0"),
        "lytang/minicheck-roberta-large": KnownChecker("minicheck", "MIT"),
        "lytang/minicheck-deberta-v3-large": KnownChecker("minicheck", "MIT"),
        "yaxili96/factcg-deberta-v3-large": KnownChecker("factcg", "MIT"),
    }
)


def known_checker(model: str) -> KnownChecker | None:
    """Return what is known of a model, by its id on the hub or by a folder with the same last name."""
    name = re.split(r"[/\\]", model.lower().rstrip("/\\"))
    matches = (known for key, known in KNOWN.items() if name[-1] == key.rpartition("/")[2])
    return KNOWN.get("/".join(name[-2:])) or next(matches, None)


def choose_form(model: str, form: CheckerForm | None, model_type: str) -> CheckerForm:
    """Return the input form: the given one, else that of HHEM or of a known model, else a pair of texts."""
    if form is not None:
        return form
    if model_type == HHEM_TYPE:
        return "hhem"
    known = known_checker(model)
    return known.form if known else "pair"


_SUPPORTED: Final = re.compile(r"entail|support|consistent|grounded|factual|faithful|correct|yes|true", re.IGNORECASE)


def supported_label(labels: Mapping[int, str], model: str) -> int:
    """Return the output that means "supported": the one whose name says so, or the second of two unnamed ones.

    Raises DataError if there are more than two and none says so.
    """
    named = [number for number, label in labels.items() if _SUPPORTED.match(label)]
    if len(named) == 1:
        return named[0]
    if len(labels) <= 2:
        return len(labels) - 1
    shown = ", ".join(labels[number] for number in sorted(labels))
    raise DataError(f"analyze.checker.model: of the outputs of {model} ({shown}) none says that a claim is supported")
