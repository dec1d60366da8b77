"""The training arguments that every method has in common: batches, rates, precision, checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.hardware import Hardware, is_bf16, is_checkpointed
from training.settings import TrainSettings

_KEPT_CHECKPOINTS = 2
# What two schedules of transformers cannot do without: the rate at the end as a share of the peak (a tenth, as in
# Hoffmann et al. 2022, arXiv 2203.15556), and the share of decaying steps (10-20% in Haegele et al. 2024, arXiv
# 2405.18392).
_FINAL_SHARE = 0.1
_DECAY_SHARE = 0.2


def training_arguments(settings: TrainSettings, hardware: Hardware, folder: Path, *, rows: int) -> dict[str, Any]:
    """Arguments of transformers' TrainingArguments for `rows` rows, with the checkpoints in `folder`.

    On a CPU a batch is made of single rows, none of which is padded.
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
        "lr_scheduler_kwargs": scheduler_arguments(settings, rows),
        "warmup_steps": settings.warmup_ratio,
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "neftune_noise_alpha": settings.neftune_alpha,
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


def scheduler_arguments(settings: TrainSettings, rows: int) -> dict[str, float]:
    """What the schedule needs to be told, for `rows` rows."""
    if settings.scheduler == "cosine_with_min_lr":
        return {"min_lr_rate": _FINAL_SHARE}
    if settings.scheduler == "warmup_stable_decay":
        batch = settings.batch_size * settings.gradient_accumulation
        steps = max(1, round(settings.epochs * -(-rows // batch)))
        return {"num_decay_steps": max(1, round(_DECAY_SHARE * steps))}
    return {}
