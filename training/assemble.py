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
from training.hardware import Hardware, is_bf16, is_checkpointed
from training.length_audit import chat_messages
from training.loss_weights import COLUMN, are_weighted, token_weights
from training.settings import TrainSettings
from training.tally import Tally
from training.trainer import StudentTrainer, is_cpu_alone
from training.weighted_loss import WeightedTrainer

_MEMORY = 2**30  # bytes for the outputs of frozen layers
_KEPT_CHECKPOINTS = 2
# What two schedules of transformers cannot do without: the rate at the end as a share of the peak (a tenth, as in
# Hoffmann et al. 2022, arXiv 2203.15556), and the share of decaying steps (10-20% in Haegele et al. 2024, arXiv
# 2405.18392).
_FINAL_SHARE = 0.1
_DECAY_SHARE = 0.2


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
    cuda = hardware.is_gpu
    batch = settings.batch_size * settings.gradient_accumulation
    return SFTConfig(
        output_dir=str(folder),
        seed=settings.seed,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size if cuda else 1,
        gradient_accumulation_steps=settings.gradient_accumulation if cuda else batch,
        train_sampling_strategy="group_by_length" if cuda and not settings.packing else "random",
        packing=settings.packing,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.scheduler,
        lr_scheduler_kwargs=scheduler_arguments(settings, rows),
        warmup_steps=settings.warmup_ratio,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        neftune_noise_alpha=settings.neftune_alpha,
        max_length=settings.max_length,
        completion_only_loss=True,
        use_cpu=not cuda,
        bf16=is_bf16(settings, hardware),
        gradient_checkpointing=is_checkpointed(settings, hardware),
        dataloader_pin_memory=cuda,
        save_strategy="steps",
        save_steps=settings.save_steps,
        save_total_limit=_KEPT_CHECKPOINTS,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def scheduler_arguments(settings: TrainSettings, rows: int) -> dict[str, float]:
    """What the schedule needs to be told, for `rows` rows."""
    if settings.scheduler == "cosine_with_min_lr":
        return {"min_lr_rate": _FINAL_SHARE}
    if settings.scheduler == "warmup_stable_decay":
        batch = settings.batch_size * settings.gradient_accumulation
        steps = max(1, round(settings.epochs * -(-rows // batch)))
        return {"num_decay_steps": max(1, round(_DECAY_SHARE * steps))}
    return {}


def _spare_frozen_layers(model: PreTrainedModel, settings: TrainSettings) -> None:
    layers = getattr(model.base_model, "layers", None)
    adapted = adapted_layers(model, settings)
    if layers is None or adapted is None or settings.method == "full":
        return
    frozen = layers[: adapted[0]]
    if may_be_remembered(frozen):
        FrozenLayers(frozen, limit=_MEMORY)
