"""Labels that people gave to summaries, and the labelled set that is made of them for `labeled.path`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from arf_programs.review.decisions import ASPECTS, Label, Line, Mark, standing
from arf_programs.runs import digest, write_lines_atomic
from arf_programs.text import find_quotes
from signatures.exceptions import QuoteError
from signatures.records import Conversation, Summary


class FinishedLabel(NamedTuple):
    """A finished label with the summary that it is about, and who gave it."""

    summary: Summary
    label: Label
    reviewer: str


def finished_labels(summaries: Iterable[Summary], lines: Iterable[Line]) -> list[FinishedLabel]:
    """Return the finished labels of all reviewers, in the order of the summaries.

    A label of a text that has changed since does not count.
    """
    by_summary: dict[tuple[str, str, str], list[Line]] = {}
    for line in sorted(standing(lines), key=lambda line: line.at):
        if line.label is not None and line.label.done:
            by_summary.setdefault((line.system, line.conversation_id, line.shown), []).append(line)
    return [
        FinishedLabel(summary, line.label, line.reviewer)
        for summary in summaries
        for line in by_summary.get((summary.system, summary.conversation_id, digest(summary.text)), ())
        if line.label is not None
    ]


def labeled_summaries(summaries: Mapping[tuple[str, str], Summary], lines: Iterable[Line]) -> list[Summary]:
    """Return the summaries that have a label, in the order of the labels; `summaries` is by system and conversation."""
    keys = dict.fromkeys((line.system, line.conversation_id) for line in lines if line.label is not None)
    return [summaries[key] for key in keys if key in summaries]


def write_labeled_set(path: Path, labels: Iterable[FinishedLabel], conversations: Mapping[str, Conversation]) -> int:
    """Write the labels of summaries of `conversations`, and return the number of rows.

    Give the conversations of the training side: a labelled set is never part of the holdout. Where two people labelled
    a summary, the newest label counts. The file is not made before there is a label.
    """
    found = {
        (item.summary.system, item.summary.conversation_id): (item, conversation)
        for item in labels
        if (conversation := conversations.get(item.summary.conversation_id)) is not None
    }
    if found or path.exists():
        rows = (labeled_row(item, conversation) for item, conversation in found.values())
        write_lines_atomic(path, (json.dumps(row, ensure_ascii=False) for row in rows))
    return len(found)


def labeled_row(item: FinishedLabel, conversation: Conversation) -> dict[str, Any]:
    """Write a label as a row of a labelled set. The aspects and the reviewer are for people: nothing reads them."""
    label = item.label
    aspects = {name: getattr(label, name) for name in ASPECTS[1:] if getattr(label, name) is not None}
    return {
        "conversation_id": conversation.id,
        "channel": conversation.channel,
        "conversation": [turn.model_dump() for turn in conversation.turns],
        "summary": item.summary.text,
        "errors": [mark.model_dump(mode="json", exclude={"start"}) for mark in label.marks],
        "revised": label.revised or None,
        "rating": label.rating,
        "system": item.summary.system,
        **({"aspects": aspects} if aspects else {}),
        "reviewer": item.reviewer,
    }


def mark_words(text: str, start: int, end: int, category: str) -> Mark:
    """Mark the words at `text[start:end]`, without white space and punctuation around them.

    Raises QuoteError if there is no word, or if the place cuts one.
    """
    quote = text[start:end].strip(" \t\n.,;:!?")
    place = text.find(quote, start) if quote else -1
    if place < 0 or place >= end or (place, place + len(quote)) not in find_quotes(quote, text):
        raise QuoteError("mark whole words of the summary")
    return Mark(category=category, quote=quote, start=place)
