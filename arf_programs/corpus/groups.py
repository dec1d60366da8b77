"""Rows that are messages, as helpdesks export them.

The messages of one ticket become one conversation, the oldest first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Final

from arf_programs.config import CorpusConfig
from arf_programs.corpus.speakers import read_date, role_of, text_without_quotes
from arf_programs.corpus.tables import Problems, Row
from arf_programs.corpus.turns import is_missing

_SPEAKERS: Final = ("author", "from", "sender", "user", "name", "role", "author_id", "sender_id")
_TEXTS: Final = ("body", "message", "content", "comment", "description")
_SLASHED: Final = (("%d/%m/%Y", "%d/%m/%y"), ("%m/%d/%Y", "%m/%d/%y"))
_CLOCKS: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", ", %H:%M", ", %H:%M:%S", ", %I:%M:%S %p")
_DOTTED: Final = ("%d.%m.%Y", "%d.%m.%y")
_ANSWERS: Final = re.compile(r"repl|respon|answer|parent|previous", re.IGNORECASE)
_WHOLE: Final = re.compile(r"^(\d+)\.0$")
_MILLISECONDS: Final = 1e11  # a larger number of seconds is beyond the year 5000


def group_rows(rows: Iterator[Row], config: CorpusConfig, problems: Problems) -> Iterator[Row]:
    """Yield one row for each value of `config.group_by`, in the order in which they begin. All rows are held in memory.

    Its turns are the messages, sorted by `columns.time` if the rows have it. Where the column names the message
    that a row answers, as `in_response_to_tweet_id` and `parent_id` do, a conversation is a message with all answers to
    it. Problems of rows are noted.
    """
    group_by = config.group_by or ""
    read = list(rows)
    lacking = next((row for row in read if group_by not in row.values), None)
    if lacking is not None:
        there = ", ".join(lacking.values) or "none"
        problems.add(f"no column {group_by!r} (there are: {there}): set corpus.group_by", at=lacking.number)
        return
    answered = {row.number: _key(row.values[group_by]) for row in read}
    ids = _find_answered(read, group_by, set(answered.values()) - {""})
    groups: dict[str, list[Row]] = {}
    if ids:
        own = {number: key for key, number in ids.items()}
        first = _find_starts(answered, ids)
        for row in read:
            groups.setdefault(own[first[row.number]], []).append(row)
    else:
        for row in read:
            groups.setdefault(answered[row.number], []).append(row)
        for row in groups.pop("", []):
            problems.add(
                f"no value in {group_by!r}, which corpus.group_by names: add it or remove the row", at=row.number
            )
    sort_by_time(list(groups.values()), config.columns.time, problems)
    for key, messages in groups.items():
        yield _joined(key, messages, config, problems)


def _key(value: object) -> str:
    """Return an id or the number of a ticket as a text. A whole number is the same as a float."""
    return "" if is_missing(value) else _WHOLE.sub(r"\1", str(value).strip())


def _find_answered(rows: list[Row], group_by: str, wanted: set[str]) -> dict[str, int]:
    """Return the number of each row by its id, if `group_by` names the message that a row answers; else nothing."""
    if not _ANSWERS.search(group_by):
        return {}
    for column in rows[0].values if rows else ():
        ids = {_key(row.values.get(column)): row.number for row in rows}
        unique = len(ids) == len(rows) and "" not in ids
        if column != group_by and unique and 2 * len(wanted & ids.keys()) > len(wanted):
            return ids
    return {}


def _find_starts(answered: Mapping[int, str], ids: Mapping[str, int]) -> dict[int, int]:
    """Return for each row the row that begins its thread."""
    first: dict[int, int] = {}
    for row in answered:
        chain = dict.fromkeys([row])
        number: int | None = row
        while number is not None and number not in first:
            chain[number] = None
            number = ids.get(answered[number])
            if number in chain:  # messages that answer each other
                number = None
        start = first[number] if number is not None else next(reversed(chain))
        first |= dict.fromkeys(chain, start)
    return first


def _joined(key: str, messages: list[Row], config: CorpusConfig, problems: Problems) -> Row:
    columns = config.columns
    speaker = _column(messages[0].values, columns.speaker, _SPEAKERS)
    text = _column(messages[0].values, columns.text, _TEXTS)
    turns = []
    for row in messages:
        for name, column in ((speaker, "speaker"), (text, "text")):
            if name not in row.values:
                there = ", ".join(row.values)
                problems.add(f"no column {name!r} (there are: {there}): set corpus.columns.{column}", at=row.number)
        who, said = row.values.get(speaker), row.values.get(text)
        if config.format == "email":
            who = role_of(str(who), config.agents) if config.agents else who
            said = text_without_quotes(said) if isinstance(said, str) else said
        turns.append({columns.speaker: who, columns.text: None if is_missing(said) else said})
    shared: dict[str, object] = {}
    for row in messages:
        shared = {**row.values, **{name: value for name, value in shared.items() if not is_missing(value)}}
    names = {columns.id or "id": key, columns.conversation: turns}
    return Row(messages[0].number, {**shared, **names})


def _column(values: Mapping[str, object], name: str, others: Sequence[str]) -> str:
    """Return the configured column, or another usual name if the rows do not have it."""
    if name in values:
        return name
    known = {column.lower(): column for column in values}
    return next((known[other] for other in others if other in known), name)


def sort_by_time(groups: list[list[Row]], column: str | None, problems: Problems) -> None:
    """Sort the rows of each group in place. Without the column they keep the order of the file.

    A problem is noted if a time cannot be read, or if nothing tells which number is the day and which is the month.
    """
    rows = [row for group in groups for row in group]
    if column is None or not any(column in row.values for row in rows):
        return
    readings = [reading for slashed in _SLASHED if (reading := _read_all(rows, column, slashed)) is not None]
    if not readings:
        bad = next(row for row in rows if all(_read(row.values.get(column), slashed) is None for slashed in _SLASHED))
        shown = repr(bad.values.get(column))
        problems.add(
            f"{column}: {shown} is no time: write 2025-05-03T10:32:00, or set corpus.columns.time", at=bad.number
        )
        return
    orders = [[sorted(group, key=lambda row: reading[row.number]) for group in groups] for reading in readings]
    if orders[0] != orders[-1]:
        problems.add(f"{column}: it cannot be told whether the day or the month comes first: write 2025-05-03T10:32:00")
        return
    for group, ordered in zip(groups, orders[0], strict=True):
        group[:] = ordered


def _read_all(rows: list[Row], column: str, slashed: Sequence[str]) -> dict[int, float] | None:
    moments = {row.number: _read(row.values.get(column), slashed) for row in rows}
    found = {number: moment for number, moment in moments.items() if moment is not None}
    return found if len(found) == len(rows) else None


def _read(value: object, slashed: Sequence[str]) -> float | None:
    """Return a time in seconds; None if the value is no time."""
    if isinstance(value, datetime):
        return _seconds(value)
    if isinstance(value, date):
        return _seconds(datetime(value.year, value.month, value.day))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value / (1000 if value > _MILLISECONDS else 1) if math.isfinite(value) else None
    text = " ".join(str(value).replace("\u202f", " ").split()) if isinstance(value, str) else ""
    if text.replace(".", "", 1).isdecimal() and text.count(".") < 2:
        return _read(float(text), slashed) if len(text) > 8 else None
    return _read_text(text, slashed)


def _read_text(text: str, slashed: Sequence[str]) -> float | None:
    plain = text.removesuffix(" UTC").replace("Z", "+00:00") if text[:4].isdecimal() else text
    if (moment := read_date(plain)) is not None:
        return _seconds(moment)
    for day in (*slashed, *_DOTTED):
        for clock in _CLOCKS:
            try:
                return _seconds(datetime.strptime(text, day + clock))
            except ValueError:
                continue
    return None


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
