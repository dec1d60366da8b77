"""`arf export`, `arf push` and `arf serve`: take a student out of its run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

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


def serve(
    run: RunPath,
    arm: Arm = "arf",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    ),
    engine: Annotated[
        Literal["vllm", "transformers"] | None,
        typer.Option("--engine", help="vllm or transformers; vLLM is taken where it is installed."),
    ] = None,
    all_arms: Annotated[
        bool, typer.Option("--all-arms", help="All students at one vLLM, as adapters on their base.")
    ] = False,
    base: Annotated[bool, typer.Option("--base", help="The base beside the student, at one vLLM.")] = False,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Serve a student over the API of OpenAI until Ctrl-C, and print the model string for any arf.yaml."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        from arf_programs.models import vllm_command
        from arf_programs.serving import (
            find_engine,
            merged_student,
            refuse_taken_port,
            serve_command,
            students_with_base,
        )
        from arf_programs.serving import serve as serve_model

        together = all_arms or base
        program = find_engine("vllm" if together else engine)
        refuse_taken_port(host, port)
        if together:
            serving = students_with_base(folder, () if all_arms else (arm,))
            names = serving.names if base else tuple(serving.adapters)
            command, place = vllm_command(program.program[0], serving, host=host, port=port), folder.path
            offline = Path(serving.model).is_dir()
        else:
            model = merged_student(folder, arm)
            command, names, place = serve_command(program, model, host=host, port=port), (model.name,), model.parent
            offline = True
        try:
            serve_model(
                command,
                place,
                host=host,
                port=port,
                offline=offline,
                when_ready=lambda address: _say_served(program.name, names, address, as_json),
            )
        except KeyboardInterrupt:
            typer.echo("The server has ended.", err=True)


def _say_served(engine: str, names: Sequence[str], address: str, as_json: bool) -> None:
    import yaml

    entries = {name: model_entry(engine, name, f"{address}/v1") for name in names}
    if as_json:
        print_json({"ok": True, "engine": engine, **(entries[names[0]] if len(names) == 1 else {"served": entries})})
        return
    flows = {
        name: yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip()
        for name, entry in entries.items()
    }
    if len(names) == 1:
        lines = f"models:\n  teacher: {flows[names[0]]}"
    else:
        lines = "evaluate:\n  serve:\n" + "\n".join(f"    {name}: {flow}" for name, flow in flows.items())
    typer.echo(f"Served by {engine}. In any arf.yaml:\n\n{lines}\n\nCtrl-C ends it.")


def model_entry(engine: str, name: str, api_base: str) -> dict[str, Any]:
    """Write the model of a role in an arf.yaml; transformers gives no log-probabilities and follows no JSON schema."""
    entry: dict[str, Any] = {"model": f"hosted_vllm/{name}", "api_base": api_base}
    return {**entry, "json_schema": True} if engine == "vllm" else {**entry, "json_schema": False, "logprobs": False}
