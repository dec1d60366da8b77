"""One generation: its request, its progress token by token (`Row`), and its result. LiteLLM is not used here."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from transformers import NoRepeatNGramLogitsProcessor

from arf_programs.models.embedded.grammar import Grammars

FinishReason = Literal["stop", "length"]
_NEAR_THE_END = 128  # with so few tokens left, each step checks that the JSON can still be closed


@dataclass(frozen=True)
class Request:
    """What to generate.

    `schema` is a JSON schema ({} for any JSON object); None means plain text. `temperature` 0 is greedy. A sample
    depends on `seed`, not on the other rows of the batch. `top_logprobs` is the number of most probable tokens to
    return at each position; None means no log-probabilities. With `no_repeat_ngram_size` above 0, no run of so many
    tokens comes twice in an answer of plain text. Runs of the prompt may be copied.
    """

    prompt: tuple[int, ...]
    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None
    top_logprobs: int | None = None
    no_repeat_ngram_size: int = 0


@dataclass(frozen=True)
class TokenLogprob:
    """A token with its natural log-probability, and the most probable tokens at its position.

    The probabilities are at temperature 1, among the tokens that the schema allows (all without a schema). A token that
    the schema forces has 0.0.
    """

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Completion:
    """A finished generation. `completion_tokens` counts an end-of-turn token, which is not in `text`."""

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    logprobs: tuple[TokenLogprob, ...] | None = field(default=None)


class Row:
    """The tokens of one request. `pending` are chosen or forced tokens that the model has not read yet."""

    def __init__(
        self, request: Request, grammars: Grammars, eos: frozenset[int], decode: Callable[[list[int]], str]
    ) -> None:
        self.request = request
        self.output: list[int] = []
        self.pending: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.cached_tokens = 0
        self._grammars, self._eos, self._decode = grammars, eos, decode
        self._generator = random.Random(request.seed)  # noqa: S311 - sampling, not secrets
        self._logprobs: list[TokenLogprob] = []
        self._text: str | None = None
        self._matcher = None if request.schema is None else grammars.matcher(request.schema)
        self._require_room()
        self._write(self._forced())

    def _require_room(self) -> None:
        if self._matcher is None:
            return
        shortest = self._grammars.closing(self._matcher)
        if shortest is not None and len(shortest) > self.request.max_tokens:
            raise ValueError(
                f"max_tokens={self.request.max_tokens} is too few: the shortest JSON of this schema takes "
                f"{len(shortest)} tokens."
            )

    def _forced(self) -> list[int]:
        """Return the next tokens that the schema forces. Read together, they cost about as much as one."""
        if self._matcher is None:
            return []
        tokens: list[int] = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(tokens)
        return tokens

    def _write(self, tokens: list[int]) -> None:
        self.output += tokens
        self.pending += tokens
        if self.request.top_logprobs is not None:
            done = len(self._logprobs)
            self._logprobs += [TokenLogprob(t, 0.0, ((t, 0.0),)) for t in self.output[done:]]

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """Return logits, (vocabulary,), with -inf for the tokens that the schema forbids, or that repeat a run."""
        if self._matcher is None:
            size = self.request.no_repeat_ngram_size
            if not size:
                return logits
            written = torch.tensor([self.output], dtype=torch.long, device=logits.device)
            return NoRepeatNGramLogitsProcessor(size)(written, logits[None])[0]
        forbidden = ~torch.from_numpy(self._grammars.allowed(self._matcher))
        return logits.masked_fill(forbidden.to(logits.device), float("-inf"))

    def advance(self, logits: torch.Tensor, best: int) -> None:
        """Choose the next token, and write it with the tokens that it forces.

        `logits`, (vocabulary,), are those of `masked`; `best` is their most probable token.
        """
        token = best
        if self.request.temperature:
            token = choose_token(logits, self.request.temperature, self.request.top_p, self._generator)
        closing = self._closing_instead_of(token)
        if closing is not None:
            self._write(closing)
            self.finish_reason = "stop"
            return
        if self.request.top_logprobs is not None:
            self._logprobs.append(token_logprob(logits, token, self.request.top_logprobs))
        self._write([token])
        if token in self._eos:
            self.finish_reason = "stop"
        elif self._matcher is not None:
            self._matcher.consume_token(token)
            self._write(self._forced())
        self._check_end()

    def _closing_instead_of(self, token: int) -> list[int] | None:
        """Return tokens that close the JSON if `token` would leave too few for that; else None."""
        left = self.request.max_tokens - len(self.output) - 1
        if self._matcher is None or left > _NEAR_THE_END or token in self._eos:
            return None
        after = self._matcher.deep_copy()
        after.consume_token(token)
        needed = self._grammars.closing(after)
        if needed is not None and len(needed) <= left:
            return None
        return self._grammars.closing(self._matcher)

    def _check_end(self) -> None:
        if self.finish_reason is None and self._matcher is not None and self._matcher.is_stopped():
            self.finish_reason = "stop"
        if self.finish_reason is None and self._cut_at_stop():
            self.finish_reason = "stop"
        if self.finish_reason is None and len(self.output) >= self.request.max_tokens:
            self.finish_reason = "length"

    def _cut_at_stop(self) -> bool:
        if not self.request.stop:
            return False
        text = self._decode(self.output)
        places = [place for place in (text.find(stop) for stop in self.request.stop) if place >= 0]
        if places:
            self._text = text[: min(places)]
        return bool(places)

    def completion(self) -> Completion:
        """Return the result. There must be a `finish_reason`."""
        return Completion(
            text=self._decode(self.output) if self._text is None else self._text,
            finish_reason=self.finish_reason or "length",
            prompt_tokens=len(self.request.prompt),
            cached_tokens=min(self.cached_tokens, len(self.request.prompt)),
            completion_tokens=len(self.output),
            logprobs=None if self.request.top_logprobs is None else tuple(self._logprobs),
        )


def advance_rows(rows: list[tuple[Row, torch.Tensor]]) -> None:
    """Let each row choose its next token from its logits, (vocabulary,).

    The most probable tokens of all rows leave a GPU together, since it is waited for each time.
    """
    if not rows:
        return
    masked = [row.masked(logits) for row, logits in rows]
    if masked[0].is_cpu:
        best = [int(logits.argmax()) for logits in masked]
    else:
        best = torch.stack(masked).argmax(dim=-1).tolist()
    for (row, _), logits, token in zip(rows, masked, best, strict=True):
        row.advance(logits, token)


def choose_token(logits: torch.Tensor, temperature: float, top_p: float, generator: random.Random) -> int:
    """Return the most probable token at temperature 0, else a sample from the nucleus with `top_p` of the mass.

    `logits` has the shape (vocabulary,). One number is drawn from `generator`, and tokens are ordered by probability:
    small differences in logits between batches must not change the sample.
    """
    if temperature == 0:
        return int(logits.argmax())
    probabilities, tokens = torch.softmax(logits / temperature, dim=-1).sort(descending=True, stable=True)
    mass = probabilities.cumsum(-1)
    kept = int((mass < top_p).sum()) + 1
    drawn = generator.random() * float(mass[min(kept, len(mass)) - 1])
    place = int(torch.searchsorted(mass, torch.tensor(drawn, dtype=mass.dtype, device=mass.device), right=True))
    return int(tokens[min(place, kept - 1, len(tokens) - 1)])


def token_logprob(logits: torch.Tensor, token: int, top: int) -> TokenLogprob:
    """Return the log-probability of `token`, and the `top` most probable tokens without forbidden ones (-inf)."""
    logprobs = torch.log_softmax(logits, dim=-1)
    values, tokens = logprobs.topk(top)
    best = tuple((t, v) for t, v in zip(tokens.tolist(), values.tolist(), strict=True) if v > float("-inf"))
    return TokenLogprob(token=token, logprob=float(logprobs[token]), top=best)
