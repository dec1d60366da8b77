"""Choosing a token from logits of shape (vocabulary,)."""

from __future__ import annotations

import random

import torch

from arf_programs.models.embedded.request import TokenLogprob


def choose_token(logits: torch.Tensor, temperature: float, top_p: float, generator: random.Random) -> int:
    """The most probable token at temperature 0, else a sample from the nucleus that holds `top_p` of the mass.

    One number is drawn from `generator`, and tokens are lined up by probability, so that the small differences in
    logits between batches do not change what is drawn.
    """
    if temperature == 0:
        return int(logits.argmax())
    probabilities, tokens = torch.softmax(logits / temperature, dim=-1).sort(descending=True, stable=True)
    mass = probabilities.cumsum(-1)
    kept = int((mass < top_p).sum()) + 1
    drawn = generator.random() * float(mass[min(kept, len(mass)) - 1])
    place = int(torch.searchsorted(mass, torch.tensor(drawn, dtype=mass.dtype), right=True))
    return int(tokens[min(place, kept - 1, len(tokens) - 1)])


def token_logprob(logits: torch.Tensor, token: int, top: int) -> TokenLogprob:
    """The log-probability of `token`, and the `top` most probable tokens; forbidden ones (-inf) are left out."""
    logprobs = torch.log_softmax(logits, dim=-1)
    values, tokens = logprobs.topk(top)
    best = tuple((int(t), float(v)) for t, v in zip(tokens, values, strict=True) if v > float("-inf"))
    return TokenLogprob(token=token, logprob=float(logprobs[token]), top=best)
