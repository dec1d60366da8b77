"""The 8B and 4B models on the meta device, compared with arithmetic by hand and with what autograd keeps."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from training import plan
from training.loop.adapter import with_adapter
from training.loop.base_model import architecture, without_weights
from training.settings import TrainSettings
from training.sizing.cost import GIB, Batch, Mode, estimate_memory, layer_bytes, measure_shape, tokens_that_fit

PAGE = Path(__file__).parent.parent / "docs" / "training.md"
SEVEN = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


def shape_of(model, **settings):
    return measured(model, json.dumps(settings))


@cache
def measured(model, settings):
    return measure_shape(without_weights(architecture(model)), TrainSettings(**json.loads(settings)))


def test_llama_has_the_parameters_that_arithmetic_gives():
    """Each layer: q and o 4096 x 4096, k and v 4096 x 1024 (8 of 32 heads), three of 4096 x 14336, two norms."""
    layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096
    assert layer == 218_112_000
    total = 32 * layer + 2 * 128256 * 4096 + 4096  # with embeddings, a head of its own, the last norm
    assert total == 8_030_261_248
    shape = shape_of("llama-3.1-8b")
    assert shape.parameters == total
    assert shape.linear == 32 * (layer - 2 * 4096)


def test_qwen_has_the_parameters_that_arithmetic_gives():
    """q and o 2560 x 4096 (32 heads of 128), k and v 2560 x 1024, three of 2560 x 9728, norms of q and k."""
    layer = 2 * 2560 * 4096 + 2 * 2560 * 1024 + 3 * 2560 * 9728 + 2 * 2560 + 2 * 128
    total = 36 * layer + 151936 * 2560 + 2560  # the head is the embeddings
    assert total == 4_022_468_096
    assert shape_of("qwen3-4b").parameters == total


def test_an_adapter_of_rank_16_has_the_parameters_that_arithmetic_gives():
    """r (inputs + outputs) for each of seven linear layers."""
    llama = 16 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14336))
    assert 32 * llama == 41_943_040
    shape = shape_of("llama-3.1-8b")
    assert (shape.trainable, shape.adapted, shape.targets) == (32 * llama, 32 * 7, SEVEN)
    qwen = 16 * (2 * (2560 + 4096) + 2 * (2560 + 1024) + 3 * (2560 + 9728))
    assert 36 * qwen == 33_030_144
    assert (shape_of("qwen3-4b").trainable, shape_of("qwen3-4b").targets) == (36 * qwen, SEVEN)


def test_other_adapters_and_none():
    magnitudes = 32 * (2 * 4096 + 2 * 1024 + 2 * 14336 + 4096)  # DoRA: one for each output
    assert shape_of("llama-3.1-8b", lora={"dora": True}).trainable == 41_943_040 + magnitudes
    assert shape_of("llama-3.1-8b", lora={"last_layers": 8}).trainable == 41_943_040 // 4
    assert shape_of("llama-3.1-8b", lora={"targets": ["q_proj"], "r": 2}).trainable == 32 * 2 * (4096 + 4096)
    assert shape_of("llama-3.1-8b", method="full").trainable == 8_030_261_248


def test_the_memory_of_weights_and_optimizer_by_hand():
    def taken(method):
        mode = Mode(method, bf16=True, checkpointing=True, dropout=False, fused_head=True)
        return estimate_memory(shape_of("llama-3.1-8b", method=method), mode, Batch(0, 0))

    lora = taken("lora")
    assert lora.weights == 2 * 8_030_261_248 + 4 * 41_943_040
    assert (lora.gradients, lora.optimizer, lora.activations) == (4 * 41_943_040, 8 * 41_943_040, 0)
    assert taken("full").total == 18 * 8_030_261_248
    quantised = 32 * (218_112_000 - 2 * 4096)
    qlora = taken("qlora")
    assert qlora.weights == int(quantised * 4.127 / 8) + 2 * (8_030_261_248 - quantised) + 2 * 41_943_040
    assert (qlora.gradients, qlora.optimizer) == (2 * 41_943_040, 4 * 41_943_040)


def test_the_room_that_is_left_is_filled_and_no_more():
    shape, mode = shape_of("llama-3.1-8b"), Mode("lora", True, True, True, True)
    room = tokens_that_fit(shape, mode, 24 * GIB)
    assert estimate_memory(shape, mode, Batch(room, 0)).fits(24 * GIB)
    assert not estimate_memory(shape, mode, Batch(room + 1, 0)).fits(24 * GIB)
    assert tokens_that_fit(shape, mode, 8 * GIB) == 0


def bytes_kept(model, tokens):
    """What autograd keeps for the way back through the layers, each storage once, without the weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(input_ids=torch.ones(1, tokens, dtype=torch.long), use_cache=False, logits_to_keep=1)
    return sum(size for size, _ in kept.values())


@pytest.mark.parametrize(
    ("method", "dropout", "dtype"),
    [
        ("lora", 0.0, torch.float32),
        ("lora", 0.1, torch.float32),
        ("lora", 0.0, torch.bfloat16),
        ("full", 0.0, torch.float32),
    ],
)
def test_a_layer_keeps_what_the_formula_says(method, dropout, dtype):
    """The difference of two layers and one, so that what lies around the layers cancels out."""
    tokens, measured = 256, []
    for layers in (1, 3):
        config = LlamaConfig(
            vocab_size=64,
            hidden_size=128,
            intermediate_size=320,
            num_hidden_layers=layers,
            num_attention_heads=4,
            num_key_value_heads=2,
        )
        model = LlamaForCausalLM(config).to(dtype)
        settings = TrainSettings(method=method, lora={"r": 1, "dropout": dropout})
        shape = measure_shape(without_weights(config), settings)
        trained = model if method == "full" else with_adapter(model, settings)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
            if method != "full":
                model.enable_input_require_grads()
            measured.append(bytes_kept(trained.train(), tokens))
    mode = Mode(method, dtype is torch.bfloat16, checkpointing=False, dropout=dropout > 0, fused_head=False)
    assert layer_bytes(shape, mode) == pytest.approx((measured[1] - measured[0]) / 2 / tokens, rel=0.2)


def test_the_command_gives_the_same_figures_to_machines(capsys):
    assert plan.main(["qwen3-4b", "--gpu", "24", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["shape"]["parameters"] == 4_022_468_096
    assert said["methods"]["lora"]["trainable"] == 33_030_144
    assert said["methods"]["full"]["fits"] == {"24": False}


@pytest.mark.parametrize("model", ["llama-3.1-8b", "qwen3-4b"])
def test_the_page_holds_what_the_command_prints(model, capsys):
    (block,) = re.findall(rf"<!-- printed: {re.escape(model)} -->\n(.*?)<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert plan.main([model]) == 0
    assert block == capsys.readouterr().out
