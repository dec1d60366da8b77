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
from training.assemble import training_dtype, with_adapter
from training.settings import TrainSettings
from training.tally import Tally

_KEPT_CHECKPOINTS = 2


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
    adapter: Path | None,
    folder: Path,
    tally: Tally,
    callbacks: list[TrainerCallback],
) -> PreferenceTrainer:
    """A trainer that is ready to train, with its checkpoints in `folder`.

    It goes on from `adapter`, of which TRL keeps a frozen copy as the reference; a new adapter changes nothing at
    first, so copying it makes the base the reference. Raises ConfigError for targets that the model does not have.
    """
    adapted = PeftModel.from_pretrained(model, adapter, is_trainable=True) if adapter else with_adapter(model, settings)
    trainer = PreferenceTrainer(
        model=adapted,
        args=_dpo_config(settings, folder),
        train_dataset=_dataset(pairs),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.tally = tally
    return trainer


def _dataset(pairs: Sequence[PreferencePair]) -> Dataset:
    return Dataset.from_list([pair.model_dump(include={"prompt", "chosen", "rejected"}) for pair in pairs])


def _dpo_config(settings: TrainSettings, folder: Path) -> DPOConfig:
    cuda = torch.cuda.is_available()
    rows = settings.batch_size * settings.gradient_accumulation
    return DPOConfig(
        output_dir=str(folder),
        loss_type=[settings.preference.method],
        beta=settings.preference.beta,
        seed=settings.seed,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size if cuda else 1,
        gradient_accumulation_steps=settings.gradient_accumulation if cuda else rows,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=None,  # the pairs were measured before: nothing is cut
        use_cpu=not cuda,
        bf16=training_dtype() is torch.bfloat16,
        gradient_checkpointing=cuda,
        dataloader_pin_memory=cuda,
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=_KEPT_CHECKPOINTS,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )
