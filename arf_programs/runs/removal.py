"""Remove texts from a run: all of one kind, or all about one conversation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import read_lines, write_lines_atomic

_WITH_TEXTS: Final = (
    *("conversations.jsonl", "drafts.jsonl", "errors.jsonl", "predictions.jsonl", "scores.jsonl", "comparisons.jsonl"),
    *("planted.jsonl", "failures.jsonl", "pseudonyms.jsonl", "labeled.jsonl", "labeled_pseudonyms.jsonl"),
    *("report.html", "taxonomy.yaml", "reviews", "parts", "curve", "federated"),
)
_ANSWERS: Final = ("calls", "batches", "batches.jsonl", "sent.jsonl", "vllm.log")
_FIGURES: Final = frozenset(("calls.jsonl", "batches.jsonl"))


def remove_answers(folder: RunFolder, calls: Path) -> list[Path]:
    """Remove the stored answers of models (`calls` is their folder), what was sent, and jobs of batches."""
    return _remove([calls, *(folder / name for name in _ANSWERS)])


def remove_conversations(folder: RunFolder) -> list[Path]:
    """Remove every file with texts of conversations or summaries. Students, figures and the ledger stay."""
    further = [*folder.path.glob("revisions*.jsonl"), *folder.path.glob("probe/*")]
    further += [*folder.rounds.rglob("*.jsonl"), *folder.rounds.rglob("patterns.yaml")]
    return _remove([*(folder / name for name in _WITH_TEXTS), *further, *folder.train.glob("*.jsonl")])


def _remove(paths: Iterable[Path]) -> list[Path]:
    removed = []
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        removed.append(path)
    return removed


def has_rows(folder: RunFolder, name: str) -> bool:
    """Say whether a JSONL file of the run has a row about a conversation."""
    paths = (path for path in folder.path.rglob("*.jsonl") if path.name not in _FIGURES)
    return any(_is_about(orjson.loads(line), name) for path in paths for _, _, line in read_lines(path))


def remove_rows(folder: RunFolder, name: str) -> dict[Path, int]:
    """Remove the rows about a conversation from every JSONL file of the run, and return how many by file.

    `report.html` shows texts, so it is removed if a row was.
    """
    counts = {}
    for path in sorted(folder.path.rglob("*.jsonl")):
        if path.name not in _FIGURES and (count := _remove_rows(path, lambda row: _is_about(row, name))):
            counts[path] = count
    if counts:
        _remove([folder.report])
    return counts


def _remove_rows(path: Path, is_gone: Callable[[Any], bool]) -> int:
    lines = [line for _, _, line in read_lines(path)]
    kept = [line for line in lines if not is_gone(orjson.loads(line))]
    if len(kept) < len(lines):
        write_lines_atomic(path, [line.decode("utf-8").rstrip("\n") for line in kept])
    return len(lines) - len(kept)


def _is_about(row: Any, name: str) -> bool:
    """Say whether a row, or the record inside of a row, names the conversation."""
    if not isinstance(row, dict):
        return False
    if name in (row.get("conversation_id"), row.get("id")):
        return True
    return any(_is_about(value, name) for value in row.values() if isinstance(value, dict))
