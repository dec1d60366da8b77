"""The weighted loss in TRL's trainer. Importing this module costs seconds: do it where it is needed."""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset
from torch import nn
from trl.trainer.utils import pad

from signatures.exceptions import ConfigError
from training.loss_weights import COLUMN
from training.trainer import StudentTrainer


class WeightedTrainer(StudentTrainer):
    """Weighs each completion token by the column `loss_weights`; see `training.loss_weights` for the formula."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        _check_weights(self.train_dataset)
        self.data_collator: Any = WeightedCollator(self.data_collator)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """The batches of one update, and the sum of their weights in the place of their number of tokens."""
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
        """Weighted mean negative log-likelihood of the completion tokens; `num_items_in_batch` is the sum of weights.

        Logits are computed for the positions before completion tokens alone.
        """
        self._count(inputs)
        weights = _weights(inputs)
        positions = (inputs["labels"][:, 1:] != -100).any(dim=0).nonzero().flatten()
        told = {name: value for name, value in inputs.items() if name not in ("labels", COLUMN)}
        outputs = model(**told, use_cache=False, logits_to_keep=positions)
        targets = inputs["labels"][:, 1:][:, positions].flatten()
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
        """The batch of these rows."""
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
    """Weights of what is predicted, of shape (rows, tokens - 1); what is no completion token weighs nothing."""
    return inputs[COLUMN][:, 1:] * (inputs["labels"][:, 1:] != -100)
