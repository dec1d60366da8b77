"""The training of a cross-encoder by sentence-transformers: a base, its frozen layers, a limit of time."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from arf_programs.config import AUTO, CheckerTrainConfig, find_path
from arf_programs.metrics import find_model
from arf_programs.models import find_placement, resolve_weights
from arf_programs.runs import Progress
from signatures.exceptions import DataError, MissingExtra

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder
    from transformers import TrainerCallback

_LAYER: Final = re.compile(r"\.(?:layers?|h|blocks?)\.(\d+)\.")
_WARMUP: Final = 0.1
_LOGGED: Final = 10
Row = tuple[str, str, bool]
"""(document, claim, whether the document supports the claim)."""


@dataclass(frozen=True)
class CrossEncoderRun:
    """A trained model, and how the training went. `losses` are the means of every ten steps."""

    model: CrossEncoder
    steps: int
    seconds: float
    stopped: bool
    losses: tuple[float, ...]


def find_base(name: str, base_dir: Path) -> str:
    """Return the folder or hub id of the base. `auto` is the MiniLM of the extra `similarity`.

    Raises MissingExtra if the extra is not installed, and DataError for a path without a folder.
    """
    try:
        import sentence_transformers  # noqa: F401 - only to see that it is there
    except ImportError:
        raise MissingExtra("`arf checker train` needs a package: pip install 'arf-programs[similarity]'") from None
    if name == AUTO:
        return str(find_model(AUTO, base_dir))
    return str(resolve_weights(str(find_path(name, base_dir) or name)))


def new_cross_encoder(base: str, settings: CheckerTrainConfig, *, seed: int) -> CrossEncoder:
    """Load the base with a new output of one number, and freeze its embeddings and lower layers.

    Raises DataError for a base that cannot be loaded. Only safetensors are read, and no code of a model is run.
    """
    from sentence_transformers import CrossEncoder
    from transformers import set_seed

    set_seed(seed)
    try:
        model: CrossEncoder = CrossEncoder(
            base,
            num_labels=1,
            max_length=settings.max_tokens,
            device=find_placement().device,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "ignore_mismatched_sizes": True},
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise DataError(f"checker.base: {base} cannot be loaded: {error}") from error
    model.tokenizer.model_max_length = settings.max_tokens  # the checker reads as many tokens as it was trained on
    freeze(model.model, settings.frozen)
    return model


def freeze(network: Any, share: float) -> int:
    """Freeze the embeddings and this share of the layers, from the lowest. Return how many layers are frozen."""
    numbers = {int(match[1]) for name, _ in network.named_parameters() if (match := _LAYER.search(name))}
    frozen = int(share * len(numbers))
    for name, parameter in network.named_parameters():
        match = _LAYER.search(name)
        low = int(match[1]) < frozen if match else "embed" in name
        parameter.requires_grad = not (low and share > 0)
    return frozen


def fit(
    model: CrossEncoder, rows: Sequence[Row], settings: CheckerTrainConfig, *, seed: int, progress: Progress
) -> CrossEncoderRun:
    """Train the model on the rows with binary cross-entropy, until the epochs or the minutes end."""
    from datasets import Dataset
    from sentence_transformers.cross_encoder import CrossEncoderTrainer, CrossEncoderTrainingArguments
    from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
    from transformers import PrinterCallback

    data = Dataset.from_dict({
        "document": [row[0] for row in rows],
        "claim": [row[1] for row in rows],
        "label": [float(row[2]) for row in rows],
    })  # fmt: skip
    steps = -(-len(rows) // settings.batch_size) * settings.epochs
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arf-checker-") as work, progress.task("training", total=steps):
        watch = _watch(progress, started + 60 * settings.minutes)
        trainer = CrossEncoderTrainer(
            model=model,
            args=CrossEncoderTrainingArguments(
                output_dir=work,
                num_train_epochs=settings.epochs,
                per_device_train_batch_size=settings.batch_size,
                learning_rate=settings.learning_rate,
                warmup_steps=int(_WARMUP * steps),
                seed=seed,
                data_seed=seed,
                save_strategy="no",
                logging_steps=_LOGGED,
                report_to="none",
                disable_tqdm=True,
                dataloader_pin_memory=False,
            ),
            train_dataset=data,
            loss=BinaryCrossEntropyLoss(model),
            callbacks=[watch],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    model.eval()
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    done = int(trainer.state.global_step)
    return CrossEncoderRun(model, done, time.monotonic() - started, done < steps, losses)


def _watch(progress: Progress, end: float) -> TrainerCallback:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Shows the progress, and ends the training at its time."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            progress.advance(note=lambda: f"loss {state.log_history[-1]['loss']:.3f}" if state.log_history else "")
            control.should_training_stop = control.should_training_stop or time.monotonic() > end
            return control

    return Watch()


def shift_output(model: CrossEncoder, by: float) -> None:
    """Add a number to the model's output, on the scale of log-odds, by the bias of its last layer."""
    import torch

    network: Any = model.model
    heads = [part for part in network.modules() if isinstance(part, torch.nn.Linear) and part.out_features == 1]
    with torch.no_grad():
        heads[-1].bias += by
