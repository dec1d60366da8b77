"""What the parts of bench/gpu.py share: sizes, random models, and how a measurement is printed."""

from __future__ import annotations

import gc
import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arf_programs.models.local.placement import Placement

MARK = "RESULT "
GIB = 2**30
Results = dict[str, dict[str, Any]]  # figures by the name of the measurement


@dataclass(frozen=True)
class Sizes:
    """What is measured: the shape of the model, prompts and answers, and the rows of training.

    `compared` is how many answers of each kind are compared with those of another device or of merged weights.
    """

    shape: dict[str, Any]
    batches: tuple[int, ...]
    prompt: int
    answer: int
    row: int
    rows: int
    pack: int
    short: tuple[int, int]
    rank: int = 16
    compared: int = 24


def sizes(tiny: bool) -> Sizes:
    """Return the sizes of the real measurement, or tiny ones."""
    if tiny:
        shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
        shape |= {"num_key_value_heads": 2, "head_dim": 16, "vocab_size": 512, "max_position_embeddings": 2048}
        return Sizes(
            shape, (1, 4), prompt=30, answer=40, row=128, rows=16, pack=256, short=(60, 110), rank=4, compared=4
        )
    from training.loop.base_model import ARCHITECTURES

    shape = {key: value for key, value in ARCHITECTURES["llama-3.1-8b"].items() if key != "model_type"}
    return Sizes(shape, (1, 8, 32, 64), prompt=300, answer=120, row=1024, rows=40, pack=8192, short=(200, 1000))


def device_of(tiny: bool) -> Placement:
    """Return the placement of the large model."""
    from arf_programs.models.local.placement import Placement, find_placement

    return Placement("cpu", "float32") if tiny else find_placement()


def model_config(shape: dict[str, Any]) -> Any:
    """Make the configuration of a model of this shape."""
    from transformers import LlamaConfig

    tokens = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    return LlamaConfig(**{**shape, **tokens, "tie_word_embeddings": False})


def random_model(shape: dict[str, Any], placement: Placement, *, seed: int = 0) -> Any:
    """Make a model with random weights on its device."""
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(seed)
    config = model_config(shape)
    before = torch.get_default_dtype()
    torch.set_default_dtype(placement.torch_dtype)
    try:
        with torch.device(placement.device):
            return LlamaForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(before)


def make_tokenizer(vocabulary: int) -> Any:
    """Make a tokenizer of single bytes, with longer pieces up to a vocabulary that grammars then have to mask."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    pieces += [f"{a}{b}{c}{d}" for a in letters for b in letters for c in letters for d in letters]
    words = {piece: number for number, piece in enumerate(pieces[:vocabulary])}
    tokenizer = Tokenizer(models.BPE(words, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    fast.chat_template = (
        "{% for m in messages %}<s>{{ m['role'] }}\n{{ m['content'] }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<s>assistant\n{% endif %}"
    )
    return fast


def wait(placement: Placement) -> None:
    """Wait for the device."""
    import torch

    if placement.is_cuda:
        torch.cuda.synchronize()


def free(placement: Placement) -> None:
    """Give memory back, and count the peak anew."""
    import torch

    gc.collect()
    if placement.is_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(placement: Placement) -> int:
    """Return the most bytes of tensors on the GPU since `free`; 0 on a CPU."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if placement.is_cuda else 0


@contextmanager
def measured(results: Results, name: str) -> Iterator[dict[str, Any]]:
    """Collect the figures of one measurement, print them, and go on after an error."""
    figures: dict[str, Any] = {}
    started = time.perf_counter()
    try:
        yield figures
    except Exception as error:  # the other measurements go on
        traceback.print_exc(limit=8)
        figures["error"] = f"{type(error).__name__}: {error}"[:600]
    figures["wall_s"] = round(time.perf_counter() - started, 1)
    results[name] = figures
    say(f"{name}: {json.dumps(figures)}")
    print(MARK + json.dumps({name: figures}), flush=True)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
