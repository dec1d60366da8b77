"""What training a student would do and take: asked of `python -m training.sft --dry-run`, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arf_programs.run import Run
from arf_programs.stages.train import settings_of
from signatures.exceptions import StageError


@dataclass(frozen=True)
class Outlook:
    """The figures of a dry run, those of `training.dry_run.DryRun`, and the same in words."""

    figures: dict[str, Any]
    text: str


def outlook_of(run: Run, arm: str) -> Outlook:
    """The outlook for the student of an arm, on its rows in the run folder where they are there already.

    Raises StageError when the process fails otherwise than by finding problems.
    """
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        settings = Path(folder) / "train.json"
        settings.write_text(json.dumps(settings_of(run, arm)), encoding="utf-8")
        command = [sys.executable, "-m", "training.sft", "--dry-run", "--json", "--config", str(settings)]
        data = run.folder.train / f"{arm}.jsonl"
        done = subprocess.run([*command, "--data", str(data)], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise StageError(f"`python -m training.sft --dry-run` failed:\n{done.stderr.strip()}") from None
    return Outlook(said["figures"], said["text"])
