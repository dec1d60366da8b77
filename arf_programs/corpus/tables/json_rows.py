"""Rows of JSON: one object a line, an array of objects, or objects over several lines each.

They are not read by `datasets`: Arrow refuses rows whose `metadata` differ in type, and cannot name a broken line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from arf_programs.corpus.tables.rows import Problems, Row, read_text_lines, undecoded

_SPACE = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder().raw_decode


def read_json_rows(path: Path, problems: Problems, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` objects of a file. Blank lines are skipped; what is broken is noted in `problems`.

    A file with one object a line is streamed. Any other is held in memory. Raises DataError if it cannot be read.
    """
    lines = ((number, line) for number, line in read_text_lines(path, problems.file) if line.strip())
    start = list(islice(lines, 2))
    rest = chain(start, lines)
    if _is_one_document([line for _, line in start]):
        values = _document_values(rest, problems)
    else:
        values = _line_values(islice(rest, limit), problems)
    for number, value in islice(values, limit):
        if isinstance(value, dict):
            yield Row(number, value)
        else:
            problems.add(f"holds a JSON {type(value).__name__}, not an object: write one object a line", at=number)


def _is_one_document(start: list[str]) -> bool:
    """Say whether a file is an array, or objects over several lines, by its first two lines that are not blank."""
    first = start[0].lstrip() if start else ""
    if first.startswith("["):
        return len(start) == 1 or not _is_json(first)
    indented = len(start) == 2 and start[1][0] in " \t"
    return first.startswith("{") and indented and not _is_json(first)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


class _UndecodedError(ValueError):
    """A line is not in the encoding of the file."""


def _refuse_undecoded(line: str) -> None:
    reason = undecoded(line)
    if reason:
        raise _UndecodedError(reason)


def _line_values(lines: Iterable[tuple[int, str]], problems: Problems) -> Iterator[tuple[int, object]]:
    """Yield the values of lines with their numbers."""
    for number, line in lines:
        try:
            _refuse_undecoded(line)
            value: object = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.add(_broken_line(line, error), at=number)
        else:
            yield number, value


def _broken_line(line: str, error: ValueError | RecursionError) -> str:
    if not line.endswith(("\n", "\r")):
        return "the last line is half-written (no newline at its end, and not valid JSON): finish or remove it"
    if isinstance(error, _UndecodedError):
        return str(error)
    return f"not valid JSON ({_reason(error)}): mend or remove the line"


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


def _document_values(lines: Iterable[tuple[int, str]], problems: Problems) -> Iterator[tuple[int, object]]:
    """Yield the values of a text over several lines, each with the line where it begins."""
    numbers: list[int] = []
    texts: list[str] = []
    for number, line in lines:
        if reason := undecoded(line):
            problems.add(reason, at=number)
            return
        numbers.append(number)
        texts.append(line.rstrip("\r\n") + "\n")
    text = "".join(texts)
    line_number = seen = 0
    try:
        for place, value in _values(text):
            line_number, seen = line_number + text.count("\n", seen, place), place
            yield numbers[line_number], value
    except json.JSONDecodeError as error:
        at = numbers[min(error.lineno, len(numbers)) - 1]
        problems.add(f"not valid JSON from here on ({_reason(error)}): mend it", at=at)
    except (ValueError, RecursionError) as error:
        problems.add(f"not valid JSON ({_reason(error)}) after this line: mend it", at=numbers[line_number])


def _values(text: str) -> Iterator[tuple[int, object]]:
    """Yield the items of an array, or values one after the other, with their places. Raises what `json` raises."""
    place = _after_space(text, 0)
    if not text.startswith("[", place):
        while place < len(text):
            value, end = _decode(text, place)
            yield place, value
            place = _after_space(text, end)
        return
    place = _after_space(text, place + 1)
    while not text.startswith("]", place):
        value, end = _decode(text, place)
        yield place, value
        place = _after_space(text, end)
        if text.startswith(",", place):
            place = _after_space(text, place + 1)
        elif not text.startswith("]", place):
            raise json.JSONDecodeError("Expecting ',' or ']'", text, place)
    end = _after_space(text, place + 1)
    if end < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _after_space(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place
