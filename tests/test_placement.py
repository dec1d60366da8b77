"""Where an embedded model runs: what the configuration may say, and what a run says."""

import pytest
import torch
from pydantic import ValidationError
from tiny_model import save_tiny_model
from transformers import LlamaConfig

from arf_programs.config.models import ModelConfig
from arf_programs.models.calls.lm import build_lm, where_it_answers
from arf_programs.models.embedded.base import open_weights
from arf_programs.models.embedded.engine import Engine, close_engines, get_engine
from arf_programs.models.embedded.layers import KVShape
from arf_programs.models.embedded.memory import PrefixCache, most_slots, prefix_cache
from arf_programs.models.embedded.row import Request
from arf_programs.models.local.placement import CPU, Placement, find_placement
from signatures.exceptions import ConfigError

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="is about a machine without a GPU")


@needs_no_gpu
def test_without_a_gpu_it_is_the_cpu_in_float32():
    assert find_placement() == Placement("cpu", "float32")
    assert find_placement("cpu", "bfloat16") == Placement("cpu", "bfloat16")
    assert where_it_answers(ModelConfig(model="embedded/smollm2-135m")) == "cpu, float32"


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100")
    find_placement.cache_clear()
    yield
    find_placement.cache_clear()


def test_a_gpu_is_taken_in_bfloat16(two_gpus):
    assert find_placement() == find_placement("cuda") == Placement("cuda:0", "bfloat16")
    assert find_placement("cuda:1", "float32") == Placement("cuda:1", "float32")
    assert find_placement("cpu") == Placement("cpu", "float32")
    assert where_it_answers(ModelConfig(model="embedded/a", device="cuda:1")) == "cuda:1 (NVIDIA H100), bfloat16"
    assert where_it_answers(ModelConfig(model="openai/a")) == ""


def test_an_old_gpu_computes_in_float16(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    assert find_placement() == Placement("cuda:0", "float16")


def test_a_gpu_that_is_not_there_is_told_with_its_remedy(two_gpus):
    with pytest.raises(ConfigError, match="device: cuda:2 is not there: torch sees 2 CUDA GPUs: use auto or cpu"):
        find_placement("cuda:2")


@needs_no_gpu
def test_a_missing_gpu_is_a_problem_before_anything_is_asked():
    find_placement.cache_clear()
    with pytest.raises(ConfigError, match="torch sees 0 CUDA GPUs"):
        build_lm(ModelConfig(model="embedded/smollm2-135m", device="cuda"), seed=1)


@pytest.mark.parametrize("value", ["gpu", "cuda:", "cuda:x", "cpu:1"])
def test_other_devices_are_refused(value):
    with pytest.raises(ValidationError, match="device"):
        ModelConfig(model="embedded/a", device=value)


@pytest.mark.parametrize("key", [{"device": "cpu"}, {"dtype": "bfloat16"}])
def test_a_model_that_runs_elsewhere_has_no_device(key):
    with pytest.raises(ValidationError, match="openai/a runs elsewhere: leave out device and dtype"):
        ModelConfig(model="openai/a", **key)


def test_another_precision_answers_too_and_json_holds(tmp_path):
    folder = str(save_tiny_model(tmp_path))
    engine = Engine(open_weights(folder, Placement("cpu", "bfloat16")), PrefixCache(2**20))
    assert engine.model.weights.base.model.dtype == torch.bfloat16
    asked = engine.tokenize([{"role": "user", "content": "the cat"}])
    requests = Request(asked, 30), Request(asked, 30, schema={}), Request(asked, 30, top_logprobs=2)
    futures = [engine.submit(request) for request in requests]
    plain, json_text, scored = (future.result(timeout=60) for future in futures)
    assert plain.text
    assert json_text.text.startswith("{")
    assert all(item.logprob <= 0 for item in scored.logprobs)
    engine.close()


def test_batches_and_prompts_on_a_gpu_take_a_share_of_the_memory_that_is_free(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (900_000, 10_000_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300_000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 200_000)  # so torch holds 100,000 unused
    shape = KVShape(LlamaConfig(hidden_size=40, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=5))
    gpu = Placement("cuda:7", "bfloat16")
    assert most_slots(gpu, shape) == 400_000 // (5 * 2 * 2 * 10 * 4)  # layers, keys and values, heads, size, bytes
    assert most_slots(CPU, shape) == 48_000
    assert prefix_cache("cuda:7").size == 200_000
    assert prefix_cache("cpu").size == 2 * 2**30


def test_loading_says_where_once(tmp_path):
    folder = str(save_tiny_model(tmp_path))
    said: list[str] = []
    for _ in range(2):
        get_engine(folder, "cpu", say=said.append)
    assert said == [f"  embedded/{folder} answers on cpu, float32"]
    close_engines()
