"""The parts that both trainings of sentence-transformers use: base, frozen layers, limit of time, and folder."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from arf_programs.config import AUTO, SmallTrainConfig, find_path
from arf_programs.metrics import find_model
from arf_programs.models import resolve_weights
from arf_programs.runs import Progress
from signatures.exceptions import ConfigError, MissingExtra

_LAYER: Final = re.compile(r"\.(?:layers?|h|blocks?)\.(\d+)\.")
_WARMUP: Final = 0.1
_LOGGED: Final = 10


class Fitted(NamedTuple):
    """How a training went. `losses` are the means of every ten steps."""

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
        raise MissingExtra("this training needs a package: pip install 'arf-programs[similarity]'") from None
    if name == AUTO:
        return str(find_model(AUTO, base_dir))
    return str(resolve_weights(str(find_path(name, base_dir) or name)))


def name_of_base(name: str) -> str:
    """Return the name of the base for a card, without the path on this machine."""
    return "MiniLM (all-MiniLM-L6-v2)" if name == AUTO else Path(name).name


def freeze(network: Any, share: float) -> int:
    """Freeze the embeddings and this share of the layers, from the lowest. Return how many layers are frozen."""
    numbers = {int(match[1]) for name, _ in network.named_parameters() if (match := _LAYER.search(name))}
    frozen = int(share * len(numbers))
    for name, parameter in network.named_parameters():
        match = _LAYER.search(name)
        low = int(match[1]) < frozen if match else "embed" in name
        parameter.requires_grad = not (low and share > 0)
    return frozen


def run_training(
    build: Callable[[dict[str, Any]], Any], rows: int, settings: SmallTrainConfig, *, seed: int, progress: Progress
) -> Fitted:
    """Train until the epochs or the minutes end. `build` makes the trainer from the arguments of the training."""
    from transformers import PrinterCallback

    steps = -(-rows // settings.batch_size) * settings.epochs
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="arf-training-") as work, progress.task("training", total=steps):
        trainer = build({
            "output_dir": work,
            "num_train_epochs": settings.epochs,
            "per_device_train_batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "warmup_steps": int(_WARMUP * steps),
            "seed": seed,
            "data_seed": seed,
            "save_strategy": "no",
            "logging_steps": _LOGGED,
            "report_to": "none",
            "disable_tqdm": True,
            "dataloader_pin_memory": False,
        })  # fmt: skip
        trainer.add_callback(_watch(progress, started + 60 * settings.minutes))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    done = int(trainer.state.global_step)
    planned = int(trainer.state.max_steps)
    return Fitted(done, time.monotonic() - started, done < planned, losses)


def _watch(progress: Progress, end: float) -> Any:
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """Shows the progress, and ends the training at its time."""

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:
            progress.advance(note=lambda: f"loss {state.log_history[-1]['loss']:.3f}" if state.log_history else "")
            control.should_training_stop = control.should_training_stop or time.monotonic() > end
            return control

    return Watch()


def target_folder(folder: Path, card: str, key: str) -> Path:
    """Return the folder to write to. It may hold an earlier model with its `card`, and nothing else.

    Raises ConfigError, which names `key`, for a folder with other things.
    """
    if folder.exists() and not (folder / card).is_file() and any(folder.iterdir()):
        raise ConfigError(f"{key}: {folder} holds something that is no trained model: name another folder")
    return folder


@contextmanager
def written_whole(folder: Path) -> Iterator[Path]:
    """Give a folder to write to, beside its place, and move it there when it is whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".training-") as work:
        new = Path(work) / folder.name
        yield new
        if folder.exists():
            folder.rename(Path(work) / "earlier")
        shutil.move(new, folder)
