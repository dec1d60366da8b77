"""A round and what it writes: the student's summaries with their errors, the patterns of errors, and the figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, ValidationError

from arf_programs.config import load_yaml
from arf_programs.metrics import Interval
from arf_programs.planting import Facet
from arf_programs.runs import RunFolder, write_text_atomic
from signatures.exceptions import ConfigError
from signatures.records import ErrorNote, Record

_HEADER: Final = (
    "# What the student gets wrong on the dev side, the commonest first. You may edit or remove patterns: the next\n"
    "# `arf improve` uses the file as it is. pairs: training pairs to make. facets: what counterfactuals change, of\n"
    "# number, amount, date, name and action. errors: conversation/error, as in before.jsonl; new errors are counted\n"
    "# for the pattern whose errors they are most like.\n"
)


@dataclass(frozen=True)
class Round:
    """One round: its files, the student that it begins with, and the files of rows that student was trained on."""

    run: RunFolder
    number: int
    untargeted: bool
    start: Path
    rows: tuple[Path, ...]

    @property
    def name(self) -> str:
        return f"{self.number}-untargeted" if self.untargeted else str(self.number)

    @property
    def folder(self) -> Path:
        return self.run.rounds / self.name

    @property
    def before(self) -> Path:
        return self.folder / "before.jsonl"

    @property
    def patterns(self) -> Path:
        return self.folder / "patterns.yaml"

    @property
    def augmented(self) -> Path:
        return self.folder / "augmented.jsonl"

    @property
    def student(self) -> Path:
        return self.folder / "student"

    @property
    def after(self) -> Path:
        return self.folder / "after.jsonl"

    @property
    def figures(self) -> Path:
        return self.folder / "figures.json"


class Watched(Record):
    """A summary of a dev conversation by a student, and its errors."""

    conversation_id: str
    summary: str
    errors: tuple[ErrorNote, ...] = ()


class Pattern(Record):
    """Errors of a student that are alike. `errors` names them: conversation/error."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    name: str = Field(min_length=1)
    description: str = ""
    facets: tuple[Facet, ...] = Field(min_length=1)
    pairs: int = Field(ge=0)
    errors: tuple[str, ...] = Field(min_length=1)


class PatternFigures(Record):
    """How often a pattern was seen before and after a round, and the training pairs that were made for it."""

    id: str
    name: str
    before: int
    after: int
    pairs: int


class StudentChange(Record):
    """How two students compare on the dev side.

    `errors` are counted for each summary, and `flawed` is the share of summaries with an error. `more_errors` and
    `points` are the differences, after less before, in errors and in percentage points of `flawed`: below zero is
    better. All intervals are over conversations. `p` is that of the sign-flip test of `more_errors`. The new student is
    `kept` if it makes no more errors.
    """

    conversations: int
    errors_before: Interval
    errors_after: Interval
    more_errors: Interval
    flawed_before: Interval
    flawed_after: Interval
    points: Interval
    p: float
    kept: bool


class RoundFigures(StudentChange):
    """What a round has changed; students are named by their folders in the run's. `pairs` were made for the round."""

    round: int
    untargeted: bool
    student_before: str
    student_after: str
    pairs: int
    patterns: tuple[PatternFigures, ...]


def write_patterns(path: Path, patterns: Sequence[Pattern]) -> None:
    """Write patterns as YAML for a person to edit."""
    rows = [pattern.model_dump(mode="json") for pattern in patterns]
    body = yaml.safe_dump({"patterns": rows}, sort_keys=False, allow_unicode=True, width=100, default_flow_style=None)
    write_text_atomic(path, _HEADER + body)


def read_patterns(path: Path) -> list[Pattern]:
    """Read the patterns of a file. Raises ConfigError with all problems at once."""
    try:
        loaded = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}): check it, or remove it to have it made again") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML ({error}): check indentation, colons and quotes") from error
    rows = loaded.get("patterns") if isinstance(loaded, dict) and set(loaded) == {"patterns"} else None
    if not isinstance(rows, list):
        raise ConfigError(f"{path}: must be a list under the only key `patterns`: begin it with `patterns:`")
    problems: list[str] = []
    patterns = [_pattern(row, f"{path}: patterns[{number}]", problems) for number, row in enumerate(rows)]
    names = [pattern.id for pattern in patterns if pattern]
    problems += [f"{path}: the id {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if problems:
        raise ConfigError(problems)
    return [pattern for pattern in patterns if pattern]


def _pattern(row: Any, place: str, problems: list[str]) -> Pattern | None:
    try:
        return Pattern.model_validate(row)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            where = ".".join(str(part) for part in item["loc"])
            problems.append(f"{place}{f'.{where}' if where else ''}: {item['msg']}: mend it")
        return None
