"""Puts a trainer together from settings. Importing this module costs seconds: do it where it is needed.

On CUDA training computes in bfloat16 (the adapter is held in float32) with gradient checkpointing, rows of like length
share a batch, and TRL's fused head computes the loss. On a CPU everything is float32; see `training.trainer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl.trainer.sft_config import SFTConfig

from signatures.records import TrainingExample
from training.adapter import adapted_layers, with_adapter
from training.frozen_layers import FrozenLayers, may_be_remembered
from training.hardware import Hardware
from training.length_audit import chat_messages
from training.loss_weights import COLUMN, are_weighted, token_weights
from training.settings import TrainSettings
from training.tally import Tally
from training.trainer import StudentTrainer, is_cpu_alone
from training.training_arguments import training_arguments
from training.weighted_loss import WeightedTrainer

_MEMORY = 2**30  # bytes for the outputs of frozen layers


def assemble(
    settings: TrainSettings,
    examples: Sequence[TrainingExample],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    hardware: Hardware,
    folder: Path,
    tally: Tally,
    callbacks: list[TrainerCallback],
) -> StudentTrainer:
    """A trainer of `model`, or of an adapter on it, that is ready to train, with its checkpoints in `folder`.

    Raises ConfigError for targets that the model does not have.
    """
    weighted = are_weighted(examples, settings.edit_weight)
    kind = WeightedTrainer if weighted else StudentTrainer
    trainer = kind(
        model=model if settings.method == "full" else with_adapter(model, settings),
        args=_sft_config(settings, hardware, folder, rows=len(examples)),
        train_dataset=_weighted_dataset(examples, tokenizer, settings) if weighted else _dataset(examples),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.tally = tally
    # Noise on the embeddings makes every pass through the frozen layers a new one.
    if is_cpu_alone(trainer.accelerator) and not trainer.args.gradient_checkpointing and not settings.neftune_alpha:
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


def _sft_config(settings: TrainSettings, hardware: Hardware, folder: Path, *, rows: int) -> SFTConfig:
    return SFTConfig(
        train_sampling_strategy="group_by_length" if hardware.is_gpu and not settings.packing else "random",
        packing=settings.packing,
        max_length=settings.max_length,
        completion_only_loss=True,
        **training_arguments(settings, hardware, folder, rows=rows),
    )


def _spare_frozen_layers(model: PreTrainedModel, settings: TrainSettings) -> None:
    layers = getattr(model.base_model, "layers", None)
    adapted = adapted_layers(model, settings)
    if layers is None or adapted is None or settings.method == "full":
        return
    frozen = layers[: adapted[0]]
    if may_be_remembered(frozen):
        FrozenLayers(frozen, limit=_MEMORY)
