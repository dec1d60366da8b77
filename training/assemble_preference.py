"""Puts a trainer of preference pairs together. Importing this module costs seconds: do it where it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer

from signatures.records import PreferencePair
from training.adapter import with_adapter
from training.hardware import Hardware
from training.settings import TrainSettings
from training.tally import Tally
from training.training_arguments import training_arguments


class PreferenceTrainer(DPOTrainer):
    """TRL's DPOTrainer, which counts tokens and padding of both sides of the pairs."""

    tally: Tally  # set before training

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The loss of the base class."""
        mask = inputs["attention_mask"]
        counts = torch.tensor([[int(mask.sum()), mask.numel()]], device=self.args.device)
        tokens, positions = self.accelerator.gather(counts).sum(dim=0).tolist()
        self.tally.tokens += tokens
        self.tally.padding += positions - tokens
        return super().compute_loss(model, inputs, *args, **kwargs)


def assemble(
    settings: TrainSettings,
    pairs: Sequence[PreferencePair],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    hardware: Hardware,
    adapter: Path | None,
    folder: Path,
    tally: Tally,
    callbacks: list[TrainerCallback],
) -> PreferenceTrainer:
    """A trainer that is ready to train, with its checkpoints in `folder`.

    It goes on from `adapter`, of which TRL keeps a frozen copy as the reference; a new adapter changes nothing at
    first, so copying it makes the base the reference. With method `full` every weight of `model` is trained, and TRL
    loads it a second time as the reference. Raises ConfigError for targets that the model does not have.
    """
    trainer = PreferenceTrainer(
        model=_student(model, settings, adapter),
        args=_dpo_config(settings, hardware, folder, rows=len(pairs)),
        train_dataset=_dataset(pairs),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.tally = tally
    return trainer


def _student(model: PreTrainedModel, settings: TrainSettings, adapter: Path | None) -> PreTrainedModel | PeftModel:
    if adapter is not None:
        return PeftModel.from_pretrained(model, adapter, is_trainable=True)
    return model if settings.method == "full" else with_adapter(model, settings)


def _dataset(pairs: Sequence[PreferencePair]) -> Dataset:
    return Dataset.from_list([pair.model_dump(include={"prompt", "chosen", "rejected"}) for pair in pairs])


def _dpo_config(settings: TrainSettings, hardware: Hardware, folder: Path, *, rows: int) -> DPOConfig:
    return DPOConfig(
        loss_type=[settings.preference.method],
        beta=settings.preference.beta,
        max_length=None,  # the pairs were measured before: nothing is cut
        **training_arguments(settings, hardware, folder, rows=rows),
    )
