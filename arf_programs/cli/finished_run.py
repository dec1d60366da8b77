"""What the commands that need a finished training share: a run named by its configuration or by its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import open_run
from signatures.exceptions import DataError

if TYPE_CHECKING:
    from arf_programs.run_folder import RunFolder

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="An arf.yaml, or the folder of a run.")]
Arm = Annotated[str, typer.Option("--arm", help="Which student of the run: arf (the default) or another arm.")]


def finished_folder(
    path: Path, *, run_dir: Path | None, overrides: Sequence[str] | None, as_json: bool = False
) -> RunFolder:
    """The folder of the run. Raises ConfigError for a wrong configuration, DataError where no run was begun."""
    if path.is_dir():
        from arf_programs.run_folder import RunFolder

        folder = RunFolder(path)
    else:
        folder = open_run(path, run_dir=run_dir, overrides=overrides or (), as_json=as_json).folder
    if not folder.config.is_file():
        raise DataError(f"{folder.path} is no run: it has no {folder.config.name}. `arf run CONFIG` makes one.")
    return folder
