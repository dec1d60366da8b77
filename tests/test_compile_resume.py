"""A compile killed half-way goes on in another process, with hashes seeded otherwise, and pays for nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from compile_project import SMALL

HERE = Path(__file__).parent
pytestmark = pytest.mark.slow


def child(folder: Path, log: str, hash_seed: int, strikes: dict[str, int] | None = None) -> dict[str, list[str]]:
    """The questions that each optimizer asked, as hashes."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": f"{HERE.parent}:{HERE}"}
    command = [sys.executable, str(HERE / "compile_child.py"), str(folder), log, json.dumps(strikes or {})]
    subprocess.run(command, env=environment, check=True, timeout=240)
    logs = {name: folder / f"{log}-{name}" for name in SMALL}
    return {name: path.read_text("utf-8").splitlines() if path.exists() else [] for name, path in logs.items()}


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[str]]]:
    """What was asked by a whole compilation, by one that is killed after two thirds, and by the one that goes on."""
    folder = tmp_path_factory.mktemp("resume")
    whole = child(folder / "whole", "asked", 1)
    strikes = {name: max(1, 2 * len(lines) // 3) for name, lines in whole.items()}
    return {
        "whole": whole,
        "killed": child(folder / "half", "killed", 2, strikes),
        "resumed": child(folder / "half", "resumed", 3),
    }


@pytest.mark.parametrize("optimizer", SMALL)
def test_no_question_is_asked_twice(optimizer: str, asked: dict[str, dict[str, list[str]]]):
    whole, killed, resumed = (asked[name][optimizer] for name in ("whole", "killed", "resumed"))
    assert 0 < len(killed) < len(whole)
    assert killed + resumed == whole
