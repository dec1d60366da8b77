"""Models by their published dimensions: built without weights, to see what training them would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arf_programs.models.weights import resolve_weights
from signatures.exceptions import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

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
    """The configuration of one of ARCHITECTURES. Raises KeyError for another name."""
    from transformers import AutoConfig

    dimensions = dict(ARCHITECTURES[name])
    return AutoConfig.for_model(dimensions.pop("model_type"), **dimensions)


def saved_architecture(base: str) -> PreTrainedConfig:
    """The configuration of the weights called `base`. Raises DataError where it cannot be read."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(resolve_weights(base), trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"The configuration of the base model {base!r} cannot be read: {error}") from error


def without_weights(config: PreTrainedConfig) -> PreTrainedModel:
    """The model on torch's meta device: every module and shape, no memory. Raises DataError for no language model."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            model: PreTrainedModel = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except ValueError as error:
        raise DataError(f"The base is no causal language model: {error}") from error
    return model
