"""The base of a student: loaded with its tokenizer, or built without weights to see what training it would take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arf_programs.models import is_adapter, loading, mend_template, resolve_weights
from signatures.exceptions import DataError

if TYPE_CHECKING:
    import torch
    from transformers import (
        BitsAndBytesConfig,
        GenerationConfig,
        PreTrainedConfig,
        PreTrainedModel,
        PreTrainedTokenizerBase,
    )


def load_base(
    name: str, dtype: torch.dtype | str, *, four_bit: bool = False, attention: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the model called `name` in `dtype` (`auto`: as it was saved), and its tokenizer.

    `four_bit` holds its linear layers in bitsandbytes' 4-bit NormalFloat with double quantisation, as QLoRA does
    (Dettmers et al. 2023, arXiv 2305.14314), and computes in `dtype`. `attention` is transformers' name for it, and
    None its own choice. Only safetensors are read, and no code that comes with a model is run. Raises what
    `resolve_weights` raises, and DataError for an adapter or for weights that cannot be loaded.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = resolve_weights(name)
    refuse_adapter(name, weights)
    with loading(name, "The base model"):
        model = AutoModelForCausalLM.from_pretrained(
            weights,
            dtype=dtype,
            **({} if attention is None else {"attn_implementation": attention}),
            quantization_config=_four_bits(dtype) if four_bit else None,
            use_safetensors=True,
            trust_remote_code=False,
        )
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    return model, tokenizer


def _four_bits(dtype: torch.dtype | str) -> BitsAndBytesConfig:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


@dataclass(frozen=True)
class BaseTokenizer:
    """The tokenizer of a base with its chat template as training uses it; `notes` says what was mended in it."""

    tokenizer: PreTrainedTokenizerBase
    stops: frozenset[int]
    notes: tuple[str, ...]


def load_tokenizer(name: str) -> BaseTokenizer:
    """Load the tokenizer of the base model called `name`, without its weights.

    Raises what `resolve_weights` raises, and DataError for an adapter or a tokenizer that cannot be loaded.
    """
    from transformers import AutoTokenizer

    weights = resolve_weights(name)
    refuse_adapter(name, weights)
    with loading(name, "The tokenizer of the base model"):
        tokenizer = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
        stops = stop_ids(_generation_config(weights), tokenizer)
    return BaseTokenizer(tokenizer, stops, mend_template(tokenizer, stops))


def refuse_adapter(name: str, weights: Path | str) -> None:
    """Raise DataError when the weights called `name` are an adapter."""
    if is_adapter(weights):
        raise DataError(f"{name} is an adapter: merge it first with `python -m training.export --adapter {name}`.")


def _generation_config(weights: Path | str) -> GenerationConfig | None:
    from transformers import GenerationConfig

    try:
        config: GenerationConfig = GenerationConfig.from_pretrained(weights)
    except OSError:  # a model need not have one
        return None
    return config


def stop_ids(generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens at which a model with that generation configuration stops."""
    of_model = generation.eos_token_id if generation else None
    ids = of_model if isinstance(of_model, list) else [of_model, tokenizer.eos_token_id]
    return frozenset(token for token in ids if token is not None)


# Dubey et al. 2024, "The Llama 3 Herd of Models", arXiv 2407.21783, table 3, and config.json of meta-llama/Llama-3.1-8B
# (the vocabulary with its reserved tokens).
_LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}
# Yang et al. 2025, "Qwen3 Technical Report", arXiv 2505.09388, table 1, and config.json of Qwen/Qwen3-4B.
_QWEN3_4B = {
    "model_type": "qwen3",
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
}
ARCHITECTURES: dict[str, dict[str, Any]] = {"llama-3.1-8b": _LLAMA_8B, "qwen3-4b": _QWEN3_4B}


def architecture(name: str) -> PreTrainedConfig:
    """Make the configuration of one of ARCHITECTURES. Raises KeyError for another name."""
    from transformers import AutoConfig

    dimensions = dict(ARCHITECTURES[name])
    return AutoConfig.for_model(dimensions.pop("model_type"), **dimensions)


def saved_architecture(base: str) -> PreTrainedConfig:
    """Read the configuration of the weights called `base`. Raises DataError when it cannot be read."""
    from transformers import AutoConfig

    with loading(base, "The configuration of the base model"):
        config: PreTrainedConfig = AutoConfig.from_pretrained(resolve_weights(base), trust_remote_code=False)
    return config


def without_weights(config: PreTrainedConfig) -> PreTrainedModel:
    """Build the model on torch's meta device: every module and shape, no memory.

    Raises DataError when it is no causal language model.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except ValueError as error:
        raise DataError(f"The base is no causal language model: {error}") from error
    return model
