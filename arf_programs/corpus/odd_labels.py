"""What is odd in a labelled set but stops nothing: keys that nothing reads, and categories that no taxonomy has."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from arf_programs.config import ColumnsConfig, find_path
from arf_programs.corpus.labeled import KEYS_OF_ERRORS, KEYS_OF_ROWS
from arf_programs.corpus.tables import Problems, Row, read_json_rows
from arf_programs.corpus.taxonomy import load_configured_taxonomy, read_taxonomy
from arf_programs.runs import Run

# What `arf review` and `arf plant` write beside: people read it, and nothing else does.
_BESIDE = ("channel", "metadata", "references", "aspects", "reviewer", "plants", "source")


def label_notes(run: Run) -> list[str]:
    """Name the keys of the labelled set that nothing reads, and its categories that the taxonomy lacks.

    Raises ConfigError for a taxonomy that cannot be read. A set that is not there or broken has no notes.
    """
    path = find_path(run.config.labeled.path, run.base_dir) if run.config.labeled.path else None
    if path is None:
        return []
    notes = Problems(str(run.config.labeled.path))
    source, categories = _categories(run)
    for row in read_json_rows(path, Problems(notes.file)):
        known = (*KEYS_OF_ROWS, *_BESIDE, *_columns(run.config.corpus.columns))
        _note_keys(row.values, known, row, notes)
        for number, error in enumerate(_errors(row), start=1):
            _note_keys(error, KEYS_OF_ERRORS, row, notes, inside=f"error {number}")
            category = error.get("category")
            if isinstance(category, str) and category not in categories:
                mend = _near(category, categories) or f"add it there, or use one of {', '.join(categories)}"
                notes.add(f"category {category!r} is not in {source}: {mend}", at=row.number, inside=f"error {number}")
    return notes.told()


def _categories(run: Run) -> tuple[str, tuple[str, ...]]:
    """Return the name of the taxonomy and its categories: that of the run, if there is one, else the configured."""
    if run.folder.taxonomy.is_file():
        return str(run.folder.taxonomy), read_taxonomy(run.folder.taxonomy).ids()
    name = run.config.analyze.taxonomy or "the seed taxonomy (analyze.taxonomy is not set)"
    return name, load_configured_taxonomy(run).ids()


def _columns(columns: ColumnsConfig) -> Iterator[str]:
    return (name for name in (columns.id, columns.conversation, columns.channel, columns.references) if name)


def _errors(row: Row) -> list[dict[str, object]]:
    errors = row.values.get("errors")
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _note_keys(
    values: dict[str, object], known: Collection[str], row: Row, notes: Problems, *, inside: str = ""
) -> None:
    for key in values:
        if key not in known:
            mend = _near(key, known) or "nothing needs it"
            notes.add(f"key {key!r} is not read: {mend}", at=row.number, inside=inside)


def _near(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else ""
