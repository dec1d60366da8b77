"""Read a corpus. All problems are reported at once; conversations that are too long are skipped and counted, or cut."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path

from pydantic import JsonValue

from arf_programs.config import ColumnsConfig, Config, CorpusConfig
from arf_programs.corpus.groups import group_rows
from arf_programs.corpus.tables import Problems, Row, find_source, read_rows
from arf_programs.corpus.turns import clean_text, clean_values, decode_list, is_missing, read_turns
from arf_programs.runs import JsonlIndex, write_jsonl_atomic
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, Turn

CHARACTERS_PER_TOKEN = 4
CUT_TURNS = "cut_turns"
_STAGE = "corpus"
_LARGEST_EXACT = 2.0**53  # from here on a float skips whole numbers


def estimate_tokens(characters: int) -> int:
    """Estimate the tokens of a text: a quarter of its characters, rounded up.

    This is OpenAI's rule of thumb for English (help.openai.com, "What are tokens and how to count them?"). A tokenizer
    would tie the corpus to one of the models.
    """
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def fit_length(conversation: Conversation, config: CorpusConfig) -> Conversation | Failure:
    """Return the conversation if it has at most `config.max_tokens` tokens. Else cut it, or return a Failure.

    The metadata of a conversation that was cut has the number of turns it lost (`cut_turns`).
    """
    tokens = estimate_tokens(len(conversation.as_text()))
    if tokens <= config.max_tokens:
        return conversation
    if config.too_long == "cut" and (fitting := _fitting_turns(conversation, config.max_tokens)):
        return _cut(conversation, fitting)
    return _too_long(conversation, tokens, config)


def _fitting_turns(conversation: Conversation, max_tokens: int) -> int:
    """Count how many of the first turns fit, as `Conversation.as_text` writes them."""
    characters = 0
    for number, turn in enumerate(conversation.turns):
        characters += len(f"{turn.speaker}: {turn.text}") + min(number, 1)
        if estimate_tokens(characters) > max_tokens:
            return number
    return len(conversation.turns)


def _cut(conversation: Conversation, turns: int) -> Conversation:
    metadata = {**conversation.metadata, CUT_TURNS: len(conversation.turns) - turns}
    return conversation.model_copy(update={"turns": conversation.turns[:turns], "metadata": metadata})


def _too_long(conversation: Conversation, tokens: int, config: CorpusConfig) -> Failure:
    mend = "its first turn alone is too long" if config.too_long == "cut" else "raise it, or set corpus.too_long to cut"
    size = f"about {tokens} tokens in {len(conversation.turns)} turns"
    reason = f"{size}, more than corpus.max_tokens {config.max_tokens}: {mend}"
    return Failure(conversation_id=conversation.id, stage=_STAGE, reason=reason)


_METADATA = "metadata"
_KNOWN_COLUMNS = ("messages", "conversations")


@dataclass(frozen=True)
class Corpus:
    """Conversations in the order of the file, those that were skipped, and the columns (sorted)."""

    conversations: tuple[Conversation, ...]
    skipped: tuple[Failure, ...]
    columns_seen: tuple[str, ...]


@dataclass(frozen=True)
class _ReadRow:
    """A conversation with the number of its row."""

    number: int
    conversation: Conversation
    has_own_id: bool


@dataclass(frozen=True)
class _Lacking:
    """A row without the column of the conversation."""

    number: int
    columns: tuple[str, ...]


def read_corpus(config: CorpusConfig, *, base_dir: Path) -> Corpus:
    """Read at most `config.limit` rows into memory. Raises what `CorpusReader` raises."""
    reader = CorpusReader(config, base_dir=base_dir)
    conversations = tuple(reader.conversations())
    return Corpus(conversations, tuple(reader.skipped), tuple(sorted(reader.columns_seen)))


class CorpusReader:
    """Reads at most `config.limit` rows, one at a time. Only ids and problems are kept in memory.

    A relative path is relative to `base_dir`, then to the working directory. Conversations longer than
    `config.max_tokens` are skipped and counted, or cut at the end of a turn and marked with `cut_turns`.
    `draft_column` is the column of drafts, where `models.teacher` names one. Columns in `kept` become metadata.
    """

    def __init__(
        self, config: CorpusConfig, *, base_dir: Path, draft_column: str | None = None, kept: Sequence[str] = ()
    ) -> None:
        self.skipped: list[Failure] = []
        self.columns_seen: set[str] = set()
        self._config = config
        self._draft_column = draft_column
        self._kept = tuple(kept)
        self._source = find_source(config.path, config.format, base_dir)

    def conversations(self) -> Iterator[Conversation]:
        """Yield the conversations in the order of the file.

        Raises DataError at the end of the file with every problem and its line. Then do not use the conversations.
        """
        config, problems = self._config, Problems(self._config.path, self._source.unit)
        lacking: list[_Lacking] = []
        ids = _Ids(problems)
        rows = kept = 0
        for row in self._rows(problems):
            rows += 1
            row = _with_conversation(row, config.columns)
            self.columns_seen.update(row.values)
            if config.columns.conversation not in row.values:
                lacking.append(_Lacking(row.number, tuple(row.values)))
            elif (item := _read_row(row, config, self._draft_column, self._kept, problems)) is not None:
                fitting = fit_length(ids.make_unique(item), config)
                if isinstance(fitting, Conversation):
                    kept += 1
                    yield fitting
                else:
                    self.skipped.append(fitting)
        _check_columns(config.columns, self.columns_seen, lacking, rows, problems)
        if rows and self._draft_column not in {None, *self.columns_seen}:
            there = ", ".join(sorted(self.columns_seen))
            problems.add(f"no column {self._draft_column!r} of drafts (there are: {there}): set models.teacher.column")
        problems.raise_any()
        if not kept:
            raise DataError(f"{config.path}: no conversation is short enough; the first: {self.skipped[0].reason}")

    def _rows(self, problems: Problems) -> Iterator[Row]:
        config = self._config
        if config.group_by is None:
            return islice(_unwrapped(read_rows(self._source, problems, config), config), config.limit)
        every = config.model_copy(update={"limit": None})
        rows = _unwrapped(read_rows(self._source, problems, every), every)
        return islice(group_rows(rows, every, problems), config.limit)


def _unwrapped(rows: Iterator[Row], config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows, or those that a lone row holds in a list, as helpdesks export them: `{"tickets": [...]}`."""
    start = list(islice(rows, 2))
    wanted = {config.group_by} if config.group_by else {config.columns.conversation, *_KNOWN_COLUMNS}
    for value in start[0].values.values() if len(start) == 1 else ():
        if isinstance(value, list) and value and all(isinstance(item, dict) and wanted & item.keys() for item in value):
            yield from (Row(start[0].number, item) for item in value)
            return
    yield from chain(start, rows)


def _with_conversation(row: Row, columns: ColumnsConfig) -> Row:
    """Take the column `messages` (OpenAI) or `conversations` (ShareGPT) where no other column is configured."""
    if columns.conversation != ColumnsConfig().conversation or columns.conversation in row.values:
        return row
    name = next((name for name in _KNOWN_COLUMNS if name in row.values), None)
    return row if name is None else Row(row.number, {**row.values, columns.conversation: row.values[name]})


def hash_turns(turns: Iterable[Turn]) -> str:
    """Make an id from speakers and texts: 16 hexadecimal digits of their SHA-256."""
    content = json.dumps([[turn.speaker, turn.text] for turn in turns], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def read_id(value: object) -> str:
    """Read an id as text; empty if there is none. Raises ValueError if it is neither a text nor a whole number.

    In a table in which some rows have no id, whole numbers are stored as floats, and missing ids as NaN. CSV has both
    as texts.
    """
    if is_missing(value):
        return ""
    if isinstance(value, float | Decimal) and math.isfinite(value) and value % 1 == 0:
        if isinstance(value, float) and abs(value) > _LARGEST_EXACT:
            raise ValueError(f"the id {value!r} is a float that has lost its last digits: write ids as texts")
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        shown = f" ({value!r})" if isinstance(value, float) else ""
        raise ValueError(f"the id is a {type(value).__name__}{shown}, not a text or a whole number")
    text = clean_text(str(value)).strip()
    text = _FORMULA.sub(r"\1", text)
    if _ROUNDED.fullmatch(text):
        raise ValueError(
            f"the id {text!r} was rounded by a spreadsheet: format its column as text, and export it again"
        )
    return "" if text.casefold() in _NO_ID else _WHOLE.sub(r"\1", text)


_NO_ID = frozenset(("nan", "none", "null", "<na>", "\\n", *(f"#{name}" for name in ("n/a", "name?", "ref!", "value!"))))
_FORMULA = re.compile(r'^="([^"]*)"$')  # keeps the zeros of an id in Excel
_ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+\d{2,3}")
_WHOLE = re.compile(r"^(\d+)\.0$")


def _read_row(
    row: Row, config: CorpusConfig, draft_column: str | None, kept: Sequence[str], problems: Problems
) -> _ReadRow | None:
    """Read the conversation of a row. Return None if it has a problem, which is noted."""
    columns = config.columns
    values = {column: row.values.get(column) for column in (columns.id, columns.channel, columns.references) if column}
    try:
        turns = read_turns(row.values[columns.conversation], columns, mails_of=config.mails_of)
        own_id = read_id(values.get(columns.id or ""))
        conversation = Conversation(
            id=own_id or hash_turns(turns),
            channel=_channel(values.get(columns.channel or "")),
            turns=turns,
            references=_references(values.get(columns.references or "")),
            draft=_draft(row.values.get(draft_column or "")),
            metadata=_metadata(row.values.get(_METADATA)) | _metadata(_further(row.values, kept)),
        )
    except ValueError as error:
        problems.add(str(error), at=row.number)
        return None
    return _ReadRow(row.number, conversation, bool(own_id))


def _channel(value: object) -> str:
    value = decode_list(value)
    parts = value if isinstance(value, list) else [value]
    parts = [part for part in parts if not is_missing(part)]
    if not all(isinstance(part, str | int | float | Decimal | date) for part in parts):
        raise ValueError("the channel is not a text or a list of texts")
    names = [" ".join(clean_text(str(part)).split()) for part in parts]
    return "+".join(name for name in names if name) or "default"


def _references(value: object) -> tuple[str, ...]:
    value = decode_list(value)
    parts = [part for part in (value if isinstance(value, list) else [value]) if not is_missing(part)]
    texts = [clean_text(part).strip() for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        raise ValueError("the references are not a text or a list of texts")
    return tuple(text for text in texts if text)


def _draft(value: object) -> str | None:
    """Read a draft. None if the row has none, or only white space."""
    if is_missing(value):
        return None
    if not isinstance(value, str):
        raise ValueError(f"the draft is a {type(value).__name__}, not a text")
    return clean_text(value).strip() or None


def _further(values: Mapping[str, object], kept: Sequence[str]) -> dict[str, object]:
    return {column: values[column] for column in kept if not is_missing(values.get(column))}


def _metadata(value: object) -> dict[str, JsonValue]:
    """Read a metadata column if it is an object. Values that JSON does not have (dates of Parquet) become texts."""
    if not isinstance(value, dict):
        return {}
    plain: dict[str, JsonValue] = json.loads(json.dumps(clean_values(value), default=str))
    return plain


def _check_columns(
    columns: ColumnsConfig, seen: set[str], lacking: Sequence[_Lacking], rows: int, problems: Problems
) -> None:
    """Note missing columns: the conversation column, and any other whose name the user configured."""
    there = ", ".join(sorted(seen)) or "none"
    if not rows:
        if not problems:
            problems.add("holds no conversations: set corpus.path to a file with at least two")
    elif len(lacking) == rows:
        problems.add(f"no column {columns.conversation!r} (there are: {there}): set corpus.columns.conversation")
    else:
        for row in lacking:
            keys = ", ".join(row.columns) or "none"
            problems.add(f"no column {columns.conversation!r} (this row has: {keys}): add it or remove", at=row.number)
    for key, default in (("id", "id"), ("channel", "channel"), ("references", "references")):
        name = getattr(columns, key)
        if rows and name is not None and name != default and name not in seen:
            problems.add(f"no column {name!r} (there are: {there}): set corpus.columns.{key}, or null for none")


class _Ids:
    """Makes ids unique.

    An id that occurs twice is a problem. An id that was made from the content gets a suffix instead.
    """

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._lines: dict[str, int] = {}
        self._copies: Counter[str] = Counter()

    def make_unique(self, item: _ReadRow) -> Conversation:
        """Return the conversation with its unique id."""
        conversation = item.conversation
        if not item.has_own_id:
            self._copies[conversation.id] += 1
            copy = self._copies[conversation.id]
            return conversation if copy == 1 else conversation.model_copy(update={"id": f"{conversation.id}-{copy}"})
        first = self._lines.setdefault(conversation.id, item.number)
        if first != item.number:
            clash = f"id {conversation.id!r} is taken by {self._problems.unit} {first}"
            self._problems.add(f"{clash}: make the ids unique, or set corpus.columns.id to null", at=item.number)
        return conversation


@dataclass(frozen=True)
class StoredCorpus:
    """Conversations by id, in the order of the file, those that were skipped, and the columns that nothing reads.

    A conversation is read when it is needed.
    """

    conversations: Mapping[str, Conversation]
    skipped: tuple[Failure, ...]
    unread: tuple[str, ...] = ()


def store_corpus(config: Config, *, base_dir: Path, path: Path) -> StoredCorpus:
    """Write the corpus as Conversation records to `path`, so that it need not fit in memory.

    Raises what `CorpusReader` raises.
    """
    names = config.privacy.names
    reader = CorpusReader(config.corpus, base_dir=base_dir, draft_column=config.models.draft_column, kept=names)
    write_jsonl_atomic(path, reader.conversations())
    index = JsonlIndex(path, Conversation, key=lambda row: row["id"], value=lambda conversation: conversation)
    return StoredCorpus(index, tuple(reader.skipped), _unread(reader.columns_seen, config))


def _unread(seen: set[str], config: Config) -> tuple[str, ...]:
    """Return the columns of the file that nothing reads, sorted. None where rows are messages (`corpus.group_by`)."""
    columns = config.corpus.columns
    read = {columns.id, columns.conversation, columns.channel, columns.references, config.models.draft_column}
    if config.corpus.group_by is not None:
        return ()
    return tuple(sorted(seen - read - {_METADATA, *_KNOWN_COLUMNS, *config.privacy.names}))
