"""One decoding step of a batch with fixed addresses and sizes, recorded once on a GPU and replayed for each token.

A step of an 8B starts about a thousand small kernels. Python starts them more slowly than a GPU does their work. CUDA
replays a recorded step (a CUDA graph) without Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

Forward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, Cache], torch.Tensor]


class _IndexedLayer(DynamicLayer):
    """One layer of a buffer. New keys and values go into the slot whose number is in the tensor `slot`, (1,)."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, slot: torch.Tensor) -> None:
        super().__init__()
        self._keys, self._values, self._slot = keys, values, slot
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        self._keys.index_copy_(2, self._slot, key_states)
        self._values.index_copy_(2, self._slot, value_states)
        return self._keys, self._values

    def get_seq_length(self) -> int:
        return int(self._keys.shape[2])

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return int(self._keys.shape[2]), 0


class FixedStep:
    """Reads one token of each row of a batch. `record` makes further steps replays.

    Args:
        forward: computes the logits, (rows, vocabulary), from tokens, positions, mask and cache on the device.
        buffer: keys and values, (layers, 2, rows, heads, slots, head size).
    """

    def __init__(self, forward: Forward, buffer: torch.Tensor) -> None:
        rows, slots, device = buffer.shape[2], buffer.shape[4], buffer.device
        self._forward = forward
        self._tokens = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._positions = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._mask = torch.ones(rows, 1, 1, slots, dtype=torch.bool, device=device)
        self._slot = torch.zeros(1, dtype=torch.long, device=device)
        self._cache = Cache(layers=[_IndexedLayer(layer[0], layer[1], self._slot) for layer in buffer])
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits: torch.Tensor | None = None

    @torch.inference_mode()
    def record(self, slot: int) -> None:
        """Record the step with CUDA. `slot` is one that nothing is in yet."""
        self._slot.fill_(slot)
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._slot.device)
        torch.cuda.synchronize(self._slot.device)
        # `torch.cuda.graph` would also collect garbage and give all unused memory back, for each batch.
        with torch.cuda.stream(stream):
            self._run()  # libraries set themselves up in a step that is not recorded
            stream.synchronize()
            graph.capture_begin(capture_error_mode="thread_local")  # other threads may use the GPU meanwhile
            try:
                self._logits = self._run()
            finally:
                graph.capture_end()
        self._graph = graph

    @torch.inference_mode()
    def __call__(self, tokens: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, slot: int) -> torch.Tensor:
        """Return the logits after `tokens`, (rows, 1), which go into `slot`. `seen` marks the slots of each row."""
        self._tokens.copy_(tokens)
        self._positions.copy_(positions)
        self._mask.copy_(seen[:, None, None])
        self._slot.fill_(slot)
        if self._graph is None or self._logits is None:
            return self._run()
        self._graph.replay()
        return self._logits

    def _run(self) -> torch.Tensor:
        return self._forward(self._tokens, self._positions, self._mask, self._cache)
