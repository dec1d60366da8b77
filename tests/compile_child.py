"""Compiles by each optimizer in a process of its own that may strike itself; run as a script by the test of resuming.

`compile_child.py FOLDER LOG [STRIKES]`: for each optimizer a project in FOLDER/<optimizer>, each question noted in
LOG-<optimizer>; with STRIKES, a JSON object, the process kills itself instead of asking the question of that number.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import gepa  # noqa: F401 - imported once, before processes part, as are those below
import litellm  # noqa: F401
import optuna  # noqa: F401
import scipy.stats  # noqa: F401
import sklearn.feature_extraction.text  # noqa: F401
from compile_project import SMALL, CompileTeam, make_project

from arf_programs.cli.app import app
from arf_programs.models import scripted
from arf_programs.models.providers.litellm import register_providers


def compile_one(folder: Path, log: Path, optimizer: str, strike: int | None) -> None:
    team = CompileTeam()
    asked = 0

    def answer(messages: scripted.Messages, params: dict[str, Any]) -> Any:
        nonlocal asked
        asked += 1
        if asked == strike:
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a", encoding="utf-8") as lines:
            lines.write(hashlib.sha256(json.dumps([messages, params["temperature"]]).encode()).hexdigest() + "\n")
        return team(messages, params)

    scripted.register("model", answer)
    config = folder / optimizer / "arf.yaml"
    if not config.exists():
        make_project(folder / optimizer, concurrency=1, analyze={"checks": False, "strategy": "sentencewise"})
    app(["compile", "analyze", str(config), "--optimizer", optimizer], standalone_mode=False)


def main(folder: Path, log: str, strikes: dict[str, int]) -> None:
    register_providers()
    for optimizer in SMALL:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(folder / f"{log}-{optimizer}.out", os.O_WRONLY | os.O_CREAT), 1)
            os.dup2(1, 2)
            compile_one(folder, folder / f"{log}-{optimizer}", optimizer, strikes.get(optimizer))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]) if len(sys.argv) > 3 else {})
