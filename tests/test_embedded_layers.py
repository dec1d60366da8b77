"""Attention gives the same values on every path: for a GPU, for a CPU, in float32 and in bfloat16."""

import pytest
import torch

from arf_programs.models.embedded.layers import folded_attention, grouped_attention


@pytest.mark.parametrize("new", [1, 5])
@pytest.mark.parametrize("rows", [1, 3])
def test_folded_and_grouped_attention_agree(new, rows):
    torch.manual_seed(0)
    query, key, value = torch.randn(rows, 6, new, 8), torch.randn(rows, 2, 9, 8), torch.randn(rows, 2, 9, 8)
    seen = torch.rand(rows, 1, new, 9) < 0.6
    seen[..., 0] = True
    for mask in (seen, seen[:1]):
        found, wanted = (
            attend(None, query, key, value, mask, 0.3)[0] for attend in (folded_attention, grouped_attention)
        )
        torch.testing.assert_close(found, wanted)


def test_without_a_mask_it_is_causal():
    torch.manual_seed(0)
    query, key, value = torch.randn(1, 6, 5, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    causal = torch.ones(5, 5, dtype=torch.bool).tril()[None, None]
    found = folded_attention(None, query, key, value, None)[0]
    torch.testing.assert_close(found, folded_attention(None, query, key, value, causal)[0])


def test_bfloat16_attends_to_the_same_tokens_as_float32():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 6, 1, 8), torch.randn(3, 2, 9, 8), torch.randn(3, 2, 9, 8)
    seen = torch.rand(3, 1, 1, 9) < 0.6
    seen[..., 0] = True
    wanted = grouped_attention(None, query, key, value, seen)[0]
    found = grouped_attention(None, query.bfloat16(), key.bfloat16(), value.bfloat16(), seen)[0]
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), wanted, atol=0.03, rtol=0.03)
