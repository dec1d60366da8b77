"""Spares the layers below the first adapted one: their output for a row is computed once, not once an epoch.

With LoRA on the last N layers, nothing below them ever changes, and nothing above them reaches back: what they make
of a row is a constant of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

Forward = Callable[..., torch.Tensor]


class FrozenLayers:
    """Remembers, row by row, what a stack of frozen layers computes; replaces the `forward` of each of them.

    Rows are told apart by a hash of what enters the first layer, which the token embeddings determine; batches must
    not be padded. `limit` is the memory to use, in bytes: rows beyond it are computed each time.
    """

    def __init__(self, layers: nn.ModuleList, *, limit: int) -> None:
        self._last = len(layers) - 1
        self._outputs: dict[bytes, torch.Tensor] = {}
        self._room = limit
        self._row = b""
        for index, layer in enumerate(layers):
            layer.forward = partial(self._run, index, layer.forward)

    def _run(
        self, index: int, forward: Forward, hidden_states: torch.Tensor, *args: object, **kwargs: object
    ) -> torch.Tensor:
        if index == 0:
            entering = hidden_states.detach().contiguous().view(torch.uint8).numpy()  # numpy has no bfloat16
            self._row = hashlib.blake2b(entering.tobytes(), digest_size=16).digest()
        known = self._outputs.get(self._row)
        if known is not None:
            return known if index == self._last else hidden_states
        with torch.no_grad():
            output = forward(hidden_states, *args, **kwargs)
        if index == self._last and output.nbytes <= self._room:
            self._room -= output.nbytes
            self._outputs[self._row] = output
        return output


def may_be_remembered(layers: nn.ModuleList) -> bool:
    """Whether the layers are frozen and the same input always gives the same output (no dropout)."""
    frozen = not any(parameter.requires_grad for parameter in layers.parameters())
    dropouts = [getattr(module, "attention_dropout", 0.0) for module in layers.modules()]
    dropouts += [module.p for module in layers.modules() if isinstance(module, nn.Dropout)]
    return len(layers) > 0 and frozen and not any(dropouts)
