"""What a conversation column may hold: a list of turns, the same as JSON in a text, or text with speaker lines."""

from __future__ import annotations

import json

from arf_programs.config.schema import ColumnsConfig
from arf_programs.corpus.clean import clean_values
from arf_programs.corpus.speakers import parse_turns
from signatures.records import Turn


def read_turns(value: object, columns: ColumnsConfig) -> tuple[Turn, ...]:
    """The turns in the order given, blank ones kept so that turn numbers stay those of the data.

    Raises ValueError, with a reason for the user, when there are none or they cannot be told.
    """
    value = decode_list(clean_values(value))
    if isinstance(value, list):
        turns = tuple(_turn(item, number, columns) for number, item in enumerate(value, start=1))
    elif isinstance(value, str):
        if value.lstrip().startswith("[{"):
            raise ValueError(
                "the conversation looks like a JSON list but is not valid JSON: write it with a JSON encoder"
            )
        turns = parse_turns(value)
    elif value is None:
        turns = ()
    else:
        raise ValueError(f"the conversation is a {type(value).__name__}, not a list of turns or a text")
    if not any(turn.text.strip() for turn in turns):
        raise ValueError("an empty conversation (" + ("only blank turns" if turns else "no turns") + ")")
    return turns


def decode_list(value: object) -> object:
    """The list that a text holds as JSON (as in a cell of a CSV file); any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        decoded: object = json.loads(value)
    except ValueError:
        return value
    return clean_values(decoded)


def _turn(item: object, number: int, columns: ColumnsConfig) -> Turn:
    if not isinstance(item, dict):
        raise ValueError(f"turn {number} is a {type(item).__name__}, not an object with a speaker and a text")
    for column, key in (("speaker", columns.speaker), ("text", columns.text)):
        if key not in item:
            keys = ", ".join(map(str, item)) or "nothing"
            raise ValueError(f"turn {number} has no {key!r} (it has: {keys}): set corpus.columns.{column}")
    speaker, text = item[columns.speaker], item[columns.text]
    if not isinstance(speaker, str) or not speaker.strip():
        raise ValueError(f"turn {number}: {columns.speaker!r} is not the name of a speaker")
    # Chat logs write null for a message that only calls a tool.
    if text is not None and not isinstance(text, str):
        raise ValueError(f"turn {number}: {columns.text!r} is a {type(text).__name__}, not a text")
    return Turn(speaker=" ".join(speaker.split()), text=(text or "").strip())
