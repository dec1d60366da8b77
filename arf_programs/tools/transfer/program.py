"""A compiled program as it was saved, named by its folder or file, and the configuration that it is measured under."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from arf_programs.config import TargetName
from arf_programs.programs import CANDIDATE, CARD, PROGRAM, Card, ProgramState
from arf_programs.runs import digest_file
from signatures.exceptions import ConfigError

TABLE = "transfer.json"
_CONFIG = "arf.yaml"
_BEFORE = "candidate-"  # of the card and the table of a program that was not adopted


@dataclass(frozen=True)
class SavedProgram:
    """A compiled program: the file of its state, the state, and its card."""

    path: Path
    state: ProgramState
    card: Card
    target: TargetName

    @property
    def table(self) -> Path:
        """The file of its figures on other models."""
        return table_of(self.path)

    @property
    def digest(self) -> str:
        return digest_file(self.path)


def table_of(program: Path) -> Path:
    """Return the file of the figures of a program on other models. It lies beside the program."""
    return program.with_name(f"{_BEFORE if program.name == CANDIDATE else ''}{TABLE}")


def read_program(path: Path) -> SavedProgram:
    """Read a compiled program by its folder, or by its file: program.json, or candidate.json if it was not adopted.

    Raises ConfigError if there is none, or one of another version.
    """
    file = path / PROGRAM if path.is_dir() else path
    if file.name not in (PROGRAM, CANDIDATE) or not file.is_file():
        raise ConfigError(f"{path}: no compiled program{_other(path)}: `arf compile TARGET CONFIG` makes one")
    card = file.with_name(f"{_BEFORE}{CARD}" if file.name == CANDIDATE else CARD)
    try:
        state: ProgramState = json.loads(file.read_text(encoding="utf-8"))
        made = Card.model_validate_json(card.read_text(encoding="utf-8"))
        target: TargetName = TypeAdapter(TargetName).validate_python(made.target)
        return SavedProgram(file, state, made, target)
    except FileNotFoundError:
        raise ConfigError(f"{card} is missing, which says how {file.name} was made: compile again") from None
    except ValidationError as error:
        raise ConfigError(f"{card} is no card of this version: compile again ({error})") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as a program's state ({error}): compile again") from None


def _other(path: Path) -> str:
    if (path / CANDIDATE).is_file():
        return f" in use there; name {path / CANDIDATE}, which was not adopted, to measure that"
    found = sorted(file.parent.name for file in path.glob(f"*/{PROGRAM}")) if path.is_dir() else []
    return f" in it, but in {', '.join(str(path / name) for name in found)}" if found else ""


def find_config(program: Path) -> Path:
    """Return the arf.yaml in the nearest folder above a program. Raises ConfigError if there is none."""
    for folder in program.resolve().parents:
        if (folder / _CONFIG).is_file():
            return folder / _CONFIG
    raise ConfigError(f"{program}: no {_CONFIG} in a folder above it: name the configuration by --config")
