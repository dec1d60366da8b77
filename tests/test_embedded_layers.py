"""Attention with folded queries gives what transformers computes."""

import pytest
import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from arf_programs.models.embedded.layers import folded_attention


@pytest.fixture
def layer():
    module = nn.Module()
    module.num_key_value_groups = 3
    return module


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("new", [1, 5])
@pytest.mark.parametrize("rows", [1, 3])
def test_folded_queries_attend_as_in_transformers(layer, new, rows, dtype):
    torch.manual_seed(0)
    query, key, value = (torch.randn(rows, *size, 8).to(dtype) for size in ((6, new), (2, 9), (2, 9)))
    seen = torch.rand(rows, 1, new, 9) < 0.6
    seen[..., 0] = True
    for mask in (seen, seen[:1], *([None] if new == 1 else [])):
        found, wanted = (
            attend(layer, query, key, value, mask, scaling=0.3)[0]
            for attend in (folded_attention, sdpa_attention_forward)
        )
        assert found.dtype == dtype
        torch.testing.assert_close(found, wanted)


def test_without_a_mask_it_is_causal(layer):
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 6, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()[None, None]
    found = folded_attention(layer, query, key, value, None)[0]
    torch.testing.assert_close(found, folded_attention(layer, query, key, value, causal)[0])
