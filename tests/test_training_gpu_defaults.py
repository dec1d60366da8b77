"""What training does by itself on a GPU: attention of packed rows, and activations that are kept where they fit."""

from __future__ import annotations

import pytest
import torch
from test_training_sft import base, make_rows  # noqa: F401 - a fixture
from transformers import LlamaConfig, LlamaForCausalLM

from training.loop.fitting import FittedBatch, train_fitting
from training.loop.hardware import Hardware, attention_of, takes_liger
from training.loop.packed_attention import NAME, register_packed_attention
from training.settings import TrainSettings
from training.sizing import dry_run as sizing

GPU = Hardware("cuda", "a GPU in name", memory=2**40, bf16=True)
CPU = Hardware("cpu", "CPU", memory=2**34, bf16=True)


def each_row_alone(query, key, value, starts, _ends, longest, _longest, *, scale, window_size):
    """What torch's kernel computes: (tokens, heads, size), row by row, to earlier positions only."""
    assert window_size == (-1, 0) and query.shape == key.shape == value.shape
    parts = []
    for begin, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        assert end - begin <= longest
        row = (tensor[begin:end].transpose(0, 1)[None] for tensor in (query, key, value))
        parts.append(torch.nn.functional.scaled_dot_product_attention(*row, is_causal=True, scale=scale)[0])
    return torch.cat([part.transpose(0, 1) for part in parts])


def test_packed_rows_see_nothing_of_each_other(monkeypatch):
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", each_row_alone)
    torch.manual_seed(0)
    shape = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 64}
    model = LlamaForCausalLM(LlamaConfig(**shape, num_attention_heads=4, num_key_value_heads=2)).eval()
    rows = [torch.randint(0, 64, (length,)) for length in (5, 3, 9)]
    alone = torch.cat([model(row[None]).logits[0] for row in rows])
    model.set_attn_implementation(register_packed_attention())
    starts = torch.tensor([0, 5, 8, 17], dtype=torch.int32)
    packed = model(
        input_ids=torch.cat(rows)[None],
        position_ids=torch.cat([torch.arange(len(row)) for row in rows])[None],
        cu_seq_lens_q=starts,
        cu_seq_lens_k=starts,
        max_length_q=9,
        max_length_k=9,
        use_cache=False,
    ).logits[0]
    torch.testing.assert_close(packed, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("hardware", "options", "expected"),
    [
        (GPU, {"packing": True}, NAME),
        (GPU, {}, None),
        (GPU, {"packing": True, "attention": "sdpa"}, "sdpa"),
        (GPU, {"packing": True, "precision": "fp32"}, None),
        (CPU, {"packing": True}, None),
    ],
)
def test_packed_rows_take_pytorchs_own_flash_attention_where_it_can_run(hardware, options, expected, monkeypatch):
    monkeypatch.setattr("training.loop.hardware._is_installed", lambda package: package != "flash_attn")
    assert attention_of(TrainSettings(**options), hardware) == expected


@pytest.mark.parametrize(("memory", "again"), [(2**40, False), (2**16, True)])
def test_activations_are_computed_again_only_where_they_do_not_fit(base, memory, again, monkeypatch):  # noqa: F811
    rows = [make_rows(4)]
    given = TrainSettings(base=base, batch_size=2, max_length=256)
    assert sizing.decide_checkpointing(given, rows) is given, "nothing is decided on a CPU"
    hardware = Hardware("cuda", "a GPU in name", memory=memory, bf16=True)
    monkeypatch.setattr(sizing, "find_hardware", lambda: hardware)
    monkeypatch.setattr(sizing, "measured_speed", lambda *_, **__: 1e12)
    assert sizing.decide_checkpointing(given, rows).gradient_checkpointing is again
    assert sizing.dry_run(given, rows).checkpointing is again
    asked = given.model_copy(update={"gradient_checkpointing": not again})
    assert sizing.decide_checkpointing(asked, rows) is asked


def test_a_lack_of_memory_first_turns_checkpointing_on_and_then_makes_the_batch_smaller():
    tried, said = [], []

    def attempt(settings: TrainSettings) -> None:
        tried.append((settings.batch_size, settings.gradient_checkpointing))
        if len(tried) < 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    settings = TrainSettings(batch_size=4, gradient_checkpointing=False)
    fitted = train_fitting(settings, GPU, attempt, lambda one: said.append(str(one)), may_recompute=True)
    assert tried == [(4, False), (4, True), (2, True), (1, True)]
    assert fitted == FittedBatch(configured=4, rows=1, gathered=4, recomputed=True)
    assert said[0] == "the activations did not fit the memory: they are computed again on the way back"


@pytest.mark.parametrize(
    ("hardware", "liger", "installed", "expected"),
    [(GPU, None, True, True), (GPU, None, False, False), (GPU, False, True, False), (CPU, None, True, False)],
)
def test_ligers_kernels_are_taken_where_they_are_installed(hardware, liger, installed, expected, monkeypatch):
    monkeypatch.setattr("training.loop.hardware._is_installed", lambda _: installed)
    assert takes_liger(TrainSettings(liger=liger), hardware) is expected
