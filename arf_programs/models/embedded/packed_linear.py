"""Linear layers with their weights laid out once for oneDNN.

PyTorch's float32 `linear` on a CPU has MKL rearrange the weights in every call. Arranged once, the same product
is up to four times as fast at the 8 to 32 rows of a decoding batch, and a fifth faster on whole prompts.
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
    if not torch.backends.mkldnn.is_available():
        return
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, PackedLinear(child))
