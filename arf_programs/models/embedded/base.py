"""One copy of a base's weights for the base itself and for all adapters on it. PEFT switches between them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from arf_programs.models.embedded.layers import pack_linears, use_folded_attention
from arf_programs.models.local.placement import CPU, Placement
from arf_programs.models.local.weights import (
    base_of,
    has_tokenizer,
    is_adapter,
    load_model,
    load_tokenizer,
    loading,
    resolve_weights,
)

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# What the config of a LoRA may ask for besides products: PEFT then changes the base, or needs more than the weights.
_MORE = ("alora_invocation_tokens", "arrow_config", "layer_replication", "target_parameters", "use_qalora")
_PLAIN_STARTS = (True, False, None, "gaussian")
_PLAIN_WEIGHTS = re.compile(r"(?!.*(embed|lm_head|wte)).*\.lora_[AB]\.weight")
_UNKNOWN = ""  # no adapter is called so


class SharedBase:
    """The weights of a base on its device, and the adapters on it. One thread uses it at a time (`using`)."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, placement: Placement) -> None:
        self.model, self.tokenizer, self.placement = model.eval(), tokenizer, placement
        self.users = 0
        folded = use_folded_attention(model)
        self.records = placement.is_cuda and folded  # whether the steps of a batch are recorded
        self._lock = threading.RLock()
        self._adapted: PeftModel | None = None
        self._active: str | None = None
        self._count = 0
        if placement.is_cpu and placement.dtype == "float32":
            pack_linears(model)
        if placement.is_cuda:
            # Attention by cuDNN plans anew for each length, and lengths change. This holds for the whole process.
            torch.backends.cuda.enable_cudnn_sdp(False)

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
        if not is_adapter(weights) or not _can_share(weights):
            base = _open(name, placement)
            return Weights(name, base, None, base.tokenizer)
        base = _open(base_of(weights), placement)
        tokenizer = load_tokenizer(weights) if has_tokenizer(weights) else base.tokenizer
        return Weights(name, base, base.add(weights), tokenizer)


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
        _bases[key] = SharedBase(*load_model(name, placement), placement)
    _bases[key].users += 1
    return _bases[key]


def _can_share(folder: Path) -> bool:
    """Return whether an adapter only adds products to the linear layers of a whole model, which can be switched.

    Others (DoRA, further modules, an adapter on an adapter, ...) get weights of their own.
    """
    from safetensors import safe_open

    config = json.loads((folder / "adapter_config.json").read_text("utf-8"))
    if config.get("peft_type") != "LORA" or config.get("init_lora_weights") not in _PLAIN_STARTS:
        return False
    if any(config.get(key) for key in _MORE) or is_adapter(resolve_weights(base_of(folder))):
        return False
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as weights:
        return all(_PLAIN_WEIGHTS.fullmatch(key) for key in weights.keys())  # noqa: SIM118 - it is no mapping
