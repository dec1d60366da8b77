"""TRL's trainers with counts of tokens, and with a loss that is faster on a CPU. Importing this module costs seconds.

On a CPU, rows go through the model one at a time, and their gradients are gathered up to the batch size. The update is
the same as that of a padded batch, since the loss is the mean over all completion tokens of the batch. Nothing is
padded, and 300 tokens already keep the cores busy.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from peft import PeftModel
from torch import nn
from torch.utils.data import Sampler
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.sft_trainer import SFTTrainer
from trl.trainer.utils import FusedCausalLMOutput

from training.loop.records import Tally


class StudentTrainer(SFTTrainer):
    """Counts tokens and padding. On a CPU it computes logits only for the positions before completion tokens.

    TRL does the latter with Triton kernels. Without them it projects every prompt token to the vocabulary too, which
    costs about a fifth of the time for a model of 135M parameters and a prompt five times the completion.
    """

    tally: Tally  # set before training
    sampler: Sampler[int] | None = None  # the rows of an epoch, where a schedule chooses them

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        return self.sampler or super()._get_train_sampler(train_dataset)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Mean negative log-likelihood of the completion tokens of the batch, as in the base class."""
        count(self, inputs)
        if not is_cpu_alone(self.accelerator) or return_outputs or num_items_in_batch is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs, targets, _ = predict_completions(model, inputs)
        return nn.functional.cross_entropy(outputs.logits.flatten(0, 1).float(), targets, reduction="sum") / (
            num_items_in_batch
        )


class PreferenceTrainer(DPOTrainer):
    """Counts tokens and padding of both sides of the pairs. On a CPU it scores the completion tokens alone.

    TRL does the latter with Triton. Without it, it projects every prompt token to the vocabulary too, which takes more
    than half of the time for a model of 135M parameters and a prompt five times the completion.
    """

    tally: Tally  # set before training

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        if is_cpu_alone(self.accelerator):
            student: Any = self.accelerator.unwrap_model(self.model)
            for model in (student.get_base_model() if isinstance(student, PeftModel) else student, self.ref_model):
                if model is not None:
                    model.forward = partial(score_completions, model.forward)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """The loss of the base class."""
        count(self, inputs)
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)


def count(trainer: StudentTrainer | PreferenceTrainer, inputs: dict[str, Any]) -> None:
    """Add the tokens and the padding of a batch, on all processes, to the tally."""
    mask = inputs.get("attention_mask")  # packed rows have none, and no padding
    positions = inputs["input_ids"].numel() if mask is None else mask.numel()
    tokens = positions if mask is None else int(mask.sum())
    counts = torch.tensor([[tokens, positions]], device=trainer.args.device)
    tokens, positions = trainer.accelerator.gather(counts).sum(dim=0).tolist()
    trainer.tally.tokens += tokens
    trainer.tally.padding += positions - tokens


def predict_completions(
    model: nn.Module, inputs: dict[str, Any], *, without: str = "labels"
) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """Run the model with logits for the positions before completion tokens alone.

    Returns:
        The outputs, with logits of shape (rows, positions, vocabulary); the labels that they predict, flat, -100 where
        a row has none; the positions, as places in the labels shifted by one.
    """
    labels = inputs["labels"][:, 1:]
    positions = (labels != -100).any(dim=0).nonzero().flatten()
    given = {name: value for name, value in inputs.items() if name not in ("labels", without)}
    outputs = model(**given, use_cache=False, logits_to_keep=positions)
    return outputs, labels[:, positions].flatten(), positions


def score_completions(
    forward: Callable[..., Any], *args: Any, fused_lm_head: bool = False, labels: Any = None, **given: Any
) -> Any:
    """Call a model's `forward`; where TRL asks for its fused head, score the tokens that have a label and no others."""
    if not fused_lm_head or labels is None:
        return forward(*args, fused_lm_head=fused_lm_head, labels=labels, **given)
    given.pop("use_cache", None)
    outputs, targets, positions = predict_completions(partial(forward, *args), {**given, "labels": labels})
    logits, targets = outputs.logits.float(), targets.view(len(labels), -1)
    scored, every = targets != -100, labels[:, 1:]
    log_probs = logits.log_softmax(dim=-1)

    def place(values: torch.Tensor) -> torch.Tensor:
        return values.new_zeros(every.shape).index_copy(1, positions, values.masked_fill(~scored, 0))

    with torch.no_grad():
        entropy = place(-(log_probs.exp() * log_probs).sum(dim=-1))
        mean_logits, is_top1 = place(logits.mean(dim=-1)), place(logits.argmax(dim=-1) == targets)
    return FusedCausalLMOutput(
        log_probs=place(log_probs.gather(2, targets.clamp(min=0)[..., None])[..., 0]),
        entropy=entropy,
        mean_logits=mean_logits,
        is_top1=is_top1,
        label_mask=every != -100,
        aux_loss=getattr(outputs, "aux_loss", None),
    )


def is_cpu_alone(accelerator: Accelerator) -> bool:
    """Whether this process trains alone and on a CPU."""
    return bool(accelerator.device.type == "cpu" and accelerator.num_processes == 1)
