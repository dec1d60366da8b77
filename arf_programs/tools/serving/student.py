"""Find a student in its run, and merge it into its base so that a server can load it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from arf_programs.models import Serving, is_adapter, resolve_weights
from arf_programs.runs import RunFolder, digest_file, private_files, write_text_atomic
from arf_programs.stages import BASE, adapter_rank, run_training_module, student_name, template_of, training_log
from signatures.exceptions import DataError

_MADE_FROM = "made_from.json"
_LOG = "training_log.json"  # written last, so a folder that has it holds a whole student


def find_student(folder: RunFolder, arm: str) -> Path:
    """Return the folder of a whole student. Raises DataError that names the trained students."""
    whole = sorted(path.parent.name for path in folder.student.glob(f"*/{_LOG}"))
    if arm not in whole:
        there = f"trained are {', '.join(whole)}" if whole else "none is trained: `arf train` does it"
        raise DataError(f"{folder.student}: no student of arm {arm!r}; {there}.")
    return folder.student / arm


def students_with_base(folder: RunFolder, arms: Sequence[str]) -> Serving:
    """Return the base and the students of these arms (none: of all that are whole), for one vLLM.

    Raises DataError for an arm without a student, and for a student that vLLM cannot load beside others.
    """
    whole = sorted(path.parent.name for path in folder.student.glob(f"*/{_LOG}"))
    students = {arm: find_student(folder, arm).resolve() for arm in arms or whole or ("arf",)}
    ranks = {arm: adapter_rank(student) if is_adapter(student) else None for arm, student in students.items()}
    for arm, rank in ranks.items():
        if rank is None:
            raise DataError(
                f"{folder.student / arm} cannot share its base with others at vLLM: serve it alone, with --arm {arm}."
            )
    return Serving(
        model=str(resolve_weights(str(training_log(folder, next(iter(students)))["base"]))),
        name=BASE,
        adapters={student_name(arm): student for arm, student in students.items()},
        rank=max(rank or 0 for rank in ranks.values()),
        template=template_of(students.values()),
    )


@private_files()
def merged_student(folder: RunFolder, arm: str) -> Path:
    """Return the folder `merged/student_<arm>`, made anew when it is missing or was made from another student.

    Raises DataError for an arm without a student, StageError when merging fails.
    """
    digest = digest_file(find_student(folder, arm))
    output = folder.merged / student_name(arm)
    if _merged_digest(output) != digest:
        where = ("--run-dir", str(folder.path), "--arm", arm, "--output", str(output))
        run_training_module("training.export", *where, "--merged")
        write_text_atomic(output / _MADE_FROM, json.dumps({"student": digest}) + "\n")
    return output


def _merged_digest(output: Path) -> str | None:
    """The digest of the student from which the folder was made."""
    try:
        return str(json.loads((output / _MADE_FROM).read_bytes())["student"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
