"""Reads the corpus: every problem of the file at once, and nothing dropped without being counted."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from arf_programs.config.schema import ColumnsConfig, CorpusConfig
from arf_programs.corpus.clean import clean_text, clean_values
from arf_programs.corpus.length import within_length
from arf_programs.corpus.problems import Problems
from arf_programs.corpus.rows import Row, find_source, read_rows
from arf_programs.corpus.turns import decode_list, read_turns
from signatures.records import Conversation, Failure, Turn

_METADATA = "metadata"


@dataclass(frozen=True)
class Corpus:
    """What was read: conversations in the order of the file, those left out, and the columns met (sorted)."""

    conversations: tuple[Conversation, ...]
    skipped: tuple[Failure, ...]
    columns_seen: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    number: int
    conversation: Conversation
    has_own_id: bool


def read_corpus(config: CorpusConfig, *, base_dir: Path) -> Corpus:
    """Read at most `config.limit` rows; a relative path is relative to `base_dir`, then to the working directory.

    Conversations longer than `config.max_tokens` are skipped and counted, or cut at a turn border and marked with
    `cut_turns` in their metadata. Raises DataError with every problem of the file, each with its line.
    """
    source = find_source(config.path, config.format, base_dir)
    problems = Problems(config.path, source.unit)
    seen: set[str] = set()
    lacking: list[Row] = []
    found: list[_Found] = []
    rows = 0
    for row in read_rows(source, problems, split=config.split, limit=config.limit):
        rows += 1
        seen.update(row.values)
        if config.columns.conversation not in row.values:
            lacking.append(row)
        elif (item := _read_row(row, config.columns, problems)) is not None:
            found.append(item)
    _check_columns(config.columns, seen, lacking, rows, problems)
    conversations = _with_ids(found, problems)
    problems.raise_any()
    kept, skipped = within_length(conversations, config)
    return Corpus(kept, skipped, tuple(sorted(seen)))


def content_id(turns: Iterable[Turn]) -> str:
    """An id made of what is said: 16 hexadecimal digits of a SHA-256 over speakers and texts."""
    said = json.dumps([[turn.speaker, turn.text] for turn in turns], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def read_id(value: object) -> str:
    """An id as text, empty where there is none. Raises ValueError for what is neither a text nor a whole number."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"the id is a {type(value).__name__}, not a text or a whole number")
    return clean_text(str(value)).strip()


def _read_row(row: Row, columns: ColumnsConfig, problems: Problems) -> _Found | None:
    """The conversation of a row, or None after its problem was noted."""
    values = {column: row.values.get(column) for column in (columns.id, columns.channel, columns.references) if column}
    try:
        turns = read_turns(row.values[columns.conversation], columns)
        own_id = read_id(values.get(columns.id or ""))
        conversation = Conversation(
            id=own_id or content_id(turns),
            channel=_channel(values.get(columns.channel or "")),
            turns=turns,
            references=_references(values.get(columns.references or "")),
            metadata=_metadata(row.values.get(_METADATA)),
        )
    except ValueError as error:
        problems.add(str(error), at=row.number)
        return None
    return _Found(row.number, conversation, bool(own_id))


def _channel(value: object) -> str:
    value = decode_list(value)
    parts = value if isinstance(value, list) else [value]
    if not all(part is None or isinstance(part, str | int | float) for part in parts):
        raise ValueError("the channel is not a text or a list of texts")
    names = [" ".join(clean_text(str(part)).split()) for part in parts if part is not None]
    return "+".join(name for name in names if name) or "default"


def _references(value: object) -> tuple[str, ...]:
    value = decode_list(value)
    parts = [part for part in (value if isinstance(value, list) else [value]) if part is not None]
    texts = [clean_text(part).strip() for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise ValueError("the references are not a text or a list of texts")
    return tuple(text for text in texts if text)


def _metadata(value: object) -> dict[str, JsonValue]:
    """A metadata column, if it is an object; values that JSON does not know (dates of Parquet) become texts."""
    if not isinstance(value, dict):
        return {}
    plain: dict[str, JsonValue] = json.loads(json.dumps(clean_values(value), default=str))
    return plain


def _check_columns(
    columns: ColumnsConfig, seen: set[str], lacking: Sequence[Row], rows: int, problems: Problems
) -> None:
    """Note what the file lacks: the conversation column always, any other only where it was named on purpose."""
    there = ", ".join(sorted(seen)) or "none"
    if not rows:
        if not problems:
            problems.add("holds no conversations: set corpus.path to a file with at least two")
    elif len(lacking) == rows:
        problems.add(f"no column {columns.conversation!r} (there are: {there}): set corpus.columns.conversation")
    else:
        for row in lacking:
            keys = ", ".join(row.values) or "none"
            problems.add(f"no column {columns.conversation!r} (this row has: {keys}): add it or remove", at=row.number)
    for key, default in (("id", "id"), ("channel", "channel"), ("references", "references")):
        name = getattr(columns, key)
        if rows and name is not None and name != default and name not in seen:
            problems.add(f"no column {name!r} (there are: {there}): set corpus.columns.{key}, or null for none")


def _with_ids(found: Sequence[_Found], problems: Problems) -> list[Conversation]:
    """The conversations; ids that occur twice are problems, but where the content made them they get a suffix."""
    lines: dict[str, int] = {}
    for item in found:
        first = lines.setdefault(item.conversation.id, item.number) if item.has_own_id else item.number
        if first != item.number:
            clash = f"id {item.conversation.id!r} is taken by {problems.unit} {first}"
            problems.add(f"{clash}: make the ids unique, or set corpus.columns.id to null", at=item.number)
    copies: Counter[str] = Counter()
    conversations = []
    for item in found:
        conversation = item.conversation
        if not item.has_own_id:
            copies[conversation.id] += 1
            if (copy := copies[conversation.id]) > 1:
                conversation = conversation.model_copy(update={"id": f"{conversation.id}-{copy}"})
        conversations.append(conversation)
    return conversations
