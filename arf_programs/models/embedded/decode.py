"""Read prompts one at a time, and write many answers at once.

A prompt is read alone, since padding costs as much as text, and only from where it differs from an earlier prompt.
Answers are written together, since a single token spends most of its time on fetching weights.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import CancelledError

import torch
from transformers import PreTrainedTokenizerFast

from arf_programs.models.embedded.base import Weights
from arf_programs.models.embedded.layers import KVShape, slot_cache
from arf_programs.models.embedded.prefix_cache import CacheBudget, PrefixCache
from arf_programs.models.embedded.recorded import FixedStep
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
    """A model that reads and writes, with the keys and values of its recent prompts."""

    def __init__(self, weights: Weights, budget: CacheBudget) -> None:
        if not isinstance(weights.tokenizer, PreTrainedTokenizerFast):
            weights.close()
            raise DataError(
                f"{weights.name!r} has a tokenizer that only Python can run: the embedded engine needs a fast one."
            )
        self.weights, self.tokenizer, self.placement = weights, weights.tokenizer, weights.base.placement
        model = weights.base.model
        config = model.config
        self.shape = KVShape(config, self.placement)
        self.context: int = config.max_position_embeddings
        self.vocabulary: int = config.vocab_size
        self.eos = _eos_tokens(model.generation_config.eos_token_id, self.tokenizer.eos_token_id)
        self.prefixes: PrefixCache[torch.Tensor] = PrefixCache(budget, self.shape.token_bytes)
        self._chunk = _CHUNK if self.placement.is_cpu else _GPU_CHUNK

    def close(self) -> None:
        """Forget the prompts, and give the weights back."""
        self.prefixes.clear()
        self.weights.close()

    def read(self, row: Row, cancelled: Callable[[], bool]) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the prompt of a row, and the tokens that its schema forces after it.

        Returns the keys and values, (layers, 2, 1, heads, tokens, head size), and the logits of the next token,
        (vocabulary,). Raises CancelledError as soon as `cancelled` returns True.
        """
        tokens = row.request.prompt + tuple(row.pending)
        cached, pieces = self.prefixes.longest(tokens)
        cached = min(cached, len(tokens) - 1)
        buffer = self.shape.buffer(1, len(tokens))
        for piece in pieces:
            buffer[..., piece.start : piece.end, :] = piece.state[..., : piece.end - piece.start, :]
        for start in range(cached, len(tokens), self._chunk):
            if cancelled():
                raise CancelledError
            logits = self._read_chunk(buffer, tokens[start : start + self._chunk], start)
        self.prefixes.put(tokens, cached, buffer[..., cached:, :].clone())
        row.cached_tokens = cached
        row.pending.clear()
        return buffer, logits

    def _read_chunk(self, buffer: torch.Tensor, tokens: tuple[int, ...], start: int) -> torch.Tensor:
        length, end = len(tokens), start + len(tokens)
        # Without a mask, attention takes its faster causal path.
        mask = torch.ones(length, end, dtype=torch.bool).tril(start)[None, None] if start else None
        return self.forward(torch.tensor([tokens]), torch.arange(start, end)[None], mask, slot_cache(buffer, start))[0]

    @torch.inference_mode()
    def forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None, cache: object
    ) -> torch.Tensor:
        """Return the logits after the last token of each row, (rows, vocabulary). `tokens` is (rows, length)."""
        device = self.placement.device
        with self.weights.base.using(self.weights.adapter) as model:
            result = model(
                input_ids=tokens.to(device),
                position_ids=positions.to(device),
                attention_mask=None if mask is None else mask.to(device),
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
        if width == 1 and self.model.weights.base.records:
            logits = self._recorded(tokens, positions, start)
        else:
            logits = self.model.forward(tokens, positions, self._mask(start, width), slot_cache(self.buffer, start))
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

    def _mask(self, start: int, width: int) -> torch.Tensor:
        """Return which slots each new slot sees, (rows, 1, width, slots): the row's own tokens up to it.

        A padding slot sees itself, since attention over nothing gives NaN.
        """
        causal = torch.ones(width, start + width, dtype=torch.bool).tril(start)
        own = torch.zeros(width, start + width, dtype=torch.bool)
        own[:, start:] = torch.eye(width, dtype=torch.bool)
        return ((self.visible[:, None, : start + width] & causal) | own)[:, None]


def _eos_tokens(configured: int | list[int] | None, tokenizers: int | None) -> frozenset[int]:
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in [*listed, tokenizers] if token is not None)
