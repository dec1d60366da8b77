"""Weights of completion tokens in the loss: those that an edit changed may count more than those it left alone.

With w the weight of a token and l its negative log-likelihood, the loss of a batch is the weighted mean over its
completion tokens, sum(w * l) / sum(w). w is `TrainingExample.weight`, times `train.edit_weight` where the token touches
a place in `TrainingExample.edited`; so the loss is the plain one where all weights are the same. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from signatures.exceptions import ConfigError
from signatures.records import TrainingExample
from training.length_audit import chat_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Span = tuple[int, int]
COLUMN = "loss_weights"


def are_weighted(examples: Sequence[TrainingExample], edit_weight: float) -> bool:
    """Whether any token of the examples has another weight than the others."""
    edited = edit_weight != 1 and any(example.edited for example in examples)
    return edited or len({example.weight for example in examples}) > 1


def token_weights(tokenizer: PreTrainedTokenizerBase, example: TrainingExample, edit_weight: float) -> list[float]:
    """A weight for each token of prompt and completion, as the chat template renders them; the prompt's count nothing.

    Raises ConfigError for a tokenizer that does not tell where its tokens stand, and a template that changes answers.
    """
    if not tokenizer.is_fast:
        raise ConfigError("train.edit_weight: the tokenizer of the base gives no offsets: set it to 1.")
    prompt, completion = chat_messages(example)
    text: Any = tokenizer.apply_chat_template(prompt + completion, tokenize=False)
    head: Any = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    start = text.find(example.completion.strip(), len(head))
    if start < 0:
        raise ConfigError("train.edit_weight: the chat template of the base changes the summary: set it to 1.")
    start -= len(example.completion) - len(example.completion.lstrip())
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    places = [(start + first, start + last) for first, last in example.edited]
    factors = weights_of(offsets, places, edit_weight)
    return [example.weight * factor for factor in factors]


def weights_of(offsets: Sequence[Span], places: Sequence[Span], edit_weight: float) -> list[float]:
    """`edit_weight` for each token (start, end) that shares a character with one of the places, else 1."""
    return [
        edit_weight if any(max(start, first) < min(end, last) for first, last in places) else 1.0
        for start, end in offsets
    ]
