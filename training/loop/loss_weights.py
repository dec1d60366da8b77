"""Weights of completion tokens in the loss: tokens that an edit changed may count more. Importing this costs seconds.

With w the weight of a token and l its negative log-likelihood, the loss of a batch is the weighted mean over its
completion tokens, sum(w * l) / sum(w). w is `TrainingExample.weight`, times `train.edit_weight` where the token touches
a place in `TrainingExample.edited`. So the loss is the plain one where all weights are the same.

For pairs, the log-probability of a side is such a mean too, with `train.preference.edit_weight` where a token touches
words that the other side does not have: (sum of the unchanged + weight * sum of the changed) / (number of the unchanged
+ weight * number of the changed). It is the dense preference of RLHF-V (Yu et al. 2023, arXiv 2312.00849) and KARE-RAG
(arXiv 2506.02503). Policy and reference are weighted alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase
from trl.trainer.utils import pad

from arf_programs.text import find_changes
from signatures.exceptions import ConfigError
from signatures.records import PreferencePair, TrainingExample
from training.loop.lengths import chat_messages
from training.loop.trainer import PreferenceTrainer, StudentTrainer, count, predict_completions

Span = tuple[int, int]
COLUMN = "loss_weights"
PAIR_COLUMNS = ("chosen_weights", "rejected_weights")


def are_weighted(examples: Sequence[TrainingExample], edit_weight: float) -> bool:
    """Whether any token of the examples has another weight than the others."""
    edited = edit_weight != 1 and any(example.edited for example in examples)
    return edited or len({example.weight for example in examples}) > 1


def token_weights(
    tokenizer: PreTrainedTokenizerBase, example: TrainingExample, edit_weight: float, key: str = "train.edit_weight"
) -> list[float]:
    """Weigh each token of prompt and completion, as the chat template renders them. The prompt's weights are unused.

    Raises ConfigError for a tokenizer without offsets, and for a template that changes answers; it names the `key`.
    """
    if not tokenizer.is_fast:
        raise ConfigError(f"{key}: the tokenizer of the base gives no offsets: leave it out.")
    prompt, completion = chat_messages(example)
    text: Any = tokenizer.apply_chat_template(prompt + completion, tokenize=False)
    head: Any = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    start = text.find(example.completion.strip(), len(head))
    if start < 0:
        raise ConfigError(f"{key}: the chat template of the base changes the summary: leave it out.")
    start -= len(example.completion) - len(example.completion.lstrip())
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    places = [(start + first, start + last) for first, last in example.edited]
    return [example.weight * factor for factor in weights_of(offsets, places, edit_weight)]


def pair_weights(
    tokenizer: PreTrainedTokenizerBase, pair: PreferencePair, edit_weight: float
) -> dict[str, list[float]]:
    """Weigh the tokens of both sides of a pair, as `token_weights` does, by the columns that hold them."""
    chosen, rejected = pair.chosen[0].content, pair.rejected[0].content
    sides = zip(PAIR_COLUMNS, (chosen, rejected), (rejected, chosen), strict=True)
    return {
        column: token_weights(
            tokenizer,
            TrainingExample(
                conversation_id=pair.conversation_id,
                messages=pair.prompt,
                completion=text,
                arm="preference",
                edited=find_changes(other, text),
            ),
            edit_weight,
            "train.preference.edit_weight",
        )
        for column, text, other in sides
    }


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
        if COLUMN not in self.train_dataset.column_names:
            raise ConfigError("train.edit_weight does not go with packed rows: set it to 1, or do not pack.")
        for row in self.train_dataset.select_columns(["input_ids", COLUMN]):
            _check_weights(row["input_ids"], row[COLUMN], "train.edit_weight")
        self.data_collator: Any = WeightedCollator(self.data_collator, (COLUMN,))

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


class WeightedPreferenceTrainer(PreferenceTrainer):
    """Takes weighted means of log-probabilities in place of TRL's sums, by the columns of `PAIR_COLUMNS`."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        for row in self.train_dataset:
            for column, side in zip(PAIR_COLUMNS, ("chosen_ids", "rejected_ids"), strict=True):
                _check_weights(row["prompt_ids"] + row[side], row[column], "train.preference.edit_weight")
        self.data_collator: Any = WeightedCollator(self.data_collator, PAIR_COLUMNS)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The loss of the base class, of the weighted means."""
        weights = inputs.pop(COLUMN)[:, 1:] * inputs["completion_mask"][:, 1:]
        models = [self.accelerator.unwrap_model(self.model), *([self.ref_model] if self.ref_model is not None else [])]
        hooks = [each.register_forward_hook(partial(_average, weights)) for each in models]
        try:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        finally:
            for hook in hooks:
                hook.remove()

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        columns: list[str] = self._signature_columns  # type: ignore[has-type]
        self._signature_columns = list(dict.fromkeys([*columns, *PAIR_COLUMNS]))


def _average(weights: torch.Tensor, _model: nn.Module, _inputs: Any, outputs: Any) -> Any:
    """Put the weighted mean of each row's log-probabilities at its last place, and 0 elsewhere: TRL sums a row.

    `weights` has the shape (rows, tokens - 1) of the log-probabilities, and is 0 outside of completions.
    """
    if getattr(outputs, "log_probs", None) is not None:
        width = weights.shape[1]
        totals = (outputs.log_probs[:, -width:] * weights).sum(dim=1, keepdim=True)
        outputs.log_probs = nn.functional.pad(totals / weights.sum(dim=1, keepdim=True), (width - 1, 0))
    return outputs


class WeightedCollator:
    """Lets `collator` gather a batch, and adds the weights of its tokens: float32, of the shape of `input_ids`.

    The batch has the rows of the first of the `columns`, then those of the second.
    """

    def __init__(self, collator: Any, columns: Sequence[str]) -> None:
        self._collator = collator
        self._columns = columns

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Gather the batch of these rows."""
        batch: dict[str, Any] = self._collator(rows)
        given = [torch.tensor(row[column]) for column in self._columns for row in rows]
        weights = pad(given, padding_value=0.0, padding_side="right")
        missing = batch["input_ids"].shape[1] - weights.shape[1]  # a collator may pad further
        batch[COLUMN] = nn.functional.pad(weights, (0, missing))
        return batch


def _check_weights(ids: Sequence[int], weights: Sequence[float], key: str) -> None:
    """Raise ConfigError when the weights do not fit the tokens that the trainer made of a row."""
    if len(ids) != len(weights):
        raise ConfigError(f"{key}: the tokens of the base are not those that its template renders: leave it out.")


def _weights(inputs: dict[str, Any]) -> torch.Tensor:
    """Weights of the predicted tokens, of shape (rows, tokens - 1); 0 where no completion token is predicted."""
    return inputs[COLUMN][:, 1:] * (inputs["labels"][:, 1:] != -100)
