"""Measures the training rows in tokens before any training, so that no summary is ever cut off unseen.

Needs the tokenizer only. TRL would cut a row that exceeds `max_length` at its end, where the summary is.


Weights of completion tokens in the loss: those that an edit changed may count more than those it left alone.

With w the weight of a token and l its negative log-likelihood, the loss of a batch is the weighted mean over its
completion tokens, sum(w * l) / sum(w). w is `TrainingExample.weight`, times `train.edit_weight` where the token touches
a place in `TrainingExample.edited`; so the loss is the plain one where all weights are the same. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from signatures.exceptions import ConfigError, DataError
from signatures.records import TrainingExample

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

_SHOWN = 20  # rows named in a message


@dataclass(frozen=True)
class RowLength:
    """The tokens of a row: of its prompt, and of what follows the prompt, the end-of-turn marker included."""

    conversation_id: str
    prompt: int
    completion: int

    @property
    def total(self) -> int:
        """Tokens of prompt and completion."""
        return self.prompt + self.completion


def token_limit(max_length: int, config: PreTrainedConfig) -> int:
    """The largest row in tokens: `max_length`, or what the base reads if that is less."""
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(max_length, context or max_length)


def chat_messages(example: TrainingExample) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Prompt and completion of a row as chat messages, TRL's conversational prompt-completion format."""
    prompt = [{"role": message.role, "content": message.content} for message in example.messages]
    return prompt, [{"role": "assistant", "content": example.completion}]


def render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, for_answer: bool) -> list[int]:
    """Token ids of a chat; `for_answer` appends what precedes an answer."""
    ids: Any = tokenizer.apply_chat_template(messages, add_generation_prompt=for_answer, return_dict=False)
    return list(ids)


def measure(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[TrainingExample], stop_ids: Collection[int]
) -> list[RowLength]:
    """The length of each row, in the order of `examples`.

    Raises DataError when the chat template is missing, when it renders the prompt of a row otherwise than when the
    student is served, or when a completion does not end with one of `stop_ids`, so that the student would not learn
    to stop.
    """
    if tokenizer.chat_template is None:
        raise DataError("The tokenizer of the base model has no chat template: choose an instruction-tuned base.")
    return [_measure_row(tokenizer, example, stop_ids) for example in examples]


def _measure_row(tokenizer: PreTrainedTokenizerBase, example: TrainingExample, stop_ids: Collection[int]) -> RowLength:
    prompt, completion = chat_messages(example)
    served = render(tokenizer, prompt, for_answer=True)
    trained = render(tokenizer, prompt + completion, for_answer=False)
    if trained[: len(served)] != served:
        raise DataError(
            f"{example.conversation_id}: the chat template of the base renders this prompt in training otherwise "
            "than in serving: choose a base whose template appends answers to the prompt unchanged."
        )
    if not set(trained[len(served) :]) & set(stop_ids):
        raise DataError(
            f"{example.conversation_id}: the chat template of the base ends an answer without a stop token of the "
            "model, so a student would not learn to stop: choose an instruction-tuned base."
        )
    return RowLength(example.conversation_id, len(served), len(trained) - len(served))


def rows_that_fit(lengths: Sequence[RowLength], limit: int, on_overflow: Literal["fail", "drop"]) -> list[int]:
    """The indices of the rows of at most `limit` tokens.

    Raises DataError naming the longer rows when `on_overflow` is `fail`, and when no row is left.
    """
    too_long = [row for row in lengths if row.total > limit]
    if too_long and (on_overflow == "fail" or len(too_long) == len(lengths)):
        raise DataError(_overflow_message(too_long, len(lengths), limit, on_overflow))
    return [index for index, row in enumerate(lengths) if row.total <= limit]


def _overflow_message(too_long: Sequence[RowLength], rows: int, limit: int, on_overflow: str) -> str:
    longest = sorted(too_long, key=lambda row: row.total, reverse=True)
    named = ", ".join(f"{row.conversation_id} ({row.total} tokens)" for row in longest[:_SHOWN])
    more = f" and {len(longest) - _SHOWN} more" if len(longest) > _SHOWN else ""
    drop = "" if on_overflow == "drop" else ", set train.on_overflow to drop to train without them"
    return (
        f"{len(too_long)} of {rows} training rows have more than {limit} tokens: {named}{more}. "
        f"Raise train.max_length to {longest[0].total} (if the base model reads that many tokens){drop}, "
        "or lower corpus.max_tokens."
    )


def longer(rows: Sequence[tuple[RowLength, ...]]) -> list[RowLength]:
    """The longer side of each pair; of rows with one side, that."""
    return [max(sides, key=lambda side: side.total) for sides in rows]


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
