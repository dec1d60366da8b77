"""Load a checker: a classifier of transformers, or HHEM-2.1-open, whose weights are read without the code beside them.

Only safetensors are read, and no code that comes with a model is run. Each kind of checker reads document and claim in
the input form in which it was trained. Sources of the forms: Tang et al. (2024), "MiniCheck", arXiv 2404.10774; Lei et
al. (2025), "FactCG", arXiv 2501.17144; the model card of Vectara's HHEM-2.1-open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from arf_programs.config import CheckerConfig, CheckerForm
from arf_programs.models import resolve_weights
from signatures.exceptions import DataError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, T5ForTokenClassification

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


_CONFIG: Final = "config.json"
_WEIGHTS: Final = "model.safetensors"
_HHEM_TOKENIZER: Final = "google/flan-t5-base"
_HHEM_PREFIX: Final = "t5."
_BLOCK: Final = "transformer.encoder.block."
_ATTENTION: Final = f"{_BLOCK}0.layer.0.SelfAttention."
_TIED: Final = "transformer.encoder.embed_tokens.weight"
_EMBEDDING: Final = "transformer.shared.weight"
_SPECIAL_PLACES: Final = 2
_NO_LIMIT: Final = 1_000_000


@dataclass(frozen=True)
class LoadedChecker:
    """A model with its tokenizer, its input form, and the number of the output that means "supported"."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    form: CheckerForm
    supported: int


def read_model_config(model: str) -> dict[str, Any]:
    """Read the configuration of a model: of its folder, or from the hub or its cache. Raises DataError without one."""
    weights = resolve_weights(model)
    try:
        path = weights / _CONFIG if isinstance(weights, Path) else _from_hub(weights, _CONFIG)
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"analyze.checker.model: {model} has no {_CONFIG} that can be read: {error}") from None
    if not isinstance(config, dict):
        raise DataError(f"analyze.checker.model: the {_CONFIG} of {model} is not an object")
    return config


def checker_form(config: CheckerConfig) -> CheckerForm:
    """Return the input form of a checker. Raises DataError if the form would need another kind of model."""
    name = config.model or ""
    model_type = str(read_model_config(name).get("model_type", ""))
    form = choose_form(name, config.form, model_type)
    if (form == "hhem") != (model_type == HHEM_TYPE):
        raise DataError(
            f"analyze.checker.form: hhem goes with the weights of HHEM-2.1-open alone, and {name} is "
            f"{model_type or 'unnamed'}"
        )
    return form


def load_weights(config: CheckerConfig) -> LoadedChecker:
    """Load the model that the configuration names, in evaluation mode on the CPU.

    Raises DataError for a model that cannot be loaded, and for one that needs code of its own.
    """
    form = checker_form(config)
    name = config.model or ""
    weights = resolve_weights(name)
    try:
        if form == "hhem":
            return LoadedChecker(_load_hhem(weights), _load_hhem_tokenizer(weights), form, supported=1)
        return _load_classifier(weights, name, form)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"analyze.checker.model: {name} cannot be loaded: {error}") from error


def _load_classifier(weights: Path | str, name: str, form: CheckerForm) -> LoadedChecker:
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    settings = AutoConfig.from_pretrained(weights, trust_remote_code=False)
    kinds = settings.architectures or ["nothing that its config.json names"]
    if not any("SequenceClassification" in kind for kind in kinds):
        raise DataError(
            f"analyze.checker.model: {name} is {', '.join(kinds)}, and a checker is a classifier of sequences "
            "(...ForSequenceClassification)"
        )
    tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    model = AutoModelForSequenceClassification.from_pretrained(
        weights, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
    )
    labels = {int(number): label for number, label in settings.id2label.items()}
    return LoadedChecker(model.eval(), tokenizer, form, supported_label(labels, name))


def _load_hhem(weights: Path | str) -> T5ForTokenClassification:
    """Load HHEM-2.1-open. It is a T5 encoder that classifies tokens, and the first token carries the answer.

    Its own code only wraps that model, so the names of the weights have a prefix. The sizes follow from the weights.
    """
    from safetensors.torch import load_file
    from transformers import T5ForTokenClassification

    path = weights / _WEIGHTS if isinstance(weights, Path) else _from_hub(weights, _WEIGHTS)
    state = {name.removeprefix(_HHEM_PREFIX): value for name, value in load_file(path).items()}
    state.setdefault(_TIED, state[_EMBEDDING])
    model = T5ForTokenClassification(_hhem_sizes(state))
    model.load_state_dict(state, strict=True)
    loaded: T5ForTokenClassification = model.eval()
    return loaded


def _hhem_sizes(state: dict[str, torch.Tensor]) -> Any:
    from transformers import T5Config

    vocabulary, width = state[_EMBEDDING].shape
    buckets, heads = state[f"{_ATTENTION}relative_attention_bias.weight"].shape
    blocks = {name.removeprefix(_BLOCK).partition(".")[0] for name in state if name.startswith(_BLOCK)}
    return T5Config(
        vocab_size=vocabulary,
        d_model=width,
        num_layers=len(blocks),
        num_heads=heads,
        d_kv=state[f"{_ATTENTION}q.weight"].shape[0] // heads,
        d_ff=state[f"{_BLOCK}0.layer.1.DenseReluDense.wi_0.weight"].shape[0],
        relative_attention_num_buckets=buckets,
        feed_forward_proj="gated-gelu",
        num_labels=state["classifier.weight"].shape[0],
    )


def _load_hhem_tokenizer(weights: Path | str) -> PreTrainedTokenizerBase:
    """Load the tokenizer beside the weights of a folder, or else that of FLAN-T5, which is the same."""
    from transformers import AutoTokenizer

    own = isinstance(weights, Path) and (weights / "tokenizer_config.json").is_file()
    place = weights if own else _HHEM_TOKENIZER
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    return tokenizer


def longest_input(loaded: LoadedChecker, wanted: int) -> int:
    """Return how many tokens the model reads: `wanted`, or fewer if its tokenizer or its positions allow fewer.

    Models with relative positions (DeBERTa, T5) have no such limit.
    """
    settings = loaded.model.config
    places: int = getattr(settings, "max_position_embeddings", None) or _NO_LIMIT
    if getattr(settings, "relative_attention", False) or loaded.form == "hhem":
        return wanted
    if getattr(settings, "model_type", "") in ("roberta", "xlm-roberta"):
        places -= _SPECIAL_PLACES
    return min(wanted, places, max(1, int(loaded.tokenizer.model_max_length)))


def _from_hub(name: str, file: str) -> Path:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, file))
