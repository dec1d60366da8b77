"""What a corpus path names, and the rows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arf_programs.config import CorpusConfig, CorpusFormat, find_path
from arf_programs.corpus.tables.csv_rows import read_csv_rows
from arf_programs.corpus.tables.data_sets import read_data_set_rows, read_parquet_rows
from arf_programs.corpus.tables.json_rows import read_json_rows
from arf_programs.corpus.tables.rows import Problems, Row
from signatures.exceptions import DataError

Kind = Literal["jsonl", "csv", "parquet", "dataset"]
_SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_SPREADSHEETS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_HUB_ID = re.compile(r"\w[\w.-]*(/[\w.-]+)?")


@dataclass(frozen=True)
class Source:
    """The file or data set of the rows. `path` is None for a data set of the Hugging Face hub."""

    name: str
    kind: Kind
    path: Path | None

    @property
    def unit(self) -> str:
        return "line" if self.kind in ("jsonl", "csv") else "row"


def find_source(name: str, wanted: CorpusFormat, base_dir: Path) -> Source:
    """Find the source of a corpus path. Raises DataError if it is no file, no folder and not like a hub id."""
    if Path(name).suffix.lower() in _SPREADSHEETS:
        raise DataError(
            f"{name}: is a spreadsheet: save it as CSV (in Excel: `CSV UTF-8`), and set corpus.path to that file"
        )
    wanted = "auto" if wanted == "email" else wanted  # that is what stands in the rows
    path = find_path(name, base_dir)
    suffix = _SUFFIXES.get(Path(name).suffix.lower())
    if path is None and (suffix or wanted not in ("auto", "dataset") or not _HUB_ID.fullmatch(name)):
        raise DataError(f"{name}: no such file, neither in {base_dir} nor in the working directory: set corpus.path")
    if path is not None and path.is_file() and (wanted == "dataset" or (wanted == "auto" and suffix is None)):
        raise DataError(
            f"{name}: cannot tell what kind of file this is: save it as JSONL, CSV or Parquet, and set corpus.format"
            " to jsonl, csv or parquet if its name does not end so"
        )
    if wanted != "auto":
        return Source(name, wanted, path)
    return Source(name, suffix if suffix and path and path.is_file() else "dataset", path)


def read_rows(source: Source, problems: Problems, config: CorpusConfig) -> Iterator[Row]:
    """Yield the first `config.limit` rows. What cannot be read is noted in `problems`.

    Raises DataError if nothing can be read.
    """
    path = source.path
    if path and source.kind == "jsonl":
        return read_json_rows(path, problems, limit=config.limit)
    if path and source.kind == "csv":
        return read_csv_rows(path, problems, limit=config.limit)
    if path and source.kind == "parquet":
        return read_parquet_rows(path, source.name, limit=config.limit)
    return read_data_set_rows(path, source.name, split=config.split, subset=config.subset, limit=config.limit)
