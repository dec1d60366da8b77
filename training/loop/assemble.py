"""Put trainers together from settings. Importing this module costs seconds.

On CUDA, training computes in bfloat16 (the adapter is held in float32) with gradient checkpointing, rows of like length
share a batch, and TRL's fused head computes the loss. On a CPU everything is float32; see `training.loop.trainer`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, PrinterCallback, TrainerCallback
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.sft_config import SFTConfig

from signatures.records import PreferencePair, TrainingExample
from training.loop.adapter import FrozenLayers, Start, adapted_layers, can_remember, start_adapter, with_adapter
from training.loop.hardware import Hardware, is_bf16, is_checkpointed, takes_liger
from training.loop.lengths import chat_messages
from training.loop.loss_weights import (
    COLUMN,
    WeightedPreferenceTrainer,
    WeightedTrainer,
    are_weighted,
    pair_weights,
    token_weights,
)
from training.loop.records import Tally
from training.loop.trainer import PreferenceTrainer, StudentTrainer, is_cpu_alone
from training.settings import TrainSettings

_KEPT_CHECKPOINTS = 2
# Two schedules of transformers need these. The rate at the end is a tenth of the peak in Hoffmann et al. 2022 (arXiv
# 2203.15556); 10-20% of the steps decay in Haegele et al. 2024 (arXiv 2405.18392).
_FINAL_SHARE = 0.1
_DECAY_SHARE = 0.2
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
    start: Start | None = None,
) -> StudentTrainer:
    """Make a trainer of `model`, or of an adapter on it, with its checkpoints in `folder`.

    Raises ConfigError for targets that the model does not have, and DataError for a `start` that does not fit.
    """
    chats = [chat_messages(example) for example in examples]
    dataset = Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in chats])
    kind = StudentTrainer
    if are_weighted(examples, settings.edit_weight):
        kind = WeightedTrainer
        weights = [token_weights(tokenizer, example, settings.edit_weight) for example in examples]
        dataset = dataset.add_column(COLUMN, weights)
    if start is not None:
        student, pulling = start_adapter(model, settings, start)
        callbacks = [*callbacks, *pulling]
    else:
        student = model if settings.method == "full" else with_adapter(model, settings)
    trainer = kind(
        model=student,
        args=SFTConfig(
            train_sampling_strategy="group_by_length" if hardware.is_gpu and not settings.packing else "random",
            packing=settings.packing,
            max_length=settings.max_length,
            completion_only_loss=True,
            **_training_arguments(settings, hardware, folder, rows=len(examples)),
        ),
        train_dataset=dataset,
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    _prepare(trainer, tally)
    _spare_frozen_layers(trainer, model, settings)
    return trainer


def assemble_preference(
    settings: TrainSettings,
    pairs: Sequence[PreferencePair],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    hardware: Hardware,
    folder: Path,
    tally: Tally,
    callbacks: list[TrainerCallback],
    adapter: Path | None,
) -> PreferenceTrainer:
    """Make a trainer of preference pairs, with its checkpoints in `folder`.

    It goes on from `adapter`, and TRL keeps a frozen copy of it as the reference. Without one it starts a new adapter,
    which changes nothing at first, so the reference is the base. With method `full` every weight of `model` is trained,
    and TRL loads it a second time as the reference. Raises ConfigError for targets that the model does not have.
    """
    if adapter is not None:
        student = PeftModel.from_pretrained(model, adapter, is_trainable=True)
    else:
        student = model if settings.method == "full" else with_adapter(model, settings)
    weight = settings.preference.edit_weight
    rows = [pair.model_dump(include={"prompt", "chosen", "rejected"}) for pair in pairs]
    if weight is not None:
        rows = [row | pair_weights(tokenizer, pair, weight) for row, pair in zip(rows, pairs, strict=True)]
    kind = PreferenceTrainer if weight is None else WeightedPreferenceTrainer
    trainer = kind(
        model=student,
        args=DPOConfig(
            loss_type=[settings.preference.method],
            beta=settings.preference.beta,
            max_length=None,  # the pairs were measured before: nothing is cut
            **_training_arguments(settings, hardware, folder, rows=len(pairs)),
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    _prepare(trainer, tally)
    _spare_frozen_layers(trainer, model, settings)  # reference and student share them
    return trainer


def _prepare(trainer: StudentTrainer | PreferenceTrainer, tally: Tally) -> None:
    trainer.remove_callback(PrinterCallback)
    trainer.tally = tally


def _spare_frozen_layers(
    trainer: StudentTrainer | PreferenceTrainer, model: PreTrainedModel, settings: TrainSettings
) -> None:
    """On a CPU, compute the layers below the adapter once for each row."""
    # Noise on the embeddings makes every pass through the frozen layers a new one.
    if not is_cpu_alone(trainer.accelerator) or trainer.args.gradient_checkpointing or settings.neftune_alpha:
        return
    layers = getattr(model.base_model, "layers", None)
    adapted = adapted_layers(model, settings)
    if layers is None or adapted is None or settings.method == "full":
        return
    frozen = layers[: adapted[0]]
    if can_remember(frozen):
        FrozenLayers(frozen, limit=_MEMORY)


def _training_arguments(settings: TrainSettings, hardware: Hardware, folder: Path, *, rows: int) -> dict[str, Any]:
    """Translate `settings` into transformers' TrainingArguments for `rows` rows, with the checkpoints in `folder`.

    On a CPU a batch is made of single rows, so that none is padded.
    """
    cuda = hardware.is_gpu
    batch = settings.batch_size * settings.gradient_accumulation
    return {
        "output_dir": str(folder),
        "seed": settings.seed,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": settings.batch_size if cuda else 1,
        "gradient_accumulation_steps": settings.gradient_accumulation if cuda else batch,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.scheduler,
        "lr_scheduler_kwargs": _scheduler_arguments(settings, rows),
        "warmup_steps": settings.warmup_ratio,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "neftune_noise_alpha": settings.neftune_alpha,
        "use_liger_kernel": takes_liger(settings, hardware),
        "use_cpu": not cuda,
        "bf16": is_bf16(settings, hardware),
        "gradient_checkpointing": is_checkpointed(settings, hardware),
        "dataloader_pin_memory": cuda,
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": _KEPT_CHECKPOINTS,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _scheduler_arguments(settings: TrainSettings, rows: int) -> dict[str, float]:
    if settings.scheduler == "cosine_with_min_lr":
        return {"min_lr_rate": _FINAL_SHARE}
    if settings.scheduler == "warmup_stable_decay":
        batch = settings.batch_size * settings.gradient_accumulation
        steps = max(1, round(settings.epochs * -(-rows // batch)))
        return {"num_decay_steps": max(1, round(_DECAY_SHARE * steps))}
    return {}
