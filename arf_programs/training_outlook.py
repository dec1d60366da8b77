"""What training a student would do and take: asked of a dry run of its training, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from arf_programs.config.preference import ARMS
from arf_programs.run import Run
from arf_programs.stages.train import settings_of
from signatures.exceptions import StageError


@dataclass(frozen=True)
class Outlook:
    """The figures of a dry run, those of `training.dry_run.DryRun`, and the same in words."""

    figures: dict[str, Any]
    text: str


def outlook_of(run: Run, student: str) -> Outlook:
    """The outlook for the student of an arm, or of the preference stage, on its rows in the run folder where they are
    there already.

    Raises StageError when the process fails otherwise than by finding problems.
    """
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        settings = Path(folder) / "train.json"
        settings.write_text(json.dumps(settings_of(run, student)), encoding="utf-8")
        module, rows = ("sft", student) if student in ARMS else ("preference", "preference")
        command = [sys.executable, "-m", f"training.{module}", "--dry-run", "--json", "--config", str(settings)]
        data = run.folder.train / f"{rows}.jsonl"
        done = subprocess.run([*command, "--data", str(data)], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        said = json.loads(done.stdout)
    except ValueError:
        raise StageError(f"`python -m training.{module} --dry-run` failed:\n{done.stderr.strip()}") from None
    return Outlook(said["figures"], said["text"])
