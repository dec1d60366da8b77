"""Linear layers with their weights laid out once for oneDNN.

PyTorch's float32 `linear` on a CPU has MKL rearrange the weights in every call. Arranged once, a single product took
between a half and nine tenths of the time at the 8 to 32 rows of a decoding batch (a quarter for the output layer at 8)
and four fifths on whole prompts, on two AVX2 cores; the results agree within rounding. Dynamic int8 was faster still
for a lone row only, and is therefore not used.
"""

from __future__ import annotations

import torch
from torch import nn

_ROWS_HINT = 64  # oneDNN picks its layout for about so many rows; others work with it as well


class PackedLinear(nn.Module):
    """`x @ weight.T + bias` for float32 `x` of shape (..., in_features), inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _ROWS_HINT)
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")
        return result


def pack_linears(model: nn.Module) -> None:
    """Replace every `nn.Linear` of a float32 CPU model in place; does nothing where PyTorch has no oneDNN."""
    if not torch._C._has_mkldnn:
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child))
