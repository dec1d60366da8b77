"""Rows of CSV as spreadsheets, databases and pandas write it. Every value is a text: an id of 007 keeps its zeros."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import chain, islice, tee
from pathlib import Path

from arf_programs.corpus.tables.rows import Problems, Row, read_text_lines, undecoded

_DELIMITERS = (",", ";", "\t", "|")
_DECLARED = re.compile(r'"?sep=(?P<mark>[^"\r\n])"?[,;\t]*', re.IGNORECASE)  # Excel's own first line
_NO_NAME = re.compile(r'[,;\t|"]')
_LONGEST_CELL = 1 << 30
_MOST_HEADER_LINES = 50
_BREAK = re.compile(r"\s*[\r\n]+\s*")


def read_csv_rows(path: Path, problems: Problems, *, limit: int | None = None) -> Iterator[Row]:
    """Yield the first `limit` rows with their columns. The delimiter is a comma, semicolon, tab or bar.

    Rows without any text are skipped, and columns without a name are left out. A wrong number of fields and an open
    quotation mark are noted in `problems`. Raises DataError if the file cannot be read.
    """
    lines = _decoded(path, problems)
    start, first = _first_line(lines)
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
