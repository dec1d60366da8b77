"""The `arf` command: all commands by name, and the small ones. Heavy imports are inside the commands."""

from __future__ import annotations

import gc
import sys
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from arf_programs.cli import student
from arf_programs.cli.compare import compare, gate
from arf_programs.cli.privacy import forget, privacy, purge
from arf_programs.cli.review import review
from arf_programs.cli.run import evaluate, report, stage_command, train
from arf_programs.cli.session import (
    WRONG_INPUT,
    ConfigPath,
    Json,
    Limit,
    RunDir,
    RunPath,
    Set,
    Verbose,
    opened_run,
    print_json,
    reporting,
)
from arf_programs.cli.tools import critic, probe
from arf_programs.cli.tools.compile import compile_command, transfer
from arf_programs.cli.tools.estimate import curve, estimate
from arf_programs.cli.tools.improve import federate, improve, stress
from signatures.exceptions import ConfigError

ShowExample = Annotated[
    bool, typer.Option("--show-example", help="Show one example as a student would be trained on it.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Ask no model and look up no host: files, keys and memory.")]
_IGNORED = "# Runs hold conversations, and who is behind a pseudonym.\nruns/\npseudonyms.jsonl\nsent.jsonl\n"
_TEMPLATES = ("arf.yaml", "conversations.jsonl", "labeled.jsonl")

app = typer.Typer(
    name="arf",
    help="Analyze-Revise-Finetune: turn conversations and an imperfect teacher LLM into a small model that is "
    "measured against its teacher.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from arf_programs import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _arf(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Exit codes: 0 done, 1 failed at work, 2 wrong input or configuration, 3 a cap of the budget is reached
    (resumable), 4 the holdout is too small to tell (arf gate), 130 interrupted (resumable)."""


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A folder to write into.")],
    verbose: Verbose = False,
) -> None:
    """Write a commented arf.yaml, a labelled-set template and a three-conversation example."""
    with reporting(verbose=verbose):
        for path in _write_templates(directory):
            typer.echo(f"wrote {path}")
        typer.echo(f"Next: arf check {directory / 'arf.yaml'}")


def _write_templates(directory: Path) -> list[Path]:
    """Write the starting files. Raises ConfigError, before anything is written, if one of them exists."""
    targets = [directory / name for name in _TEMPLATES]
    there = [str(path) for path in targets if path.exists()]
    if there:
        raise ConfigError(f"{', '.join(there)}: already there, and not overwritten: choose another folder.")
    directory.mkdir(parents=True, exist_ok=True)
    ignored = directory / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
    templates = files("arf_programs.cli") / "templates" / "init"
    for name, target in zip(_TEMPLATES, targets, strict=True):
        target.write_text((templates / name).read_text(encoding="utf-8"), encoding="utf-8")
    return targets


@app.command()
def check(
    config: ConfigPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    show_example: ShowExample = False,
    offline: Offline = False,
    verbose: Verbose = False,
) -> None:
    """Check all that can be checked before you spend: configuration, files, keys, and tiny calls to every role."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as run:
        from arf_programs.cli.check import preflight, show_findings, show_verdict

        if as_json:
            findings = preflight(run, example=show_example, offline=offline)
            print_json(findings.as_json(example=show_example))
        else:
            show = partial(show_findings, example=show_example)
            findings = preflight(run, example=show_example, offline=offline, show=show)
            show_verdict(findings, offline=offline)
        if findings.problems:
            raise typer.Exit(WRONG_INPUT)


@app.command()
def status(
    run: RunPath,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Say which stages are whole, stale or missing and why, how far the one at work is, and what was spent."""
    with opened_run(run, run_dir, overrides, limit, as_json=as_json, verbose=verbose) as opened:
        from arf_programs import pipeline
        from arf_programs.cli.output import show_status, status_json

        states = pipeline.status(opened)
        if as_json:
            print_json(status_json(opened, states))
        else:
            show_status(opened, states)


def _add_stage(name: str, last: str, help_text: str) -> None:
    app.command(name, help=help_text)(stage_command(last))


_add_stage("run", "report", "Run all stages, from the conversations to a student that is measured against its teacher.")
_add_stage("draft", "draft", "Let the teacher summarise every conversation.")
_add_stage("taxonomy", "taxonomy", "Take open notes on a sample and merge them into taxonomy.yaml, which you may edit.")
_add_stage("analyze", "analyze", "Find the typed errors of every training draft.")
_add_stage("revise", "revise", "Mend the drafts and verify each revision.")
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("report")(report)
app.command("improve")(improve)
app.command("stress")(stress)
app.command("estimate")(estimate)
app.command("curve")(curve)
app.command("federate")(federate)
app.command("plant")(probe.plant)
app.command("probe")(probe.probe)
app.command("triage")(probe.triage)
app.command("review")(review)
app.add_typer(critic.checker, name="checker")
app.add_typer(critic.embed, name="embed")
app.command("compare")(compare)
app.command("gate")(gate)
app.command("purge")(purge)
app.command("forget")(forget)
app.add_typer(privacy, name="privacy")
app.command("export")(student.export)
app.command("push")(student.push)
app.command("serve")(student.serve)
app.command("calibrate")(probe.calibrate)
app.command("compile", help="Optimise the prompts of one program by DSPy against the labelled set.")(compile_command)
app.command("transfer")(transfer)


def main() -> None:
    """Entry point of the `arf` command."""
    from arf_programs.config import print_defect

    sys.excepthook = print_defect
    # By default, Python collects garbage so often that it makes the imports of a command a quarter slower.
    gc.set_threshold(20_000, 10, 10)
    app()


if __name__ == "__main__":
    main()
