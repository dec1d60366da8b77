"""Open the folder of a run for reading: its records as iterators, and as tables for a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from pydantic import BaseModel

from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.ledger import Call, iter_ledger
from arf_programs.runs.run import Side, SplitConversation
from signatures.exceptions import DataError
from signatures.records import Conversation, DraftErrors, Failure, PairVerdict, Revision, Score, Summary

if TYPE_CHECKING:
    import datasets
    import pandas

Table = Literal[
    "conversations", "drafts", "errors", "revisions", "predictions", "scores", "comparisons", "failures", "calls"
]

Row = TypeVar("Row", bound=BaseModel)


class LoadedRun:
    """The records of a run. Each method reads its file anew, one row at a time.

    A file that its stage has not written yet raises DataError, which says so.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = RunFolder(folder)

    def __repr__(self) -> str:
        return f"LoadedRun({str(self.folder.path)!r})"

    def conversations(self, split: Side | None = None) -> Iterator[Conversation]:
        """Return the conversations, of one side of the split or of all."""
        rows = self._read(self.folder.conversations, SplitConversation)
        return (row.conversation for row in rows if split in (None, row.split))

    def drafts(self) -> Iterator[Summary]:
        """Return the teacher's summaries of all conversations."""
        return self._read(self.folder.drafts, Summary)

    def errors(self) -> Iterator[DraftErrors]:
        """Return the errors of each training draft."""
        return self._read(self.folder.errors, DraftErrors)

    def revisions(self) -> Iterator[Revision]:
        """Return the revision of each training draft."""
        return self._read(self.folder.revisions, Revision)

    def predictions(self) -> Iterator[Summary]:
        """Return the summaries of the holdout by all systems but the teacher."""
        return self._read(self.folder.predictions, Summary)

    def scores(self) -> Iterator[Score]:
        """Return the scores of every summary of the holdout."""
        return self._read(self.folder.scores, Score)

    def comparisons(self) -> Iterator[PairVerdict]:
        """Return the judge's verdicts on pairs of summaries."""
        return self._read(self.folder.comparisons, PairVerdict)

    def failures(self) -> Iterator[Failure]:
        """Return the rows that failed, with their reasons, of all stages."""
        return iter(self.folder.read_failures())

    def calls(self) -> Iterator[Call]:
        """Return the calls to models, with their tokens and cost."""
        return iter_ledger(self.folder.ledger)

    def figures(self) -> dict[str, Any]:
        """Return the figures of the report (`summary.json`)."""
        self._check(self.folder.summary)
        figures: dict[str, Any] = json.loads(self.folder.summary.read_text(encoding="utf-8"))
        return figures

    def to_pandas(self, table: Table) -> pandas.DataFrame:
        """Return the records of that name as a DataFrame: a row each, nested fields as lists and dicts.

        Raises ValueError for an unknown name.
        """
        import pandas

        return pandas.DataFrame(self._rows(table))

    def to_dataset(self, table: Table) -> datasets.Dataset:
        """Return the records of that name as a `datasets.Dataset`. Raises ValueError for an unknown name."""
        import datasets

        return datasets.Dataset.from_list(self._rows(table))

    def _rows(self, table: Table) -> list[dict[str, Any]]:
        if table not in get_args(Table):
            raise ValueError(f"{table!r} is no table of a run: choose one of {', '.join(get_args(Table))}")
        return [record.model_dump(mode="json") for record in getattr(self, table)()]

    def _read(self, path: Path, record: type[Row]) -> Iterator[Row]:
        self._check(path)
        return read_jsonl(path, record)

    def _check(self, path: Path) -> None:
        if not path.exists():
            raise DataError(f"{path}: no such file: its stage has not run to its end (`arf status` says which have)")


def load_run(folder: str | Path) -> LoadedRun:
    """Open the folder of a run, `runs/<name>`, to look at its records. Raises DataError if it is not one."""
    path = Path(folder)
    if not (path / "config.yaml").exists():
        raise DataError(f"{path}: not the folder of a run: it has no config.yaml")
    return LoadedRun(path)
