"""How well a summary is mended, token by token, against the correct text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from arf_programs.text import Token, alignment, keys, tokens
from signatures.records import Record

OVER_EDIT_WEIGHT: Final = 1.0
"""What changing all the text that was right takes off the score: as much as mending everything gives."""

NEW_ERROR_WEIGHT: Final = 0.25
"""What each new error takes off the score."""

_SHOWN: Final = 5


class Repair(Record):
    """One repair. Rates are from 0 to 1.

    `mended`: share of the places that were wrong and now read as in the correct text. `kept`: share of the tokens that
    were right and still stand. `over_edit`: right tokens lost and tokens added, by the number of right tokens, at most
    1. `new`: new errors, as counted by the caller. `score = mended - OVER_EDIT_WEIGHT over_edit - NEW_ERROR_WEIGHT
    new`, clipped to 0..1. `feedback` says in words what is left to mend and what was changed without need.
    """

    mended: float
    kept: float
    over_edit: float
    new: int
    score: float
    feedback: str


class Place(NamedTuple):
    """A place that is wrong in a text: characters `start:end` of the correct text, where the other reads `wrong`.

    `start == end` where the wrong words have to go; `wrong` is empty where something is missing.
    """

    start: int
    end: int
    wrong: str


class Untouched(NamedTuple):
    """Of `total` tokens outside the places, how many still stand; `whole`: all of them, and nothing was added."""

    kept: int
    total: int
    whole: bool


@dataclass(frozen=True)
class _Gap:
    """A place in tokens: `first:last` of the correct text, and the tokens that stand there wrongly."""

    first: int
    last: int
    wrong: tuple[str, ...]


class _Aligned:
    """A text lined up with the correct one."""

    def __init__(self, correct: Sequence[str], after: Sequence[str]) -> None:
        self.correct = list(correct)
        self.after = list(after)
        self.same = alignment(correct, after)
        taken = set(self.same.values())
        self.added = [token for place, token in enumerate(self.after) if place not in taken]

    def region(self, gap: _Gap) -> list[str]:
        """The tokens of the text at the gap: between its nearest neighbours on both sides that still stand."""
        left = next((self.same[i] for i in range(gap.first - 1, -1, -1) if i in self.same), -1)
        right = next((self.same[i] for i in range(gap.last, len(self.correct)) if i in self.same), len(self.after))
        return self.after[left + 1 : right]

    def wanted(self, gap: _Gap) -> list[str]:
        return self.correct[gap.first : gap.last]


def score_repair(before: str, correct: str, after: str, *, new_errors: int = 0) -> Repair:
    """Measure how `after` mends `before`, given the labelled correction `correct`.

    Places are where `before` and `correct` differ (difflib on lower-case tokens). A place's credit is the share of its
    correct tokens that `after` has there, times the share of its wrong tokens that are gone; `mended` is the mean. So
    an exact copy of `correct` scores 1, an unchanged draft with errors 0, and one without errors, left alone, 1.
    """
    was, wanted, now = keys(before), keys(correct), keys(after)
    gaps = _gaps(was, wanted)
    text = _Aligned(wanted, now)
    right = set(alignment(wanted, was))
    lost = [wanted[place] for place in sorted(right) if place not in text.same]
    added = _unasked(text.added, gaps, wanted)
    mended = sum(_credit(text, gap) for gap in gaps) / len(gaps) if gaps else 1.0
    over_edit = min(1.0, (len(lost) + len(added)) / max(1, len(right)))
    score = mended - OVER_EDIT_WEIGHT * over_edit - NEW_ERROR_WEIGHT * new_errors
    return Repair(
        mended=mended,
        kept=1.0 - len(lost) / len(right) if right else 1.0,
        over_edit=over_edit,
        new=new_errors,
        score=min(1.0, max(0.0, score)),
        feedback=_feedback(text, gaps, lost, added, new_errors),
    )


def exact_fixes(correct: str, places: Sequence[Place], after: str) -> list[bool]:
    """For each place whether `after` reads there as `correct` does, with nothing of the wrong words left."""
    text = _Aligned(keys(correct), keys(after))
    gaps = [_gap(tokens(correct), place) for place in places]
    return [_exact(text, gap) for gap in gaps]


def untouched(correct: str, places: Sequence[Place], after: str) -> Untouched:
    """How much of the text outside the places still stands in `after`, in tokens."""
    text = _Aligned(keys(correct), keys(after))
    gaps = [_gap(tokens(correct), place) for place in places]
    inside = {index for gap in gaps for index in range(gap.first, gap.last)}
    outside = [index for index in range(len(text.correct)) if index not in inside]
    kept = sum(index in text.same for index in outside)
    whole = kept == len(outside) and not _elsewhere(text, gaps)
    return Untouched(kept, len(outside), whole)


def _gaps(was: Sequence[str], wanted: Sequence[str]) -> list[_Gap]:
    """Where two texts differ. The direction is that of `alignment`, so that `was` itself has nothing mended."""
    matcher = SequenceMatcher(None, was, wanted, autojunk=False)
    return [_Gap(b1, b2, tuple(was[a1:a2])) for tag, a1, a2, b1, b2 in matcher.get_opcodes() if tag != "equal"]


def _gap(correct: Sequence[Token], place: Place) -> _Gap:
    """A place in characters as a gap in tokens: every token that it touches."""
    first = next((i for i, token in enumerate(correct) if token.end > place.start), len(correct))
    last = next((i for i, token in enumerate(correct) if token.start >= place.end), len(correct))
    return _Gap(first, max(first, last), tuple(keys(place.wrong)))


def _credit(text: _Aligned, gap: _Gap) -> float:
    region, wanted = Counter(text.region(gap)), Counter(text.wanted(gap))
    there = (region & wanted).total() / wanted.total() if wanted else 1.0
    left = ((region - wanted) & Counter(gap.wrong)).total() / len(gap.wrong) if gap.wrong else 0.0
    return there * (1.0 - left)


def _exact(text: _Aligned, gap: _Gap) -> bool:
    region, wanted = text.region(gap), text.wanted(gap)
    if not wanted:
        return not Counter(region) & Counter(gap.wrong)
    size = len(wanted)
    at = next((i for i in range(len(region) - size + 1) if region[i : i + size] == wanted), None)
    if at is None:
        return False
    rest = region[:at] + region[at + size :]
    return not Counter(rest) & Counter(gap.wrong)


def _elsewhere(text: _Aligned, gaps: Sequence[_Gap]) -> bool:
    """Whether tokens were added outside the gaps."""
    inside = Counter(token for gap in gaps for token in text.region(gap))
    return bool(Counter(text.added) - inside)


def _unasked(added: Sequence[str], gaps: Sequence[_Gap], wanted: Sequence[str]) -> list[str]:
    """Added tokens that are neither wrong ones left over nor part of a correction."""
    excused = Counter(token for gap in gaps for token in (*gap.wrong, *wanted[gap.first : gap.last]))
    return list((Counter(added) - excused).elements())


def _feedback(text: _Aligned, gaps: Sequence[_Gap], lost: Sequence[str], added: Sequence[str], new_errors: int) -> str:
    lines = []
    for gap in gaps:
        if _credit(text, gap) < 1.0:
            lines.append(f"Not mended: {_told(gap.wrong, text.wanted(gap))}")
    if lost:
        lines.append(f"Words that were right were changed or dropped: {_listed(lost)}.")
    if added:
        lines.append(f"Words were added that the correction does not need: {_listed(added)}.")
    if new_errors:
        lines.append(f"New errors were brought in: {new_errors}.")
    if lines:
        return "\n".join(lines)
    return "Everything was mended and nothing else was changed." if gaps else "Right: there was nothing to mend."


def _told(wrong: Sequence[str], wanted: Sequence[str]) -> str:
    if not wanted:
        return f'"{" ".join(wrong)}" should go.'
    if not wrong:
        return f'"{" ".join(wanted)}" is missing.'
    return f'"{" ".join(wrong)}" should read "{" ".join(wanted)}".'


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(f'"{word}"' for word in words[:_SHOWN]) + more
