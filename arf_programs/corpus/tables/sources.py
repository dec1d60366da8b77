"""What a corpus path names, and its rows.

Rows of Parquet files, of folders and of the Hugging Face hub are streamed. No copy of them stays in the cache of
`datasets`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from arf_programs.config import CorpusConfig, CorpusFormat, find_path
from arf_programs.corpus.tables.files import read_csv_rows, read_json_rows
from arf_programs.corpus.tables.rows import Problems, Row, unpacked_name, why_no_text
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
_ROWS_AT_ONCE = 500
_SUBSETS = re.compile(r"(?:available configs|not found\. Available): \[(?P<names>.*)\]")
_SPLITS = re.compile(r"Available splits: \[(?P<names>.*)\]")


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
    suffix = _SUFFIXES.get(Path(unpacked_name(path or Path(name))).suffix.lower())
    if path is None and (suffix or wanted not in ("auto", "dataset") or not _HUB_ID.fullmatch(name)):
        raise DataError(
            f"{name}: no such file, neither beside arf.yaml ({base_dir.resolve()}) nor in the working directory: "
            "set corpus.path"
        )
    if path is not None and path.is_file() and (wanted == "dataset" or (wanted == "auto" and suffix is None)):
        if reason := why_no_text(path):
            raise DataError(f"{name}: {reason}")
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


def read_parquet_rows(path: Path, name: str, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` rows of a Parquet file, or of all Parquet files of a folder by their names.

    Hidden files, which other programs put there, are left out. Raises DataError if there is none or it cannot be read.
    """
    there = (part for part in path.rglob("*.parquet") if not part.name.startswith((".", "_")))
    paths = sorted(there) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"{name}: no Parquet file is in this folder: set corpus.path or corpus.format")
    rows = (values for part in paths for values in _parquet_values(part))
    yield from _numbered(rows, f"{name}: the data cannot be read", limit)


def read_data_set_rows(
    path: Path | None, name: str, *, split: str, subset: str | None, limit: int | None = None
) -> Iterator[Row]:
    """Yield the first `limit` rows of a folder, or of a data set of the hub if there is no `path`.

    Raises DataError if it cannot be read, or has no such split or subset.
    """
    if path and any((path / file).exists() for file in ("state.json", "dataset_dict.json")):
        rows = _saved_values(path, split)
    else:
        rows = _loaded_values(str(path or name), split, subset)
    subject = "the data" if path else "no such file or folder, and the data set of that Hugging Face id"
    yield from _numbered(rows, f"{name}: {subject} cannot be read", limit)


def _parquet_values(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as parquet

    with parquet.ParquetFile(path) as file:
        names = file.schema_arrow.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"a column name occurs twice: {', '.join(repeated)}")
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield from batch.to_pylist(maps_as_pydicts="lossy")


def _saved_values(path: Path, split: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a folder that `save_to_disk` wrote, of one data set or of several splits."""
    from datasets import DatasetDict, load_from_disk

    data = load_from_disk(str(path))
    if isinstance(data, DatasetDict):
        if split not in data:
            raise ValueError(f"Available splits: {list(data)}")
        data = data[split]
    yield from data


def _loaded_values(name: str, split: str, subset: str | None) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    place = (name,) if subset is None else (name, subset)
    yield from load_dataset(*place, split=split, streaming=True)


def _numbered(rows: Iterator[dict[str, Any]], refusal: str, limit: int | None) -> Iterator[Row]:
    """Number the rows from 1. Whatever the libraries below raise becomes a DataError."""
    numbered = enumerate(islice(rows, limit), start=1)
    while True:
        try:
            number, values = next(numbered)
        except StopIteration:
            return
        # The loaders of `datasets` raise what httpx, pyarrow, pandas and many others raise.
        except Exception as error:
            raise DataError(f"{refusal} ({_reason(error)})") from error
        yield Row(number, {str(name): _plain(value) for name, value in values.items()})


def _reason(error: Exception) -> str:
    text = str(error)
    if subsets := _SUBSETS.search(text):
        return f"it has several subsets: set corpus.subset to one of {subsets['names']}"
    if splits := _SPLITS.search(text):
        return f"it has no such split: set corpus.split to one of {splits['names']}"
    return " ".join(text.split()) or type(error).__name__


def _plain(value: Any) -> Any:
    """Return a value as JSON would have it: texts that are stored as bytes are decoded, and NaN is null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value
