"""Read the turns of a conversation: from a list, from a list written as JSON, or from text with speaker lines."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from arf_programs.config import ColumnsConfig
from arf_programs.corpus.speakers import parse_mails, parse_turns
from arf_programs.text import fold
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn
from signatures.showing import write_in_latin

Value = TypeVar("Value")
_DEFAULT_KEYS = (ColumnsConfig().speaker, ColumnsConfig().text)
_DEEPEST = 100  # levels of brackets; pydantic writes fewer than 255

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_COLON = re.compile("[:：]")
_ESCAPED_RETURN = re.compile(r"_x000[dD]_(?=\r?\n|\Z)")


def clean_text(text: str) -> str:
    """Clean a text, so that it can be stored and shown.

    Line ends become `\\n`, also as Excel escapes them (`_x000D_`). Control characters except tab are removed, and a
    lone surrogate becomes U+FFFD.
    """
    text = _ESCAPED_RETURN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))


def clean_values(value: Value, *, depth: int = 0) -> Value:
    """Copy a JSON-like value with all its texts and keys cleaned.

    Raises ValueError, with a reason for the user, if it is nested so deeply that no record can hold it.
    """
    if depth > _DEEPEST:
        raise ValueError(f"brackets are nested more than {_DEEPEST} deep: mend or remove the row")
    cleaned: object = value
    if isinstance(value, str):
        cleaned = clean_text(value)
    elif isinstance(value, list):
        cleaned = [clean_values(item, depth=depth + 1) for item in value]
    elif isinstance(value, dict):
        cleaned = {clean_values(key): clean_values(item, depth=depth + 1) for key, item in value.items()}
    return cleaned  # type: ignore[return-value]


def is_missing(value: object) -> bool:
    """Say whether a cell has no value: null, or the NaN of a table."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def read_turns(value: object, columns: ColumnsConfig, *, mails_of: Sequence[str] | None = None) -> tuple[Turn, ...]:
    """Read the turns in their order. Blank turns are kept, so that turn numbers stay those of the data.

    A text is read as a thread of mails if `mails_of` has the domains and addresses of agents, which may be none. Raises
    ValueError, with a reason for the user, if there are no turns or they cannot be read.
    """
    value = decode_list(clean_values(value))
    if isinstance(value, dict):
        value = _turns_of_columns(value, columns)
    if isinstance(value, list):
        value = _as_objects(value, columns)
    if isinstance(value, list):
        columns = keys_of_turns(value, columns)
        turns = _with_one_name(_turn(item, number, columns) for number, item in enumerate(value, start=1))
    elif isinstance(value, str):
        if value.lstrip().startswith("[{"):
            raise ValueError(
                "the conversation looks like a JSON list but is not valid JSON: write it with a JSON encoder"
            )
        turns = parse_turns(value) if mails_of is None else _turns_of_mails(value, mails_of)
    elif is_missing(value):
        turns = ()
    elif isinstance(value, dict) and "turns" in value:
        raise ValueError("this is a file that a run has written, not its corpus: set corpus.path to the corpus")
    else:
        raise ValueError(f"the conversation is a {type(value).__name__}, not a list of turns or a text")
    if not any(turn.text.strip() for turn in turns):
        raise ValueError(
            f"an empty conversation ({'only blank turns' if turns else 'no turns'}): mend or remove the row"
        )
    return turns


def _turns_of_mails(text: str, company: Sequence[str]) -> tuple[Turn, ...]:
    """Read a thread of mails. A text that is no thread may still be a transcript or an export."""
    turns = parse_mails(text, roles=True, company=company)
    if len(turns) < 2:
        with suppress(ValueError):
            return parse_turns(text)
    return turns


_TEXT_KEYS = ("text", "content", "value", "message", "body", "utterance")
_NAMES = ("name", "display_name", "real_name", "role", "type", "email", "id")
_KEYS = (("role", "content"), ("from", "value"))
"""The keys of a turn in files for OpenAI's API, and in ShareGPT's form."""


def keys_of_turns(turns: Sequence[object], columns: ColumnsConfig) -> ColumnsConfig:
    """Return the columns with the keys of the turns: the configured ones, else those of a known form."""
    first = next((turn for turn in turns if isinstance(turn, dict)), {})
    if (columns.speaker, columns.text) != _DEFAULT_KEYS or columns.speaker in first or columns.text in first:
        return columns
    for speaker, text in _KEYS:
        if speaker in first:
            return columns.model_copy(update={"speaker": speaker, "text": text})
    return columns


def _as_objects(turns: list[object], columns: ColumnsConfig) -> object:
    """Return turns as objects, or as one text.

    They may be written `"Customer: hi"`, `["Customer", "hi"]`, `{"user": "hi"}`.
    """
    if turns and all(isinstance(turn, str) and _COLON.search(turn) for turn in turns):
        return "\n".join(map(str, turns))
    pairs: list[tuple[object, object]] = []
    for turn in turns:
        if isinstance(turn, list) and len(turn) == 2 and all(isinstance(part, str) for part in turn):
            pairs.append((turn[0], turn[1]))
        elif isinstance(turn, dict) and turn and (len(turn) == 1 or {"user", "assistant", "bot"} >= turn.keys()):
            pairs.extend(turn.items())
        else:
            return turns
    if {columns.text, *_TEXT_KEYS} & {speaker for speaker, _ in pairs}:
        return turns
    return [{columns.speaker: speaker, columns.text: text} for speaker, text in pairs]


def _text_of_parts(content: object) -> object:
    """Return the texts of a content that is a list of parts, as OpenAI's API takes it. Any other content stays."""
    if not isinstance(content, list) or not all(isinstance(part, dict | str) for part in content):
        return content
    texts = [part if isinstance(part, str) else part.get("text") for part in content]
    return "\n".join(text for text in texts if isinstance(text, str))


def _turns_of_columns(value: dict[object, object], columns: ColumnsConfig) -> object:
    """Return the turns of a conversation that is kept as two lists, of speakers and of texts. Any other stays."""
    speakers, texts = value.get(columns.speaker), value.get(columns.text)
    if not (isinstance(speakers, list) and isinstance(texts, list) and len(speakers) == len(texts)):
        return value
    pairs = zip(speakers, texts, strict=True)
    return [{columns.speaker: speaker, columns.text: text} for speaker, text in pairs]


def decode_list(value: object) -> object:
    """Decode a text that is a list, as in a cell of a CSV file, or one JSON object a line.

    Other texts stay as they are.

    A list is written as JSON, or as pandas writes a list of Python.
    """
    if isinstance(value, str) and value.startswith('"[{'):  # encoded twice
        with suppress(ValueError):
            value = json.loads(value)
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        is_list = value.lstrip().startswith("[")
        decoded: object = (
            json.loads(value) if is_list else [json.loads(line) for line in value.splitlines() if line.strip()]
        )
    except (ValueError, RecursionError):
        decoded = _decode_python(value)
    return clean_values(decoded)


def _decode_python(text: str) -> object:
    """Return a list of dictionaries that is written as Python prints it. Other texts stay as they are."""
    if not text.lstrip().startswith("[{"):
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _name_of(speaker: object) -> object:
    """Return the name of a speaker. A whole number becomes a text. For an object it is its name, or else its kind."""
    if isinstance(speaker, dict):
        names = (speaker.get(key) for key in _NAMES)
        speaker = next((name for name in names if isinstance(name, str | int) and str(name).strip()), None)
    if isinstance(speaker, float) and speaker.is_integer():  # of a table with gaps
        speaker = int(speaker)
    return str(speaker) if isinstance(speaker, int) and not isinstance(speaker, bool) else speaker


def _turn(item: object, number: int, columns: ColumnsConfig) -> Turn:
    if not isinstance(item, dict):
        raise ValueError(f"turn {number} is a {type(item).__name__}, not an object with a speaker and a text")
    for column, key in (("speaker", columns.speaker), ("text", columns.text)):
        if key not in item and not (key == "content" and item.get("tool_calls")):
            keys = ", ".join(map(str, item)) or "nothing"
            raise ValueError(f"turn {number} has no {key!r} (it has: {keys}): set corpus.columns.{column}")
    speaker, text = _name_of(item[columns.speaker]), _text_of_parts(item.get(columns.text))
    if not isinstance(speaker, str) or not speaker.strip():
        raise ValueError(f"turn {number}: {columns.speaker!r} is not the name of a speaker")
    # Chat logs write null for a message that only calls a tool.
    if text is not None and not isinstance(text, str):
        raise ValueError(f"turn {number}: {columns.text!r} is a {type(text).__name__}, not a text")
    return Turn(speaker=" ".join(speaker.split()), text=(text or "").strip())


def _with_one_name(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Give speakers whose names look equal one name, that of the first turn."""
    names: dict[str, str] = {}
    named = []
    for turn in turns:
        name = names.setdefault(write_in_latin(fold(turn.speaker).text), turn.speaker)
        named.append(turn if name == turn.speaker else turn.model_copy(update={"speaker": name}))
    return tuple(named)


def parse_conversation(text: str, *, id: str = "conversation", channel: str = "default") -> Conversation:
    """Make a conversation of text with `Speaker: ...` lines.

    Raises DataError if the text has no turn, or text before the first speaker.
    """
    try:
        return Conversation(id=id, channel=channel, turns=read_turns(text, ColumnsConfig()))
    except ValueError as error:
        raise DataError(f"{id}: {error}") from None
