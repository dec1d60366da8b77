"""Read prompts one at a time, and write many answers at once.

A prompt is read alone, since padding costs as much as text, and only from where it differs from an earlier prompt.
Answers are written together, since a single token spends most of its time on fetching weights.

A step of an 8B starts about a thousand small kernels, and Python starts them more slowly than a GPU does their work. So
a step has fixed addresses and sizes there: it is recorded once (a CUDA graph), and replayed for each token.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast
from transformers.cache_utils import Cache, DynamicLayer

from arf_programs.models.embedded.base import Weights
from arf_programs.models.embedded.grammar import Grammars
from arf_programs.models.embedded.layers import KVShape, slot_cache
from arf_programs.models.embedded.memory import PrefixCache
from arf_programs.models.embedded.row import Row, advance_rows
from signatures.exceptions import DataError

_CHUNK = 512  # tokens of a prompt that are read at once; a request can be cancelled between two chunks
_GROWTH = 64  # free slots of a new batch, for the tokens to write
_STEP_TOKENS = 32  # so many tokens, over all rows, are read about as fast as one
_GPU_CHUNK = 2048
_GPU_STEP_TOKENS = 256
_GPU_GROWTH = 128
_WORTH_A_WIDE_STEP = 4


class LanguageModel:
    """A model that reads and writes. `prefixes` keeps the keys and values of its recent prompts.

    Raises DataError for a tokenizer that only Python can run, after it has closed the weights.
    """

    def __init__(self, weights: Weights, prefixes: PrefixCache) -> None:
        if not isinstance(weights.tokenizer, PreTrainedTokenizerFast):
            weights.close()
            raise DataError(
                f"{weights.name!r} has a tokenizer that only Python can run: the embedded engine needs a fast one."
            )
        self.weights, self.tokenizer, self.placement = weights, weights.tokenizer, weights.base.placement
        self.closed = False
        model = weights.base.model
        self.shape = KVShape(model.config, self.placement)
        self.context: int = model.config.max_position_embeddings
        self.window: float = getattr(model.config, "sliding_window", None) or math.inf
        self.eos = _eos_tokens(model.generation_config.eos_token_id, self.tokenizer.eos_token_id)
        self.grammars = Grammars(self.tokenizer, model.config.vocab_size, min(self.eos, default=0))
        self.prefixes = prefixes
        self._chunk = _CHUNK if self.placement.is_cpu else _GPU_CHUNK

    def close(self) -> None:
        """Forget the prompts, and give the weights back."""
        self.prefixes.forget(self)
        self.weights.close()

    def decode(self, tokens: list[int]) -> str:
        """Return the text of `tokens`, without special tokens."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def read(self, row: Row, cancelled: Callable[[], bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the prompt of a row, and the tokens that its schema forces after it.

        Returns the keys and values, (layers, 2, 1, heads, tokens, head size), and the logits of the next token,
        (vocabulary,). Raises CancelledError as soon as `cancelled` returns True.
        """
        tokens = row.request.prompt + tuple(row.pending)
        buffer = self.shape.buffer(1, len(tokens))
        cached = 0
        for piece in self.prefixes.longest(self, tokens):
            buffer[..., cached : cached + piece.shape[-2], :] = piece
            cached += piece.shape[-2]
        cached = min(cached, len(tokens) - 1)
        for start in range(cached, len(tokens), self._chunk):
            if cancelled():
                raise CancelledError
            chunk = torch.tensor([tokens[start : start + self._chunk]])
            positions = start + torch.arange(chunk.shape[1])[None]
            logits = self.forward(chunk, positions, None, slot_cache(buffer, start))[0]
        self.prefixes.put(self, tokens, cached, buffer[..., cached:, :].clone())
        row.cached_tokens = cached
        row.pending.clear()
        return buffer, logits

    @torch.inference_mode()
    def forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor | None, cache: Cache
    ) -> torch.Tensor:
        """Return the logits after the last token of each row, (rows, vocabulary). `tokens` is (rows, length).

        `seen`, (rows, slots), marks the slots of each row's tokens; None means all. It may also be (rows, 1, length,
        slots). A token sees no slot after its own.
        """
        device = self.placement.device
        with self.weights.base.using(self.weights.adapter) as model:
            result = model(
                input_ids=tokens.to(device),
                position_ids=positions.to(device),
                attention_mask=None if seen is None else seen.to(device),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        logits: torch.Tensor = result.logits[:, -1]
        return logits.float()


class Batch:
    """Rows that are written together. `visible`, (rows, slots), marks the slots of each row's tokens, oldest first."""

    def __init__(self, model: LanguageModel, rows: list[Row], states: list[torch.Tensor]) -> None:
        self.model, self.rows = model, rows
        self.lengths: list[int] = [state.shape[-2] for state in states]
        self.filled: int = max(self.lengths)
        slots = self.filled + (_GROWTH if model.placement.is_cpu else _GPU_GROWTH)
        self.buffer = model.shape.buffer(len(rows), slots)
        self.visible = torch.zeros(len(rows), slots, dtype=torch.bool)
        for index, (state, length) in enumerate(zip(states, self.lengths, strict=True)):
            self.buffer[:, :, index, :, self.filled - length : self.filled] = state[:, :, 0]
            self.visible[index, self.filled - length : self.filled] = True
        self._fixed: FixedStep | None = None

    @property
    def full(self) -> bool:
        """Whether the next step may have too few slots."""
        slots: int = self.buffer.shape[-2]
        return slots < self.filled + self._width()

    def state(self, index: int) -> torch.Tensor:
        """Return the keys and values of one row, (layers, 2, 1, heads, tokens, head size)."""
        return self.buffer[:, :, index : index + 1][..., self.visible[index], :]

    def _width(self) -> int:
        """Return how many tokens a row reads in the next step: several forced ones where that costs little."""
        pending = max(len(row.pending) for row in self.rows)
        if self.model.placement.is_cpu:
            return min(pending, max(1, _STEP_TOKENS // len(self.rows)))
        # A recorded step, which reads one token, is several times as fast as another.
        return 1 if pending < _WORTH_A_WIDE_STEP else min(pending, max(1, _GPU_STEP_TOKENS // len(self.rows)))

    def step(self) -> None:
        """Read a few pending tokens of each row. Rows without more pending tokens choose their next one."""
        width, start = self._width(), self.filled
        tokens = torch.zeros(len(self.rows), width, dtype=torch.long)
        positions = torch.zeros(len(self.rows), width, dtype=torch.long)
        for index, row in enumerate(self.rows):
            read, row.pending = row.pending[:width], row.pending[width:]
            tokens[index, width - len(read) :] = torch.tensor(read)
            positions[index, width - len(read) :] = torch.arange(len(read)) + self.lengths[index]
            self.visible[index, start + width - len(read) : start + width] = True
            self.lengths[index] += len(read)
        self.filled += width
        # A recorded step has one mask for all layers, so none may see less than the others.
        if width == 1 and self.model.weights.base.records and self.buffer.shape[-2] <= self.model.window:
            logits = self._recorded(tokens, positions, start)
        else:
            seen = self.visible[:, : self.filled]
            logits = self.model.forward(tokens, positions, seen, slot_cache(self.buffer, start))
        advance_rows([(row, row_logits) for row, row_logits in zip(self.rows, logits, strict=True) if not row.pending])

    def _recorded(self, tokens: torch.Tensor, positions: torch.Tensor, start: int) -> torch.Tensor:
        if self._fixed is None:
            self._fixed = FixedStep(self.model.forward, self.buffer)
            try:
                self._fixed.record(start)
            except RuntimeError as error:  # a model whose step cannot be recorded: each step is started by Python
                warnings.warn(f"{self.model.weights.name}: CUDA cannot record a step: {error}", stacklevel=2)
                self.model.weights.base.records = False
                self._fixed = FixedStep(self.model.forward, self.buffer)
        return self._fixed(tokens, positions, self.visible, start)


def _eos_tokens(configured: int | list[int] | None, tokenizers: int | None) -> frozenset[int]:
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*listed, tokenizers] if token is not None)


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
