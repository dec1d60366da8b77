"""Puts a trainer together from settings. Importing this module costs seconds: do it where it is needed.

On CUDA the model is held and trained in bfloat16 (the adapter in float32) with gradient checkpointing, rows of like
length share a batch, and TRL's fused head computes the loss. On a CPU everything is float32; see `training.trainer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback, set_seed
from trl.trainer.sft_config import SFTConfig

from signatures.exceptions import ConfigError
from signatures.records import TrainingExample
from training.frozen_layers import FrozenLayers, may_be_remembered
from training.length_audit import chat_messages
from training.loss_weights import COLUMN, are_weighted, token_weights
from training.settings import TrainSettings
from training.tally import Tally
from training.trainer import StudentTrainer, is_cpu_alone
from training.weighted_loss import WeightedTrainer

_MEMORY = 2**30  # bytes for the outputs of frozen layers
_KEPT_CHECKPOINTS = 2


def training_dtype() -> torch.dtype:
    """The type in which the base model is held: bfloat16 on CUDA where the device has it, else float32."""
    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


def assemble(
    settings: TrainSettings,
    examples: Sequence[TrainingExample],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    folder: Path,
    tally: Tally,
    callbacks: list[TrainerCallback],
) -> StudentTrainer:
    """A trainer of a LoRA adapter on `model` that is ready to train, with its checkpoints in `folder`.

    Raises ConfigError for targets that the model does not have.
    """
    adapted = with_adapter(model, settings)
    weighted = are_weighted(examples, settings.edit_weight)
    kind = WeightedTrainer if weighted else StudentTrainer
    trainer = kind(
        model=adapted,
        args=_sft_config(settings, folder),
        train_dataset=_weighted_dataset(examples, tokenizer, settings) if weighted else _dataset(examples),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.tally = tally
    if is_cpu_alone(trainer.accelerator):
        _spare_frozen_layers(model, settings)
    return trainer


def _dataset(examples: Sequence[TrainingExample]) -> Dataset:
    pairs = [chat_messages(example) for example in examples]
    return Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in pairs])


def _weighted_dataset(
    examples: Sequence[TrainingExample], tokenizer: PreTrainedTokenizerBase, settings: TrainSettings
) -> Dataset:
    weights = [token_weights(tokenizer, example, settings.edit_weight) for example in examples]
    return _dataset(examples).add_column(COLUMN, weights)


def _sft_config(settings: TrainSettings, folder: Path) -> SFTConfig:
    cuda = torch.cuda.is_available()
    rows = settings.batch_size * settings.gradient_accumulation
    return SFTConfig(
        output_dir=str(folder),
        seed=settings.seed,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size if cuda else 1,
        gradient_accumulation_steps=settings.gradient_accumulation if cuda else rows,
        train_sampling_strategy="group_by_length" if cuda else "random",
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=settings.max_length,
        completion_only_loss=True,
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


def with_adapter(model: PreTrainedModel, settings: TrainSettings) -> PeftModel:
    """`model` with a new adapter. Raises ConfigError for targets that it does not have."""
    lora = settings.lora
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_targets(model, settings),
        layers_to_transform=_adapted_layers(model, settings),
    )
    set_seed(settings.seed)  # the adapter starts from random numbers
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise ConfigError(f"train.lora: {error}") from error


def _adapted_layers(model: PreTrainedModel, settings: TrainSettings) -> list[int] | None:
    if settings.lora.last_layers is None:
        return None
    count: int = model.config.get_text_config().num_hidden_layers
    return list(range(max(0, count - settings.lora.last_layers), count))


def _targets(model: PreTrainedModel, settings: TrainSettings) -> str | list[str]:
    targets = settings.lora.targets
    if not isinstance(targets, str):
        return list(targets)
    if settings.lora.last_layers is None or targets != "all-linear":
        return targets
    # PEFT takes no `layers_to_transform` beside "all-linear", so its meaning is spelled out.
    head = model.get_output_embeddings()
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear) and module is not head]
    return sorted({name.rpartition(".")[2] for name in linear})


def _spare_frozen_layers(model: PreTrainedModel, settings: TrainSettings) -> None:
    layers = getattr(model.base_model, "layers", None)
    adapted = _adapted_layers(model, settings)
    if layers is None or adapted is None:
        return
    frozen = layers[: adapted[0]]
    if may_be_remembered(frozen):
        FrozenLayers(frozen, limit=_MEMORY)
