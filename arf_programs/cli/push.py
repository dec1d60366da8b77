"""The commands `arf export` and `arf push`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from arf_programs.cli.finished_run import Arm, RunPath, finished_folder
from arf_programs.cli.options import Json, RunDir, Set, Verbose
from arf_programs.cli.session import print_json, reporting

_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to make; an earlier export is replaced.")]
Merged = Annotated[bool, typer.Option("--merged", help="Merge the adapter into its base.")]
Private = Annotated[bool, typer.Option("--private", help="Make a new repository a private one.")]
License = Annotated[
    str | None,
    typer.Option("--license", metavar="ID", help="Licence of the base as the Hub names it, e.g. apache-2.0."),
]


def export(
    run: RunPath,
    to: To,
    arm: Arm = "arf",
    merged: Merged = False,
    license: License = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a student with its model card to a folder: the adapter, or merged into its base."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        _export(folder.path, arm, to, merged, license)
        _say(to, arm, as_json)


def push(
    run: RunPath,
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="A repository of the Hugging Face Hub (owner/name), or a folder.")
    ],
    arm: Arm = "arf",
    merged: Merged = False,
    private: Private = False,
    license: License = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Upload a student with its model card to the Hugging Face Hub, or copy it to a folder."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        if is_repository(target):
            _upload(folder.path, arm, target, merged, private, license)
        else:
            _export(folder.path, arm, Path(target), merged, license)
        _say(target, arm, as_json)


def is_repository(target: str) -> bool:
    """Whether a target is a repository of the Hub: `owner/name`, and no folder of that name is here."""
    return bool(_REPO_ID.fullmatch(target)) and not Path(target).exists()


def _export(run_dir: Path, arm: str, to: Path, merged: bool, license: str | None) -> None:
    from arf_programs.training_process import run_training_module

    where = ("--run-dir", str(run_dir), "--arm", arm, "--output", str(to))
    run_training_module("training.export", *where, *_flags(merged=merged, license=license))


def _upload(run_dir: Path, arm: str, repo: str, merged: bool, private: bool, license: str | None) -> None:
    from arf_programs.training_process import run_training_module

    where = ("--run-dir", str(run_dir), "--arm", arm, "--repo", repo, *(["--private"] if private else []))
    run_training_module("training.push", *where, *_flags(merged=merged, license=license))


def _flags(*, merged: bool, license: str | None) -> list[str]:
    return [*(["--merged"] if merged else []), *(["--license", license] if license else [])]


def _say(target: str | Path, arm: str, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "arm": arm, "target": str(target)})
    else:
        typer.echo(f"The student of arm {arm} is in {target}; its README.md is the model card.")
