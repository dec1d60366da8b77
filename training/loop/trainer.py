"""TRL's SFTTrainer with what it lacks on a CPU. Importing this module costs seconds: do it where it is needed.

On a CPU, rows go through the model one at a time and their gradients are gathered up to the batch size: the update is
the same as that of a padded batch (the loss is the mean over all completion tokens of the batch), nothing is padded,
and 300 tokens already keep the cores busy.


The weighted loss in TRL's trainer. Importing this module costs seconds: do it where it is needed.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from datasets import Dataset
from torch import nn
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import pad

from signatures.exceptions import ConfigError
from training.loop.checkpoints import Tally
from training.loop.lengths import COLUMN


class StudentTrainer(SFTTrainer):
    """Counts tokens and padding and, on a CPU, computes logits for the positions before completion tokens alone.

    TRL does the latter with Triton kernels; without them it projects every prompt token to the vocabulary too, which
    for a model of 135M parameters and a prompt five times the completion costs about a fifth of the time.
    """

    tally: Tally  # set before training

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean negative log-likelihood of the completion tokens of the batch, as in the base class."""
        self._count(inputs)
        if not is_cpu_alone(self.accelerator) or return_outputs or num_items_in_batch is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        positions = (labels != -100).any(dim=0).nonzero().flatten()
        told = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**told, use_cache=False, logits_to_keep=positions).logits.float()
        targets = labels[:, positions].flatten()
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets, reduction="sum") / num_items_in_batch

    def _count(self, inputs: dict[str, Any]) -> None:
        mask = inputs.get("attention_mask")  # packed rows have none, and no padding
        positions = inputs["input_ids"].numel()
        tokens = positions if mask is None else int(mask.sum())
        counts = torch.tensor([[tokens, positions]], device=self.args.device)
        tokens, positions = self.accelerator.gather(counts).sum(dim=0).tolist()
        self.tally.tokens += tokens
        self.tally.padding += positions - tokens


def is_cpu_alone(accelerator: Accelerator) -> bool:
    """Whether this process trains alone and on a CPU."""
    return bool(accelerator.device.type == "cpu" and accelerator.num_processes == 1)


class WeightedTrainer(StudentTrainer):
    """Weighs each completion token by the column `loss_weights`; see `training.loop.lengths` for the formula."""

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
