"""Rows of text files: CSV as spreadsheets, databases and pandas write it, and JSON.

Every value of CSV is a text, so an id of 007 keeps its zeros. JSON is one object a line, an array of objects, or
objects over several lines each. It is not read by `datasets`: Arrow refuses rows whose `metadata` differ in type, and
does not name a broken line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice, tee
from pathlib import Path

from arf_programs.corpus.tables.rows import Problems, Row, read_text_lines, undecoded

_DELIMITERS = (",", ";", "\t", "|")
_DECLARED = re.compile(r'"?sep=(?P<mark>[^"\r\n])"?[,;\t]*', re.IGNORECASE)  # Excel's own first line
_LIKE_JSON = ('{"', "[{", '{ "')
_NO_NAME = re.compile(r'[,;\t|"]')
_LONGEST_CELL = 1 << 30
_MOST_HEADER_LINES = 50
_BREAK = re.compile(r"\s*[\r\n]+\s*")
_SPACE = re.compile(r"[ \t\r\n]*")
_MARKS = "\ufeff\x1e \t\r\n"
_LIKE_CSV = re.compile(r"[^\W\d][\w .-]*[,;\t|][\w ,;\t|.-]*$")
_decode = json.JSONDecoder().raw_decode


def read_csv_rows(path: Path, problems: Problems, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` rows with their columns. The delimiter is a comma, semicolon, tab or bar.

    Rows without any text are skipped, and columns without a name are left out. A wrong number of fields and an open
    quotation mark are noted in `problems`. Raises DataError if the file cannot be read.
    """
    lines = _decoded(path, problems)
    start, first = _first_line(lines)
    if first.startswith(_LIKE_JSON):
        problems.add("looks like JSON, not CSV: set corpus.format to jsonl", at=start)
        return
    declared = _DECLARED.fullmatch(first.strip("\r\n"))
    if declared:
        start, first = _first_line(lines)
    opening = _opening(first, lines)
    delimiter = declared["mark"] if declared else _delimiter("".join(opening))
    records = _records(chain(opening, (line for _, line in lines)), delimiter, start, problems)
    _, header = next(records, (start, []))
    names = [_BREAK.sub(" ", name.strip()).replace("\0", "") for name in header]
    _check_names(names, start, problems)
    filled = ((number, fields) for number, fields in records if not _is_blank(fields))
    in_step = True
    for number, fields in islice(filled, limit):
        if len(fields) < len(names) or any(field.strip() for field in fields[len(names) :]):
            problems.add(f"{len(fields)} fields instead of {len(names)}: mend or quote the row", at=number)
            if in_step and len(names) == 1:
                problems.add(f"the only column is {names[0]!r}: begin the file with the names of its columns", at=start)
            in_step = False
        elif in_step:  # after a broken row, what stands in which column is a guess
            yield Row(number, {name: field for name, field in zip(names, fields, strict=False) if name})


def _decoded(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    for number, line in read_text_lines(path, problems.file):
        if reason := undecoded(line):
            problems.add(reason, at=number)
        yield number, line


def _first_line(lines: Iterator[tuple[int, str]]) -> tuple[int, str]:
    """Return the next line that is not blank, with its number."""
    return next(((number, line) for number, line in lines if line.strip("\r\n")), (1, ""))


def _opening(first: str, lines: Iterator[tuple[int, str]]) -> list[str]:
    """Return the lines of the header: a name within quotes may go on over several."""
    opening = [first]
    while "".join(opening).count('"') % 2 and len(opening) < _MOST_HEADER_LINES:
        following = next(lines, None)
        if following is None:
            break
        opening.append(following[1])
    return opening


def _delimiter(header: str) -> str:
    """Return the delimiter that makes the most columns of the header whose names have no other delimiter."""
    return max(_DELIMITERS, key=lambda mark: sum(_NO_NAME.search(name) is None for name in _split(header, mark)))


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])


def _records(lines: Iterator[str], delimiter: str, start: int, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yield the records with the line where each begins; `start` is the number of the first line.

    A blank line is a record without fields.
    """
    longest = csv.field_size_limit(_LONGEST_CELL)
    last, lines = tee(lines)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    number = start
    try:
        for fields in reader:
            *_, line = islice(last, start + reader.line_num - number)
            yield number, fields if line.strip() else []
            number = start + reader.line_num
    except csv.Error as error:
        mend = "close each quotation mark, and double those within quotes"
        problems.add(f"not valid CSV from here on ({error}): {mend}", at=number)
    finally:
        csv.field_size_limit(longest)


def _check_names(names: list[str], line: int, problems: Problems) -> None:
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        problems.add(f"a column name occurs twice ({', '.join(repeated)}): rename or remove one", at=line)


def _is_blank(fields: list[str]) -> bool:
    """Say whether a row has no text. Two quotation marks alone are an empty value."""
    return fields != [""] and not any(field.strip() for field in fields)


def read_json_rows(path: Path, problems: Problems, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` objects of a file. Blank lines are skipped; what is broken is noted in `problems`.

    A file with one object a line is streamed. Any other is held in memory. Raises DataError if it cannot be read.
    """
    lines = ((number, line) for number, line in read_text_lines(path, problems.file) if line.strip())
    start = list(islice(lines, 2))
    if start and _LIKE_CSV.match(start[0][1]):
        problems.add("looks like CSV, not JSON: set corpus.format to csv, or save it with one JSON object a line", at=1)
        return
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
    goes_on = len(start) == 2 and not start[1].lstrip(_MARKS).startswith("{")
    return first.startswith("{") and goes_on and not _has_values(first)


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _has_values(line: str) -> bool:
    """Say whether a line has whole objects, and nothing that goes on in the next line."""
    try:
        return bool(_values_of_line(line))
    except (ValueError, RecursionError):
        return False


def _values_of_line(line: str) -> list[object]:
    """Return the value of a line, or its values where an export has left out the line ends or put commas between.

    Marks of records (RFC 7464), and of the encoding where files were put together, are left out.
    """
    try:
        return [json.loads(line)]
    except json.JSONDecodeError:
        plain = line.strip(_MARKS)
        if not plain.startswith("{"):
            raise
        return [value for _, value in _values(plain.removesuffix(","))]


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
            found = _values_of_line(line)
        except (ValueError, RecursionError) as error:
            problems.add(_broken_line(line, error), at=number)
        else:
            yield from ((number, value) for value in found)


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
