"""What is done with a student: `arf serve`, `arf export` and `arf push`.

It is served behind the API of OpenAI, with its teacher for the answers that are doubtful.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from arf_programs.cli.session import (
    Arm,
    Json,
    RunDir,
    RunPath,
    Set,
    Verbose,
    finished_folder,
    finished_run,
    print_json,
    reporting,
)
from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    from arf_programs.metrics import FallbackPoint
    from arf_programs.runs import RunFolder
    from arf_programs.tools.serving import Engine, Served

Share = Annotated[
    float | None,
    typer.Option(
        "--max-errors", min=0, max=1, help="Ask the teacher as often as needed to keep errors below this share."
    ),
]
Calls = Annotated[
    float | None,
    typer.Option("--max-calls", min=0, max=1, help="Ask the teacher for at most this share of the answers."),
]
Usd = Annotated[
    float | None, typer.Option("--max-usd", min=0, help="Spend at most this on the teacher for 1,000 answers.")
]
_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder to make; an earlier export is replaced.")]
Merged = Annotated[bool, typer.Option("--merged", help="Merge the adapter into its base.")]
Ollama = Annotated[bool, typer.Option("--ollama", help="Merge it, and write a Modelfile for `ollama create`.")]
Private = Annotated[bool, typer.Option("--private", help="Make a new repository a private one.")]
License = Annotated[
    str | None,
    typer.Option("--license", metavar="ID", help="Licence of the base as the Hub names it, e.g. apache-2.0."),
]


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
    fallback: Annotated[
        Literal["teacher"] | None,
        typer.Option("--fallback", help="Who answers where the student's answer is doubtful: teacher."),
    ] = None,
    max_errors: Share = None,
    max_calls: Calls = None,
    max_usd: Usd = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Serve a student over the API of OpenAI until Ctrl-C, and print the model string for any arf.yaml."""
    with reporting(as_json=as_json, verbose=verbose), ExitStack() as stack:
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        _refuse_options(fallback, (max_errors, max_calls, max_usd), together=all_arms or base)
        from arf_programs.stages import student_name
        from arf_programs.tools.serving import Limits, choose_threshold, fallback_of, find_engine, refuse_taken_port
        from arf_programs.tools.serving import serve as serve_model

        program = find_engine("vllm" if all_arms or base else engine)
        refuse_taken_port(host, port)
        point, second = None, None
        if fallback is not None:
            whole = finished_run(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
            point = choose_threshold(whole, student_name(arm), Limits(max_errors, max_calls, max_usd))
            second = stack.enter_context(fallback_of(whole, point.threshold))
        served = _served(program, folder, arm, all_arms=all_arms, base=base)
        try:
            serve_model(
                served,
                host=host,
                port=port,
                fallback=second,
                when_ready=lambda address: _say_served(program.name, served.names, address, point, as_json),
            )
        except KeyboardInterrupt:
            typer.echo("The server has ended.", err=True)


def _refuse_options(fallback: str | None, limits: Sequence[float | None], *, together: bool) -> None:
    """Raise ConfigError for options that do not go together."""
    if fallback is None and any(limit is not None for limit in limits):
        raise ConfigError("--max-errors, --max-calls and --max-usd need --fallback teacher")
    if fallback is not None and together:
        raise ConfigError("--fallback serves one student: leave out --all-arms and --base")


def _served(program: Engine, folder: RunFolder, arm: str, *, all_arms: bool, base: bool) -> Served:
    """Say what is to be served: a merged student, or adapters beside their base."""
    from arf_programs.models import vllm_command
    from arf_programs.tools.serving import Served, merged_student, serve_command, students_with_base

    if not (all_arms or base):
        model = merged_student(folder, arm)
        return Served((model.name,), model.parent, _with_place(serve_command, program, model), program.name)
    serving = students_with_base(folder, () if all_arms else (arm,))
    names = serving.names if base else tuple(serving.adapters)
    return Served(
        tuple(names),
        folder.path,
        lambda host, port: vllm_command(program.program[0], serving, host=host, port=port),
        program.name,
        offline=Path(serving.model).is_dir(),
    )


def _with_place(command: Callable[..., list[str]], program: Engine, model: Path) -> Callable[[str, int], list[str]]:
    return lambda host, port: command(program, model, host=host, port=port)


def _say_served(engine: str, names: Sequence[str], address: str, point: FallbackPoint | None, as_json: bool) -> None:
    import yaml

    entries = {name: model_entry(engine, name, f"{address}/v1") for name in names}
    if as_json:
        shown = entries[names[0]] if len(names) == 1 else {"served": entries}
        chosen = {} if point is None else {"fallback": point.model_dump(mode="json")}
        print_json({"ok": True, "engine": engine, **shown, **chosen})
        return
    flows = {
        name: yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip()
        for name, entry in entries.items()
    }
    if len(names) == 1:
        lines = f"models:\n  teacher: {flows[names[0]]}"
    else:
        lines = "evaluate:\n  serve:\n" + "\n".join(f"    {name}: {flow}" for name, flow in flows.items())
    second = "" if point is None else f"{_fallback_line(point)}\n\n"
    typer.echo(f"Served by {engine}. In any arf.yaml:\n\n{lines}\n\n{second}Ctrl-C ends it.")


def _fallback_line(point: FallbackPoint) -> str:
    """Say how often the teacher is asked on the holdout, and how many answers then have an error."""
    share, errors = point.share, point.errors
    asked = "never asks the teacher"
    if point.threshold is not None:
        asked = f"asks the teacher from a doubt of {point.threshold:.2f} on"
    return (
        f"It {asked}. On {share.n} holdout conversations that is {share.value:.0%} of the answers "
        f"({share.low:.0%} to {share.high:.0%}), and {errors.value:.0%} have an error "
        f"({errors.low:.0%} to {errors.high:.0%})."
    )


def model_entry(engine: str, name: str, api_base: str) -> dict[str, Any]:
    """Write the model of a role in an arf.yaml; transformers gives no log-probabilities and follows no JSON schema."""
    entry: dict[str, Any] = {"model": f"hosted_vllm/{name}", "api_base": api_base}
    return {**entry, "json_schema": True} if engine == "vllm" else {**entry, "json_schema": False, "logprobs": False}


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
        where = ["--output", str(to), *(["--ollama"] if ollama else [])]
        _publish(folder.path, arm, *where, merged=merged, license=license)
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
        to_hub = ["--repo", target, *(["--private"] if private else [])]
        where = to_hub if is_repository(target) else ["--output", target]
        _publish(folder.path, arm, *where, merged=merged, license=license)
        _say_published(target, arm, as_json)


def is_repository(target: str) -> bool:
    """Whether a target is a repository of the Hub: `owner/name`, and no folder of that name is here."""
    return bool(_REPO_ID.fullmatch(target)) and not Path(target).exists()


def _publish(run_dir: Path, arm: str, *where: str, merged: bool, license: str | None) -> None:
    from arf_programs.stages import run_training_module

    flags = [*(["--merged"] if merged else []), *(["--license", license] if license else [])]
    run_training_module("training.export", "--run-dir", str(run_dir), "--arm", arm, *where, *flags)


def _say_published(target: str | Path, arm: str, as_json: bool) -> None:
    if as_json:
        print_json({"ok": True, "arm": arm, "target": str(target)})
    else:
        typer.echo(f"The student of arm {arm} is in {target}; its README.md is the model card.")
