"""Choose which verified revisions of a draft are kept beside the main one: distinct by wording, or by their facts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from arf_programs.runs import JsonlIndex
from arf_programs.text import measure_change
from arf_programs.values import Value, find_values, same_value
from signatures.records import Revision, Verdict


def distinct_verified(samples: Iterable[Revision], main: Iterable[Revision]) -> Iterator[Revision]:
    """Return the verified revisions of `samples` whose text is neither in `main` nor in an earlier sample."""
    seen = {_text_digest(row) for row in main if row.verdict is not Verdict.REJECTED}
    for row in samples:
        text = _text_digest(row)
        if row.verdict is Verdict.VERIFIED and text not in seen:
            seen.add(text)
            yield row


def _text_digest(row: Revision) -> bytes:
    """Return 16 bytes that identify a revision's text."""
    return hashlib.blake2b(f"{row.conversation_id}\n{row.after.strip()}".encode(), digest_size=16).digest()


def distinct_by_facts(main: Path, samples: Sequence[Path]) -> Iterator[Revision]:
    """Return the verified revisions of the files `samples` that `choose_distinct` keeps beside those of `main`.

    Only the revisions of one draft are in memory at a time.
    """
    first, *further = [
        JsonlIndex(path, Revision, key=lambda row: row["conversation_id"], value=_itself) for path in (main, *samples)
    ]
    for name in dict.fromkeys(name for index in further for name in index):
        revisions = [row for index in further if (row := index.get(name)) is not None]
        yield from choose_distinct(first.get(name), [row for row in revisions if row.verdict is Verdict.VERIFIED])


def choose_distinct(main: Revision | None, verified: Iterable[Revision]) -> list[Revision]:
    """Choose among the verified revisions of one draft those whose facts differ, whatever their wording.

    The facts of a text are its numbers, amounts, dates, times, codes and names, as the checks read them. `main` is kept
    in any case, unless it is rejected, so none with its facts is chosen. Of revisions with the same facts the one that
    is farthest from the others kept is chosen: by the sum of the shares of words that differ (`measure_change`). That
    is how rejection-sampling fine-tuning selects (Yuan et al. 2023, arXiv 2308.01825), with the facts in
    the place of equations, and words in that of letters.
    """
    kept = [] if main is None or main.verdict is Verdict.REJECTED else [main]
    fixed = len(kept)
    for row in verified:
        alike = next((place for place, other in enumerate(kept) if _same_facts(row, other)), None)
        if alike is None:
            kept.append(row)
        elif alike >= fixed:
            others = [other for place, other in enumerate(kept) if place != alike]
            kept[alike] = max((kept[alike], row), key=_distance_from(others))
    return kept[fixed:]


def _same_facts(one: Revision, other: Revision) -> bool:
    """Say whether each value of one text has an equal value in the other."""
    first, second = find_values(one.after), find_values(other.after)
    return _has_all(first, second) and _has_all(second, first)


def _has_all(values: Sequence[Value], wanted: Sequence[Value]) -> bool:
    return all(any(same_value(value, item) for value in values) for item in wanted)


def _distance_from(others: Sequence[Revision]) -> Callable[[Revision], float]:
    return lambda row: sum(measure_change(other.after, row.after) for other in others)


def _itself(row: Revision) -> Revision:
    return row
