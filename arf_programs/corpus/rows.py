"""Rows of a corpus from JSONL, CSV, Parquet and Hugging Face data sets, with their line numbers and problems.

CSV, Parquet, folders and hub ids are streamed by `datasets`, so that no copy of a customer's words stays in its cache.
JSONL is read by `json`: Arrow refuses rows whose `metadata` differ in type, and cannot name a broken line.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from arf_programs.config import CorpusFormat
from signatures.exceptions import DataError

MOST_SHOWN = 20


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


Kind = Literal["jsonl", "csv", "parquet", "dataset"]
_SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")
_LONGEST_CELL = 1 << 30


@dataclass(frozen=True)
class Row:
    """One row. `number` is its first line in a text file, else the number of the row, from 1."""

    number: int
    values: dict[str, object]


@dataclass(frozen=True)
class Source:
    """The file or data set of the rows. `path` is None for a data set of the Hugging Face hub."""

    name: str
    kind: Kind
    path: Path | None

    @property
    def unit(self) -> str:
        return "line" if self.kind in ("jsonl", "csv") else "row"


def find_file(name: str, base_dir: Path) -> Path | None:
    """Find a file or folder in `base_dir`, then in the working directory. None if there is none."""
    wanted = Path(name).expanduser()
    return next((path for path in (base_dir / wanted, Path.cwd() / wanted) if path.exists()), None)


def find_source(name: str, wanted: CorpusFormat, base_dir: Path) -> Source:
    """Find the source of a corpus path. Raises DataError if it is no file, no folder and not like a hub id."""
    path = find_file(name, base_dir)
    suffix = _SUFFIXES.get(Path(name).suffix.lower())
    if path is None and (suffix or wanted not in ("auto", "dataset") or not _HUB_ID.fullmatch(name)):
        raise DataError(f"{name}: no such file, neither in {base_dir} nor in the working directory: set corpus.path")
    if path is not None and path.is_file() and (wanted == "dataset" or (wanted == "auto" and suffix is None)):
        raise DataError(f"{name}: cannot tell what kind of file this is: set corpus.format to jsonl, csv or parquet")
    if wanted != "auto":
        return Source(name, wanted, path)
    return Source(name, suffix if suffix and path and path.is_file() else "dataset", path)


def read_rows(source: Source, problems: Problems, *, split: str = "train", limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` rows. Rows that cannot be read are noted in `problems`.

    Raises DataError if nothing can be read. A CSV file with a broken row raises before its first row.
    """
    if source.kind == "jsonl" and source.path:
        yield from read_jsonl_rows(source.path, problems, limit=limit)
    elif source.kind == "csv" and source.path:
        yield from _csv_rows(source.path, problems, limit)
    else:
        subject = "the data" if source.path else "no such file or folder, and the data set of that Hugging Face id"
        yield from _numbered(_load(source, split), f"{source.name}: {subject}", limit)


def read_jsonl_rows(path: Path, problems: Problems, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the JSON objects of a file, one a line. Blank lines are skipped; broken lines are noted in `problems`."""
    try:
        with path.open("rb") as file:
            lines = ((number, line) for number, line in _lines(file, problems) if line.strip())
            for number, line in islice(lines, limit):
                values = _json_object(line, number, problems)
                if values is not None:
                    yield Row(number, values)
    except OSError as error:
        raise DataError(f"{problems.file}: cannot be read ({error.strerror or error})") from error


def _lines(file: BinaryIO, problems: Problems) -> Iterator[tuple[int, bytes]]:
    """Yield lines with their numbers from 1, without a byte order mark. A file in UTF-16 is a problem."""
    for number, line in enumerate(file, start=1):
        if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            problems.add("is UTF-16, not UTF-8: save it as UTF-8")
            return
        yield number, line.removeprefix(codecs.BOM_UTF8) if number == 1 else line


def _json_object(line: bytes, number: int, problems: Problems) -> dict[str, object] | None:
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        problems.add(_broken_line(line, error), at=number)
        return None
    if not isinstance(value, dict):
        problems.add(f"holds a JSON {type(value).__name__}, not an object: write one object a line", at=number)
        return None
    return value


def _broken_line(line: bytes, error: ValueError | RecursionError) -> str:
    if not line.endswith(b"\n"):
        return "the last line is half-written (no newline at its end, and not valid JSON): finish or remove it"
    if isinstance(error, UnicodeDecodeError):
        return _not_utf8(error)
    reason = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
    return f"not valid JSON ({reason}): mend or remove the line"


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8 (byte 0x{error.object[error.start]:02x} at column {error.start + 1}): save the file as UTF-8"


def _csv_rows(path: Path, problems: Problems, limit: int | None) -> Iterator[Row]:
    try:
        with path.open("rb") as file:
            header, delimiter, numbers = _scan_csv(file, problems, limit)
    except OSError as error:
        raise DataError(f"{problems.file}: cannot be read ({error.strerror or error})") from error
    problems.raise_any()
    if numbers:
        rows = _numbered(_load_csv(path, header, delimiter, len(numbers)), f"{problems.file}: the data", None)
        for number, row in zip(numbers, rows, strict=True):
            yield Row(number, row.values)


def _scan_csv(file: BinaryIO, problems: Problems, limit: int | None) -> tuple[list[str], str, list[int]]:
    """Return column names, delimiter, and the first line of each row. A wrong number of fields is a problem."""
    lines = _decoded(file, problems)
    first = next(lines, "")
    delimiter = max(",;\t", key=first.count)
    header = next(csv.reader([first], delimiter=delimiter), [])
    if len(set(header)) < len(header):
        problems.add(f"a column name occurs twice: {', '.join(header)}", at=1)
    numbers: list[int] = []
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    longest = csv.field_size_limit(_LONGEST_CELL)
    start = 2
    try:
        for fields in reader:
            if limit is not None and len(numbers) == limit:
                break
            if fields and len(fields) != len(header):
                problems.add(f"{len(fields)} fields instead of {len(header)}: mend or quote the row", at=start)
            if fields:
                numbers.append(start)
            start = reader.line_num + 2
    except csv.Error as error:
        problems.add(f"not valid CSV from here on ({error}): look for a quotation mark left open", at=start)
    finally:
        csv.field_size_limit(longest)
    return header, delimiter, numbers


def _decoded(file: BinaryIO, problems: Problems) -> Iterator[str]:
    for number, line in _lines(file, problems):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            problems.add(_not_utf8(error), at=number)
            yield line.decode(errors="replace")


def _numbered(rows: Iterable[dict[str, object]], subject: str, limit: int | None) -> Iterator[Row]:
    """Number the rows of a data set from 1. Errors of `datasets` become a DataError."""
    from datasets.exceptions import DatasetsError

    try:
        for number, values in enumerate(islice(rows, limit), start=1):
            yield Row(number, values)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise DataError(f"{subject} cannot be read ({error})") from error


def _load_csv(path: Path, header: list[str], delimiter: str, rows: int) -> Iterator[dict[str, object]]:
    from datasets import Features, Value, load_dataset

    # Each column is text and no value is missing: an id of 007 keeps its zeros, and a customer may answer "NA".
    features = Features({name: Value("string") for name in header})
    yield from load_dataset(
        "csv",
        data_files=str(path),
        split="train",
        streaming=True,
        features=features,
        sep=delimiter,
        encoding="utf-8-sig",
        keep_default_na=False,
        nrows=rows,
    )


def _load(source: Source, split: str) -> Iterator[dict[str, object]]:
    """Load the rows of a Parquet file, a folder (also one of `save_to_disk`) or a data set of the hub."""
    from datasets import load_dataset, load_from_disk

    path = source.path
    if source.kind == "parquet":
        yield from load_dataset("parquet", data_files=str(path), split="train", streaming=True)
    elif path and (path / "state.json").exists():
        yield from load_from_disk(str(path))
    else:
        yield from load_dataset(str(path or source.name), split=split, streaming=True)
