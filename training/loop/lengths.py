"""Measure the training rows in tokens before any training, so that no summary is ever cut off unseen.

Only the tokenizer is needed. TRL would cut a row that exceeds `max_length` at its end, where the summary is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from signatures.exceptions import DataError
from signatures.records import TrainingExample

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

_SHOWN = 20  # rows named in a message


@dataclass(frozen=True)
class RowLength:
    """Tokens of the prompt of a row, and of the completion with its end-of-turn marker."""

    conversation_id: str
    prompt: int
    completion: int

    @property
    def total(self) -> int:
        """Tokens of prompt and completion."""
        return self.prompt + self.completion


def token_limit(max_length: int, config: PreTrainedConfig) -> int:
    """The most tokens that a row may have: `max_length`, or the context of the base if that is less."""
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return min(max_length, context or max_length)


def chat_messages(example: TrainingExample) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Write prompt and completion of a row as chat messages, TRL's conversational prompt-completion format."""
    prompt = [{"role": message.role, "content": message.content} for message in example.messages]
    return prompt, [{"role": "assistant", "content": example.completion}]


def render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], *, for_answer: bool) -> list[int]:
    """Turn a chat into token ids; `for_answer` appends what precedes an answer."""
    from arf_programs.models import render_text

    ids: list[int] = tokenizer.encode(render_text(tokenizer, messages, for_answer=for_answer), add_special_tokens=False)
    return ids


def learned_text(
    tokenizer: PreTrainedTokenizerBase, prompt: list[dict[str, str]], completion: list[dict[str, str]]
) -> str:
    """Return the text that a student learns to say after the prompt. Raises what `render_text` raises."""
    from arf_programs.models import render_text

    served = render_text(tokenizer, prompt, for_answer=True)
    return render_text(tokenizer, prompt + completion, for_answer=False)[len(served) :]


def measure(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[TrainingExample], stop_ids: Collection[int]
) -> list[RowLength]:
    """Measure each row, in the order of `examples`.

    Raises DataError when the chat template is missing or cannot write a row. The same error is raised for a template
    that renders a prompt differently in training and in serving, that changes a completion, or that does not end a
    completion with one of `stop_ids`, or not at once. The student would then not learn to stop, or to say what follows.
    """
    from arf_programs.models import refuse_template

    refuse_template(tokenizer)
    return [_measure_row(tokenizer, example, stop_ids) for example in examples]


def _measure_row(tokenizer: PreTrainedTokenizerBase, example: TrainingExample, stop_ids: Collection[int]) -> RowLength:
    from arf_programs.models import said_after

    prompt, completion = chat_messages(example)
    try:
        served = render(tokenizer, prompt, for_answer=True)
        trained = render(tokenizer, prompt + completion, for_answer=False)
        learned = learned_text(tokenizer, prompt, completion)
    except ValueError as error:
        raise DataError(f"{example.conversation_id}: {error}: choose another instruction-tuned base.") from None
    if trained[: len(served)] != served:
        raise DataError(
            f"{example.conversation_id}: the chat template of the base renders this prompt differently in training "
            "and in serving: choose a base whose template appends answers to the prompt unchanged."
        )
    before, found, after = learned.partition(example.completion.strip())
    if not found or before.strip():
        raise DataError(
            f"{example.conversation_id}: the chat template of the base changes the summary, so a student would learn "
            "another text: choose another instruction-tuned base."
        )
    said = said_after(tokenizer, after, stop_ids)
    if said is None:
        raise DataError(
            f"{example.conversation_id}: the chat template of the base ends an answer without a stop token of the "
            "model, so a student would not learn to stop: choose an instruction-tuned base."
        )
    if said:
        raise DataError(
            f"{example.conversation_id}: the chat template of the base writes {said!r} after a summary, so a student "
            "would say it too: choose another instruction-tuned base."
        )
    return RowLength(example.conversation_id, len(served), len(trained) - len(served))


def rows_that_fit(lengths: Sequence[RowLength], limit: int, on_overflow: Literal["fail", "drop"]) -> list[int]:
    """Return the indices of the rows of at most `limit` tokens.

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


def longer_sides(sides: Sequence[Sequence[RowLength]]) -> list[RowLength]:
    """Return the longer side of each row, where `sides` lists one length a row, or for pairs two."""
    return [max(row, key=lambda side: side.total) for row in zip(*sides, strict=True)]
