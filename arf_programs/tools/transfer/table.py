"""The table of a compiled program's scores on several models, and what `arf check` says from it."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from arf_programs.programs import CARD, PROGRAM, TARGET_ROLES, SideScores, program_folder, read_card
from arf_programs.runs import Run, digest_file, digest_model
from arf_programs.tools.transfer.program import table_of
from signatures.exceptions import DataError
from signatures.records import Record


class TransferRow(Record):
    """One model: the scores `before` are those of the uncompiled program, those `after` of the compiled one."""

    model: str
    model_digest: str
    scores: SideScores

    @property
    def verdict(self) -> str:
        """Return `better`, `worse` or `not shown`: the compiled program against the uncompiled one on this model."""
        difference = self.scores.difference
        if difference is None or difference.n < 2 or difference.low <= 0 <= difference.high:
            return "not shown"
        return "better" if difference.low > 0 else "worse"


class Transfer(Record):
    """The figures of one compiled program. `program` and `data` are hashes of its state and of the labelled set.

    The cases are those that the optimizer did not learn from: dev and test.
    """

    target: str
    strategy: str
    program: str
    compiled_with: str
    optimizer: str
    data: str
    cases: dict[str, int]
    confidence: float
    rows: tuple[TransferRow, ...] = ()

    def with_row(self, row: TransferRow) -> Transfer:
        """Return the table with this row, in the place of an earlier one of the same model."""
        kept = [other for other in self.rows if other.model_digest != row.model_digest]
        return self.model_copy(update={"rows": (*kept, row)})


def transfer_notes(run: Run) -> tuple[list[str], list[str]]:
    """Say from the tables whether to compile again: (what is good, warnings), a line for each swapped model at most.

    A program without a table, or one that is used with the model that it was compiled with, gives no line. Raises
    DataError for a table that cannot be read.
    """
    good: list[str] = []
    warnings: list[str] = []
    for target, role in TARGET_ROLES.items():
        folder, model = program_folder(run, target), run.config.models.asked((role,)).get(role)
        if folder is None or model is None or not (folder / CARD).is_file():
            continue
        if read_card(folder, target).model_digest == digest_model(model):
            continue
        table = read_table(table_of(folder / PROGRAM))
        if table is None:
            continue
        again = f"`arf transfer {folder} --models {model.model}` measures it"
        row = next((row for row in table.rows if row.model_digest == digest_model(model)), None)
        name = f"programs.{target}"
        if table.program != digest_file(folder / PROGRAM):
            warnings.append(f"{name}: the transfer table is about an earlier program: {again}")
        elif row is None:
            warnings.append(f"{name}: the transfer table has no figures for {model.model}: {again}")
        else:
            (good if row.verdict == "better" else warnings).append(f"{name}: {_advice(row, target)}")
    return good, warnings


def _advice(row: TransferRow, target: str) -> str:
    difference = row.scores.difference
    measured = f"on {row.model} the compiled program less the uncompiled one scores " + (
        "nothing that was measured" if difference is None else difference.text("+.3f")
    )
    match row.verdict:
        case "better":
            return f"{measured}: no need to compile again"
        case "worse":
            return f"{measured}: compile again by `arf compile {target}`, and set programs.{target} to null until then"
        case _:
            return f"{measured}, which holds 0: compile again by `arf compile {target}`"


def read_table(path: Path) -> Transfer | None:
    """Read the table of a program; None if there is none. Raises DataError for one that cannot be read."""
    try:
        return Transfer.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: cannot be read as a transfer table: remove it and measure again ({error})") from None
