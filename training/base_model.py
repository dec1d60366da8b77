"""Loads the model that a student starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arf_programs.models.weights import is_adapter, resolve_weights
from signatures.exceptions import DataError

if TYPE_CHECKING:
    import torch
    from transformers import BitsAndBytesConfig, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


def load_base(
    name: str, dtype: torch.dtype | str, *, four_bit: bool = False
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The bare model called `name` in `dtype` (`auto`: as it was saved) and its tokenizer.

    `four_bit` holds its linear layers in bitsandbytes' 4-bit NormalFloat with double quantisation, as QLoRA does
    (Dettmers et al. 2023, arXiv 2305.14314), and computes in `dtype`; see `training.hardware` for what that needs.
    Only safetensors are read, and no code that comes with a model is run. Raises what `resolve_weights` raises, and
    DataError for an adapter or for weights that cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = resolve_weights(name)
    if is_adapter(weights):
        raise DataError(f"{name} is an adapter: merge it first with `python -m training.export --adapter {name}`.")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            weights,
            dtype=dtype,
            quantization_config=_four_bits(dtype) if four_bit else None,
            use_safetensors=True,
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"The base model {name!r} cannot be loaded: {error}") from error
    return model, tokenizer


def _four_bits(dtype: torch.dtype | str) -> BitsAndBytesConfig:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def stop_ids(generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens at which a model with that generation config stops."""
    of_model = generation.eos_token_id if generation else None
    ids = of_model if isinstance(of_model, list) else [of_model, tokenizer.eos_token_id]
    return frozenset(token for token in ids if token is not None)
