"""One copy of a base's weights for the base itself and for all adapters on it. PEFT switches between them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arf_programs.models.embedded.layers import pack_linears, use_folded_attention, use_grouped_attention
from arf_programs.models.local.placement import CPU, Placement
from arf_programs.models.local.weights import (
    base_of,
    has_tokenizer,
    is_adapter,
    load_model,
    load_tokenizer,
    load_weights,
    loading,
    resolve_weights,
)

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What a LoRA adapter may say and still be switched. Any other key at another value than PEFT's default (DoRA, further
# modules, ...) changes more than a product can add, so such an adapter gets weights of its own.
_PLAIN = frozenset(
    (
        "alpha_pattern",
        "auto_mapping",
        "base_model_name_or_path",
        "exclude_modules",
        "fan_in_fan_out",
        "inference_mode",
        "init_lora_weights",
        "layers_pattern",
        "layers_to_transform",
        "lora_alpha",
        "lora_dropout",
        "peft_type",
        "peft_version",
        "r",
        "rank_pattern",
        "revision",
        "target_modules",
        "task_type",
        "use_rslora",
    )
)
_PLAIN_STARTS = (True, False, None, "gaussian")
_EMBEDDINGS = ("embed", "lm_head", "wte")
_UNKNOWN = ""  # no adapter is called so


class SharedBase:
    """The weights of a base on its device, and the adapters on it. One thread uses it at a time (`using`)."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, placement: Placement) -> None:
        self.model, self.tokenizer, self.placement = model.eval(), tokenizer, placement
        self.users = 0
        self.records = placement.is_cuda  # whether the steps of a batch are recorded
        self._lock = threading.RLock()
        self._adapted: PeftModel | None = None
        self._active: str | None = None
        self._count = 0
        if placement.is_cpu and placement.dtype == "float32":
            pack_linears(model)
        if placement.is_cpu:
            use_grouped_attention(model)
        elif placement.is_cuda:
            use_folded_attention(model)

    def add(self, folder: Path) -> str:
        """Load an adapter beside the others, and return the name by which `using` switches to it."""
        from peft import PeftModel

        with self._lock:
            self._count += 1
            name = f"adapter_{self._count}"
            given: dict[str, Any] = {"torch_device": self.placement.device, "autocast_adapter_dtype": False}
            if self._adapted is None:
                self._adapted = PeftModel.from_pretrained(self.model, folder, adapter_name=name, **given)
            else:
                self._adapted.load_adapter(folder, name, **given)
            self.model.eval()
            self._active = _UNKNOWN  # loading may have switched
        return name

    def remove(self, name: str) -> None:
        """Forget an adapter."""
        with self._lock:
            others = [] if self._adapted is None else [other for other in self._adapted.peft_config if other != name]
            if self._adapted is not None and others:
                self._adapted.set_adapter(others[0], inference_mode=True)  # PEFT warns if the active one is deleted
                self._adapted.delete_adapter(name)
                self._active = _UNKNOWN

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[PreTrainedModel]:
        """Switch to an adapter, or to the base alone, and give the model for the time of the block."""
        with self._lock:
            if adapter != self._active:
                self._switch(adapter)
            yield self.model

    def _switch(self, adapter: str | None) -> None:
        if self._adapted is None or (adapter is not None and adapter not in self._adapted.peft_config):
            return  # there is no adapter; or it was removed meanwhile, and nobody waits for this answer
        if adapter is None:
            self._adapted.base_model.disable_adapter_layers()
        else:
            self._adapted.base_model.enable_adapter_layers()
            self._adapted.set_adapter(adapter, inference_mode=True)
        self._active = adapter


Key = tuple[str, Placement, float]
_bases: dict[Key, SharedBase] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Weights:
    """What a model answers with: the weights of a base, the adapter on them (None: the base itself), a tokenizer."""

    name: str
    base: SharedBase
    adapter: str | None
    tokenizer: PreTrainedTokenizerBase

    def close(self) -> None:
        """Give the weights back. They leave memory with their last user."""
        with _lock:
            self.base.users -= 1
            if self.adapter is not None:
                self.base.remove(self.adapter)
            if self.base.users:
                return
            for key in [key for key, known in _bases.items() if known is self.base]:
                del _bases[key]


def open_weights(name: str, placement: Placement = CPU) -> Weights:
    """Return the weights of a model. A base that is in memory is not loaded again. Close them afterwards.

    Raises what `resolve_weights` raises, and DataError for weights that cannot be loaded.
    """
    weights = resolve_weights(name)
    with _lock, loading(name):
        base_name = _shared_base(weights)
        if base_name is None or not isinstance(weights, Path):
            base = _open(name, placement)
            return Weights(name, base, None, base.tokenizer)
        base = _open(base_name, placement)
        tokenizer = load_tokenizer(weights) if has_tokenizer(weights) else base.tokenizer
        return Weights(name, base, base.add(weights), tokenizer)


def _shared_base(weights: Path | str) -> str | None:
    """Return the name of the base whose weights an adapter can share; None for a whole model, or if it cannot."""
    if not isinstance(weights, Path) or not is_adapter(weights):
        return None
    base = base_of(weights)
    return base if _is_plain(weights) and not is_adapter(resolve_weights(base)) else None


def weights_stamp(name: str) -> float:
    """Return the time of the last change to the weights of a folder; 0 for a model of the hub."""
    weights = resolve_weights(name)
    files = list(weights.glob("*.safetensors")) if isinstance(weights, Path) else []
    return max((file.stat().st_mtime for file in files), default=0.0)


def _open(name: str, placement: Placement) -> SharedBase:
    weights = resolve_weights(name)
    place = str(weights.resolve()) if isinstance(weights, Path) else weights
    key = (place, placement, weights_stamp(name))
    if key not in _bases:
        if is_adapter(weights):
            loaded = load_model(name, placement)
        else:
            loaded = load_weights(weights, placement), load_tokenizer(weights)
        _bases[key] = SharedBase(*loaded, placement)
    _bases[key].users += 1
    return _bases[key]


def _is_plain(folder: Path) -> bool:
    """Return whether an adapter is a LoRA that only adds products to linear layers."""
    from peft import LoraConfig

    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    if config.get("peft_type") != "LORA" or config.get("init_lora_weights") not in _PLAIN_STARTS:
        return False
    targets = config.get("target_modules")
    if any(part in str(targets) for part in _EMBEDDINGS):
        return False
    usual = LoraConfig().to_dict()
    return not any(value and value != usual.get(key) for key, value in config.items() if key not in _PLAIN)
