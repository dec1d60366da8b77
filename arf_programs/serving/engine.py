"""Which program serves a student, and the command that starts it. Pure but for looking at what is installed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from signatures.exceptions import MissingExtra

EngineName = Literal["vllm", "transformers"]
ENGINES: tuple[EngineName, ...] = ("vllm", "transformers")
_NEEDED = ("fastapi", "uvicorn", "openai")  # by `transformers serve`


@dataclass(frozen=True)
class Engine:
    """A program that can serve here; `program` is how its command begins."""

    name: EngineName
    program: tuple[str, ...]


def find_engine(wanted: EngineName | None = None) -> Engine:
    """The engine of that name; without one vLLM where it is installed, else transformers.

    Raises MissingExtra when it is not installed.
    """
    vllm = _find_vllm()
    if wanted == "vllm" and vllm is None:
        raise MissingExtra("vLLM is not installed here: pip install vllm (it needs a GPU), or `--engine transformers`.")
    if vllm is not None and wanted != "transformers":
        return Engine("vllm", (vllm, "serve"))
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"`transformers serve` needs {', '.join(missing)}: pip install 'arf-programs[serve]', "
            "or install vLLM on a machine with a GPU."
        )
    # -P: the folder of the model, in which it is started, is no place to import from.
    return Engine("transformers", (sys.executable, "-P", "-m", "transformers.cli.transformers", "serve"))


def serve_command(engine: Engine, model: Path, *, host: str, port: int) -> list[str]:
    """The command that serves the folder `model` under its own name, to be started in the folder that holds it.

    `transformers serve` knows a model only by the path that it was given, hence the working directory.
    """
    if engine.name == "vllm":
        options = ["--served-model-name", model.name, "--host", host, "--port", str(port)]
        return [*engine.program, model.name, *options]
    return [*engine.program, model.name, "--host", host, "--port", str(port)]


def _find_vllm() -> str | None:
    """The command `vllm`: of this environment first, else of the search path."""
    beside = Path(sys.executable).parent / "vllm"
    return str(beside) if beside.is_file() else shutil.which("vllm")
