"""How well a summary is mended, token by token, against the correct text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, NamedTuple

from arf_programs.text import Token, align_tokens, split_tokens, tokenize
from signatures.records import Record

_OVER_EDIT_WEIGHT: Final = 1.0  # changing all right text cancels the credit for mending everything
_NEW_ERROR_WEIGHT: Final = 0.25  # the cost of each new error
_SHOWN: Final = 5


class Repair(Record):
    """How well one text was mended; rates are from 0 to 1.

    `mended`: share of the wrong places that now have the words of the correct text.
    `kept`: share of the right tokens that are still there.
    `over_edit`: right tokens lost and tokens added, divided by the number of right tokens, at most 1.
    `new`: new errors, as counted by the caller.
    `score`: `mended - over_edit - 0.25 new`, clipped to 0..1.
    `feedback`: what is left to mend and what was changed without need, in words.
    """

    mended: float
    kept: float
    over_edit: float
    new: int
    score: float
    feedback: str


class Place(NamedTuple):
    """A wrong place in a text: it has the words `wrong` where the correct text has the characters `start:end`.

    If `start == end`, the wrong words have to be deleted. If `wrong` is empty, something is missing.
    """

    start: int
    end: int
    wrong: str


class Untouched(NamedTuple):
    """`kept` of the `total` tokens outside the places are still there; `whole`: all are, and nothing was added."""

    kept: int
    total: int
    whole: bool


@dataclass(frozen=True)
class _Gap:
    """A place in tokens: `first:last` of the correct text, and the wrong tokens in their place."""

    first: int
    last: int
    wrong: tuple[str, ...]


class _Aligned:
    """A text lined up with the correct one."""

    def __init__(self, correct: Sequence[str], after: Sequence[str]) -> None:
        self.correct = list(correct)
        self.after = list(after)
        self.same = align_tokens(correct, after)
        taken = set(self.same.values())
        self.added = [token for place, token in enumerate(self.after) if place not in taken]

    def region(self, gap: _Gap) -> list[str]:
        """The tokens of the text between the nearest unchanged tokens on both sides of the gap."""
        left = next((self.same[i] for i in range(gap.first - 1, -1, -1) if i in self.same), -1)
        right = next((self.same[i] for i in range(gap.last, len(self.correct)) if i in self.same), len(self.after))
        return self.after[left + 1 : right]

    def wanted(self, gap: _Gap) -> list[str]:
        return self.correct[gap.first : gap.last]


def score_repair(before: str, correct: str, after: str, *, new_errors: int = 0) -> Repair:
    """Measure how `after` mends `before`, given the labelled correction `correct`.

    The places are where `before` and `correct` differ (difflib on lower-case tokens). A place's credit is the share of
    its correct tokens that `after` has there, times the share of its wrong tokens that are gone. `mended` is the mean
    credit. So an exact copy of `correct` scores 1. An unchanged draft scores 0 if it has errors, and 1 if it has none.
    """
    was, wanted = split_tokens(before), split_tokens(correct)
    gaps = _gaps(was, wanted)
    text = _Aligned(wanted, split_tokens(after))
    right = set(align_tokens(wanted, was))
    lost = [wanted[place] for place in sorted(right) if place not in text.same]
    added = _unasked(text.added, gaps, wanted)
    mended = sum(_credit(text, gap) for gap in gaps) / len(gaps) if gaps else 1.0
    over_edit = min(1.0, (len(lost) + len(added)) / max(1, len(right)))
    score = mended - _OVER_EDIT_WEIGHT * over_edit - _NEW_ERROR_WEIGHT * new_errors
    return Repair(
        mended=mended,
        kept=1.0 - len(lost) / len(right) if right else 1.0,
        over_edit=over_edit,
        new=new_errors,
        score=min(1.0, max(0.0, score)),
        feedback=_feedback(text, gaps, lost, added, new_errors),
    )


def find_exact_fixes(correct: str, places: Sequence[Place], after: str) -> list[bool]:
    """Say for each place whether `after` has the words of `correct` there, with none of the wrong words left."""
    text, gaps = _aligned_places(correct, places, after)
    return [_exact(text, gap) for gap in gaps]


def count_untouched(correct: str, places: Sequence[Place], after: str) -> Untouched:
    """Count the tokens outside the places that are still in `after`."""
    text, gaps = _aligned_places(correct, places, after)
    inside = {index for gap in gaps for index in range(gap.first, gap.last)}
    outside = [index for index in range(len(text.correct)) if index not in inside]
    kept = sum(index in text.same for index in outside)
    whole = kept == len(outside) and not _elsewhere(text, gaps)
    return Untouched(kept, len(outside), whole)


def _aligned_places(correct: str, places: Sequence[Place], after: str) -> tuple[_Aligned, list[_Gap]]:
    spans = tokenize(correct)
    return _Aligned(split_tokens(correct), split_tokens(after)), [_gap(spans, place) for place in places]


def _gaps(was: Sequence[str], wanted: Sequence[str]) -> list[_Gap]:
    """Find where two texts differ, in the direction of `align_tokens`, so that `was` itself has nothing mended."""
    matcher = SequenceMatcher(None, was, wanted, autojunk=False)
    return [_Gap(b1, b2, tuple(was[a1:a2])) for tag, a1, a2, b1, b2 in matcher.get_opcodes() if tag != "equal"]


def _gap(correct: Sequence[Token], place: Place) -> _Gap:
    """A place as a gap in tokens: every token that it touches."""
    first = next((i for i, token in enumerate(correct) if token.end > place.start), len(correct))
    last = next((i for i, token in enumerate(correct) if token.start >= place.end), len(correct))
    return _Gap(first, max(first, last), tuple(split_tokens(place.wrong)))


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
    """Whether a token was added outside the gaps."""
    inside = Counter(token for gap in gaps for token in text.region(gap))
    return bool(Counter(text.added) - inside)


def _unasked(added: Sequence[str], gaps: Sequence[_Gap], wanted: Sequence[str]) -> list[str]:
    """Added tokens that are neither wrong words left over nor part of a correction."""
    excused = Counter(token for gap in gaps for token in (*gap.wrong, *wanted[gap.first : gap.last]))
    return list((Counter(added) - excused).elements())


def _feedback(text: _Aligned, gaps: Sequence[_Gap], lost: Sequence[str], added: Sequence[str], new_errors: int) -> str:
    lines = [f"Not mended: {_describe(gap.wrong, text.wanted(gap))}" for gap in gaps if _credit(text, gap) < 1.0]
    if lost:
        lines.append(f"Words that were right were changed or dropped: {_listed(lost)}.")
    if added:
        lines.append(f"Words were added that the correction does not need: {_listed(added)}.")
    if new_errors:
        lines.append(f"New errors were brought in: {new_errors}.")
    if lines:
        return "\n".join(lines)
    return "Everything was mended and nothing else was changed." if gaps else "Right: there was nothing to mend."


def _describe(wrong: Sequence[str], wanted: Sequence[str]) -> str:
    if not wanted:
        return f'"{" ".join(wrong)}" should go.'
    if not wrong:
        return f'"{" ".join(wanted)}" is missing.'
    return f'"{" ".join(wrong)}" should read "{" ".join(wanted)}".'


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(f'"{word}"' for word in words[:_SHOWN]) + more
