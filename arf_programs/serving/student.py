"""The student as an ordinary model, merged into its base, in the folder of its run."""

from __future__ import annotations

import json
from pathlib import Path

from arf_programs.fingerprint import file_digest
from arf_programs.jsonl import write_text_atomic
from arf_programs.run_folder import RunFolder
from arf_programs.stages.train import student_name
from arf_programs.training_process import run_training_module
from signatures.exceptions import DataError

_MADE_FROM = "made_from.json"
_LOG = "training_log.json"  # written last: where it is, a student is whole


def find_student(folder: RunFolder, arm: str) -> Path:
    """The folder of a whole student. Raises DataError naming the students that there are."""
    whole = sorted(path.parent.name for path in folder.student.glob(f"*/{_LOG}"))
    if arm not in whole:
        there = f"trained are {', '.join(whole)}" if whole else "none is trained: `arf train` does it"
        raise DataError(f"{folder.student}: no student of arm {arm!r}; {there}.")
    return folder.student / arm


def merged_student(folder: RunFolder, arm: str) -> Path:
    """The folder `merged/student_<arm>`; it is made where it is missing, or was made from another student.

    Raises DataError for an arm without a student, StageError when merging fails.
    """
    digest = file_digest(find_student(folder, arm))
    output = folder.merged / student_name(arm)
    if _made_from(output) != digest:
        where = ("--run-dir", str(folder.path), "--arm", arm, "--output", str(output))
        run_training_module("training.export", *where, "--merged")
        write_text_atomic(output / _MADE_FROM, json.dumps({"student": digest}) + "\n")
    return output


def _made_from(output: Path) -> str | None:
    try:
        return str(json.loads((output / _MADE_FROM).read_bytes())["student"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
