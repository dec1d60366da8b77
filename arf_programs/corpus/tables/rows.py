"""What all kinds of files give: rows with their numbers, and problems with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from signatures.exceptions import DataError

MOST_SHOWN = 20


@dataclass(frozen=True)
class Row:
    """One row. `number` is its first line in a text file, else the number of the row, from 1."""

    number: int
    values: dict[str, object]


@dataclass
class Problems:
    """Collects the problems of one file with their places. `unit` is what is counted: a line or a row."""

    file: str
    unit: str = "line"
    _problems: list[tuple[int, str]] = field(default_factory=list)

    def add(self, text: str, *, at: int | None = None) -> None:
        """Note a problem of a line or row, counted from 1, or of the whole file."""
        self._problems.append((at or 0, text))

    def __len__(self) -> int:
        return len(self._problems)

    def raise_any(self) -> None:
        """Raise DataError if there are problems. It shows the first MOST_SHOWN in the order of the file."""
        if not self._problems:
            return
        ordered = sorted(self._problems, key=lambda problem: problem[0])
        lines = [f"{self._place(number)}: {text}" for number, text in ordered[:MOST_SHOWN]]
        if len(ordered) > MOST_SHOWN:
            lines.append(f"and {len(ordered) - MOST_SHOWN} more")
        raise DataError("\n".join(lines))

    def _place(self, number: int) -> str:
        return f"{self.file} {self.unit} {number}" if number else self.file
