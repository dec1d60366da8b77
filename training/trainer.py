"""TRL's SFTTrainer with what it lacks on a CPU. Importing this module costs seconds: do it where it is needed.

On a CPU, rows go through the model one at a time and their gradients are gathered up to the batch size: the update is
the same as that of a padded batch (the loss is the mean over all completion tokens of the batch), nothing is padded,
and 300 tokens already keep the cores busy.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from trl.trainer.sft_trainer import SFTTrainer

from training.tally import Tally


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
