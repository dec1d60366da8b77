"""Every problem of a data file, gathered while it is read and told at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from signatures.exceptions import DataError

MOST_SHOWN = 20


@dataclass
class Problems:
    """Collects problems of one file, each with the place it was met; `unit` is what the file counts by."""

    file: str
    unit: str = "line"
    _found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, text: str, *, at: int | None = None) -> None:
        """Note a problem at a line or row number from 1, or of the file as a whole."""
        self._found.append((at or 0, text))

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self) -> None:
        """Raise DataError with the problems in the order of the file, at most MOST_SHOWN and how many more."""
        if not self._found:
            return
        ordered = sorted(self._found, key=lambda problem: problem[0])
        lines = [f"{self._place(number)}: {text}" for number, text in ordered[:MOST_SHOWN]]
        if len(ordered) > MOST_SHOWN:
            lines.append(f"and {len(ordered) - MOST_SHOWN} more")
        raise DataError("\n".join(lines))

    def _place(self, number: int) -> str:
        return f"{self.file} {self.unit} {number}" if number else self.file
