"""What all kinds of files give: rows with their numbers, and problems with their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from signatures.exceptions import DataError

MOST_SHOWN = 20
_MOST_RUNS = 6


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
    _problems: list[_Problem] = field(default_factory=list)

    def add(self, text: str, *, at: int | None = None, inside: str = "") -> None:
        """Note a problem of a line or row, counted from 1, or of the whole file; `inside` names a part of the row."""
        self._problems.append(_Problem(at or 0, inside, text))

    def __len__(self) -> int:
        return len(self._problems)

    def raise_any(self) -> None:
        """Raise DataError if there are problems, with what `told` returns."""
        if self._problems:
            raise DataError("\n".join(self.told()))

    def told(self) -> list[str]:
        """Return the first MOST_SHOWN different problems in the order of the file.

        A problem that several lines have is told once, with their number and the lines.
        """
        groups: dict[str, list[_Problem]] = {}
        for problem in sorted(self._problems, key=lambda problem: problem.at):
            groups.setdefault(problem.text, []).append(problem)
        lines = [self._line(text, found) for text, found in groups.items()]
        more = len(lines) - MOST_SHOWN
        return [*lines[:MOST_SHOWN], f"and {more} more"] if more > 0 else lines

    def _line(self, text: str, found: list[_Problem]) -> str:
        numbers = sorted({one.at for one in found})
        plural = "s" if len(numbers) > 1 else ""
        place = f"{self.file} {self.unit}{plural} {_numbers(numbers)}" if numbers[0] else self.file
        if len(found) > 1:
            return f"{place} ({len(found)} times): {text}"
        return ": ".join(filter(None, (place, found[0].inside, text)))


@dataclass(frozen=True)
class _Problem:
    at: int
    inside: str
    text: str


def _numbers(numbers: list[int]) -> str:
    """Write sorted numbers in short: `2, 5-8, 11 and 40 more`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs[:_MOST_RUNS])
    more = sum(map(len, runs[_MOST_RUNS:]))
    return f"{shown} and {more} more" if more else shown
