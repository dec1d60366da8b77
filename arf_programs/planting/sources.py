"""Finds the summaries that are believed right, in references, labelled corrections or verified revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from arf_programs.corpus import load_labeled
from arf_programs.planting.choose import RightSummary
from arf_programs.planting.records import Source
from arf_programs.runs import Run, read_jsonl
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Revision, Verdict

_MEND: Final = {
    "references": "the corpus has no references on its training side: give it some, or set plant.source",
    "labeled": "the labelled set has no revised and no clean summary: add some, or set plant.source",
    "revisions": "the run has no verified revision yet: run `arf revise`, or set plant.source",
}


def right_summaries(run: Run) -> list[RightSummary]:
    """Read the summaries of `plant.source`, without those of holdout conversations, on which systems are compared.

    `auto` takes labelled corrections and references, or verified revisions if there is neither. Raises DataError if
    there are no summaries, and ConfigError if the labelled set is the planted one itself.
    """
    source = run.config.plant.source
    if source == "auto":
        summaries = [*([] if labels_are_planted(run) else _labeled(run)), *_references(run)] or _revisions(run)
        if not summaries:
            raise DataError("plant.source: nothing is believed right: give references or a labelled set with `revised`")
        return summaries
    if source == "labeled" and labels_are_planted(run):
        raise ConfigError("plant.source: the labelled set is planted.jsonl itself: take references or revisions")
    summaries = {"references": _references, "labeled": _labeled, "revisions": _revisions}[source](run)
    if not summaries:
        raise DataError(f"plant.source: {_MEND[source]}")
    return summaries


def needs_revisions(run: Run) -> bool:
    """Whether the summaries depend on `revisions.jsonl`."""
    source = run.config.plant.source
    labeled = source == "auto" and not labels_are_planted(run) and bool(_labeled(run))
    return source == "revisions" or (source == "auto" and not labeled and not _references(run))


def labels_are_planted(run: Run) -> bool:
    """Whether the labelled set is the run's own `planted.jsonl`, which is no source of right summaries."""
    path = run.config.labeled.path
    planted = run.folder.planted.resolve()
    return path is not None and planted in ((run.base_dir / path).resolve(), Path(path).resolve())


def _references(run: Run) -> list[RightSummary]:
    talks = run.conversations("train").values()
    return [_right(talk, text, "references") for talk in talks for text in talk.references if text.strip()]


def _labeled(run: Run) -> list[RightSummary]:
    held_out = run.conversations("holdout")
    summaries = []
    for example in load_labeled(run):
        text = example.revised or ("" if example.errors else example.summary)
        if text.strip() and example.conversation.id not in held_out:
            summaries.append(_right(example.conversation, text, "labeled"))
    return summaries


def _revisions(run: Run) -> list[RightSummary]:
    if not run.folder.revisions.exists():
        return []
    talks = run.conversations("train")
    rows = read_jsonl(run.folder.revisions, Revision)
    return [
        _right(talks[row.conversation_id], row.after, "revisions")
        for row in rows
        if row.verdict is Verdict.VERIFIED and row.conversation_id in talks
    ]


def _right(talk: Conversation, text: str, source: Source) -> RightSummary:
    return RightSummary(talk, text.strip(), source)
