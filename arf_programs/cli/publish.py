"""`arf export` and `arf push`: take a student out of its run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from arf_programs.cli.session import Arm, Json, RunDir, RunPath, Set, Verbose, finished_folder, print_json, reporting

_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to make; an earlier export is replaced.")]
Merged = Annotated[bool, typer.Option("--merged", help="Merge the adapter into its base.")]
Ollama = Annotated[bool, typer.Option("--ollama", help="Merge it, and write a Modelfile for `ollama create`.")]
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
    ollama: Ollama = False,
    license: License = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Write a student with its model card to a folder: the adapter, or merged into its base."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        _publish(
            "training.export",
            folder.path,
            arm,
            "--output",
            str(to),
            *(["--ollama"] if ollama else []),
            merged=merged,
            license=license,
        )
        _say_published(to, arm, as_json)
        if ollama and not as_json:
            typer.echo(f"Next: cd {to} && ollama create my-student -f Modelfile")


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
            where = ["--repo", target, *(["--private"] if private else [])]
            _publish("training.push", folder.path, arm, *where, merged=merged, license=license)
        else:
            _publish("training.export", folder.path, arm, "--output", target, merged=merged, license=license)
        _say_published(target, arm, as_json)


def is_repository(target: str) -> bool:
    """Whether a target is a repository of the Hub: `owner/name`, and no folder of that name is here."""
    return bool(_REPO_ID.fullmatch(target)) and not Path(target).exists()


def _publish(module: str, run_dir: Path, arm: str, *where: str, merged: bool, license: str | None) -> None:
    from arf_programs.stages import run_training_module

    flags = [*(["--merged"] if merged else []), *(["--license", license] if license else [])]
    run_training_module(module, "--run-dir", str(run_dir), "--arm", arm, *where, *flags)


def _say_published(target: str | Path, arm: str, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "arm": arm, "target": str(target)})
    else:
        typer.echo(f"The student of arm {arm} is in {target}; its README.md is the model card.")
