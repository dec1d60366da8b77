"""The command `arf serve`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arf_programs.cli.finished_run import Arm, RunPath, finished_folder
from arf_programs.cli.options import Json, RunDir, Set, Verbose
from arf_programs.cli.session import print_json, reporting

if TYPE_CHECKING:
    from arf_programs.serving.engine import Engine


class EngineChoice(StrEnum):
    """What can serve a student."""

    VLLM = "vllm"
    TRANSFORMERS = "transformers"


def serve(
    run: RunPath,
    arm: Arm = "arf",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 lets other machines in.")] = (
        "127.0.0.1"
    ),
    engine: Annotated[
        EngineChoice | None,
        typer.Option("--engine", help="vllm or transformers; vLLM is taken where it is installed."),
    ] = None,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Serve a student over the API of OpenAI until Ctrl-C, and print the model string for any arf.yaml."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        from arf_programs.serving.engine import find_engine
        from arf_programs.serving.server import refuse_taken_port
        from arf_programs.serving.student import merged_student

        found = find_engine(engine.value if engine else None)
        refuse_taken_port(host, port)
        _serve(found, merged_student(folder, arm), host, port, as_json)


def _serve(engine: Engine, model: Path, host: str, port: int, as_json: bool) -> None:
    """Start the server, say where it is once it answers, and stay until it ends; Ctrl-C is the way to end it."""
    from arf_programs.serving.engine import serve_command
    from arf_programs.serving.server import running, wait_for_end, wait_until_ready

    try:
        with running(serve_command(engine, model, host=host, port=port), model.parent) as process:
            address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104
            wait_until_ready(process, f"{address}/health")
            _say(model_entry(engine.name, model.name, f"{address}/v1"), engine.name, as_json)
            wait_for_end(process)
    except KeyboardInterrupt:
        typer.echo("The server has ended.", err=True)


def model_entry(engine: str, name: str, api_base: str) -> dict[str, Any]:
    """What a role of an arf.yaml is set to; transformers gives neither log-probabilities nor answers by a schema."""
    entry: dict[str, Any] = {"model": f"hosted_vllm/{name}", "api_base": api_base}
    return {**entry, "json_schema": True} if engine == "vllm" else {**entry, "json_schema": False, "logprobs": False}


def _say(entry: dict[str, Any], engine: str, as_json: bool) -> None:
    import yaml

    if as_json:
        print_json({"ok": True, "engine": engine, **entry})
    else:
        flow = yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip()
        typer.echo(f"Served by {engine}. In any arf.yaml:\n\nmodels:\n  teacher: {flow}\n\nCtrl-C ends it.")
