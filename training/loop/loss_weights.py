"""Weights of completion tokens in the loss: tokens that an edit changed may count more. Importing this costs seconds.

With w the weight of a token and l its negative log-likelihood, the loss of a batch is the weighted mean over its
completion tokens, sum(w * l) / sum(w). w is `TrainingExample.weight`, times `train.edit_weight` where the token touches
a place in `TrainingExample.edited`. So the loss is the plain one where all weights are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedTokenizerBase
from trl.trainer.utils import pad

from signatures.exceptions import ConfigError
from signatures.records import TrainingExample
from training.loop.lengths import chat_messages
from training.loop.trainer import StudentTrainer, count, predict_completions

Span = tuple[int, int]
COLUMN = "loss_weights"


def are_weighted(examples: Sequence[TrainingExample], edit_weight: float) -> bool:
    """Whether any token of the examples has another weight than the others."""
    edited = edit_weight != 1 and any(example.edited for example in examples)
    return edited or len({example.weight for example in examples}) > 1


def token_weights(tokenizer: PreTrainedTokenizerBase, example: TrainingExample, edit_weight: float) -> list[float]:
    """Weigh each token of prompt and completion, as the chat template renders them. The prompt's weights are unused.

    Raises ConfigError for a tokenizer without offsets, and for a template that changes answers.
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
    return [example.weight * factor for factor in weights_of(offsets, places, edit_weight)]


def weights_of(offsets: Sequence[Span], places: Sequence[Span], edit_weight: float) -> list[float]:
    """Give `edit_weight` to each token (start, end) that shares a character with one of the places, else 1."""
    return [
        edit_weight if any(max(start, first) < min(end, last) for first, last in places) else 1.0
        for start, end in offsets
    ]


class WeightedTrainer(StudentTrainer):
    """Weighs each completion token by the column `loss_weights`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        _check_weights(self.train_dataset)
        self.data_collator: Any = WeightedCollator(self.data_collator)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """Return the batches of one update, and the sum of their weights in place of their number of tokens."""
        batches, items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if items is None:
            return batches, None
        total = torch.stack([_weights(batch).sum() for batch in batches]).sum().to(device)
        return batches, self.accelerator.gather(total).sum() if self.args.average_tokens_across_devices else total

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Weighted mean negative log-likelihood of completion tokens; `num_items_in_batch` is the sum of weights."""
        count(self, inputs)
        weights = _weights(inputs)
        outputs, targets, positions = predict_completions(model, inputs, without=COLUMN)
        nll = nn.functional.cross_entropy(outputs.logits.flatten(0, 1).float(), targets, reduction="none")
        total = weights.sum() if num_items_in_batch is None else num_items_in_batch
        loss = (nll * weights[:, positions].flatten()).sum() / total
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # the gradients of the processes are averaged
        return (loss, outputs) if return_outputs else loss

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        if COLUMN not in self._signature_columns:
            self._signature_columns.append(COLUMN)


class WeightedCollator:
    """Lets `collator` gather a batch, and adds the weights of its tokens: float32, of the shape of the labels."""

    def __init__(self, collator: Any) -> None:
        self._collator = collator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Gather the batch of these rows."""
        batch: dict[str, Any] = self._collator(rows)
        weights = pad([torch.tensor(row[COLUMN]) for row in rows], padding_value=0.0, padding_side="right")
        missing = batch["labels"].shape[1] - weights.shape[1]  # a collator may pad further
        batch[COLUMN] = nn.functional.pad(weights, (0, missing))
        return batch


def _check_weights(dataset: Dataset) -> None:
    """Raise ConfigError when the trainer made rows whose weights are lost or no longer fit, as packing does."""
    if COLUMN not in dataset.column_names:
        raise ConfigError("train.edit_weight does not go with packed rows: set it to 1, or do not pack.")
    for row in dataset.select_columns(["input_ids", COLUMN]):
        if len(row["input_ids"]) != len(row[COLUMN]):
            raise ConfigError("train.edit_weight: the tokens of the base are not those that its template renders.")


def _weights(inputs: dict[str, Any]) -> torch.Tensor:
    """Weights of the predicted tokens, of shape (rows, tokens - 1); 0 where no completion token is predicted."""
    return inputs[COLUMN][:, 1:] * (inputs["labels"][:, 1:] != -100)
