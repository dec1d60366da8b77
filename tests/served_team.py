"""The scripted team behind a real server: every call goes over HTTP, and is counted where it arrives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import scripted_team
from conftest import write_corpus
from model_server import ModelServer, running_server
from model_server_faults import Faults

from arf_programs.models import scripted


def answer(body: dict[str, Any]) -> str:
    """The team's answer to the body of a request."""
    kind, fields = scripted_team.read_question(body["messages"])
    made = scripted_team.Team().answers[kind](fields)
    if isinstance(made, scripted.ScriptedAnswer):
        return made.text()
    return made if isinstance(made, str) else json.dumps(made)


@contextmanager
def serving(faults: Faults = Faults()) -> Iterator[ModelServer]:  # noqa: B008 - frozen
    """A server that answers as the team does."""
    with running_server(faults, answer) as server:
        yield server


def write_project(folder: Path, base_url: str, count: int, extra: str = "", model: str = "") -> Path:
    """A configuration over `count` conversations whose roles are all behind `base_url`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder / "conversations.jsonl", count)
    config = folder / "arf.yaml"
    config.write_text(
        f"name: served\nrun_dir: {folder / 'run'}\ncorpus: {{path: conversations.jsonl, holdout: 0.1}}\n"
        f"models:\n  teacher: {{model: hosted_vllm/m, api_base: '{base_url}', json_schema: true, logprobs: false, "
        f"timeout: 20{model}}}\n{extra}",
        encoding="utf-8",
    )
    return config
