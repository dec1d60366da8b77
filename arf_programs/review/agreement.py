"""What a review shows: how often people agree with each other and with the verifier, and how sure the figures are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from arf_programs.metrics import rating_agreement
from arf_programs.review.decisions import Line
from arf_programs.review.outcomes import FinishedLabel, Outcome, ReviewedRevisions, finished_labels
from arf_programs.review.rows import ReviewRow, at_random, read_summaries, revision_rows, summary_rows
from arf_programs.runs import RunFolder, read_jsonl
from signatures.records import HumanOutcome, Revision, Verdict

ANY: Final = "any error"
NARROW: Final = 0.1
"""Half the width of an interval that is narrow enough to stop."""
FEWEST: Final = 20
"""Rows below which nobody is told to stop."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Share(_Figures):
    """A share with Wilson's interval. It is a `sample` if its rows came in random order."""

    value: float
    low: float
    high: float
    n: int
    sample: bool = True

    @property
    def is_narrow(self) -> bool:
        return self.sample and self.n >= FEWEST and (self.high - self.low) / 2 <= NARROW


class Agreement(_Figures):
    """Cohen's kappa of two reviewers about one category, over the `n` items that both decided. None is undefined."""

    job: str
    category: str
    reviewers: tuple[str, str]
    n: int
    kappa: float | None
    exact: float | None


class ReviewFigures(_Figures):
    """The figures of all reviews of a run.

    `precision` is the share of verified revisions that people accepted as they are, among the first in random order,
    and `precision_of_all` among all that were reviewed, where those are more. `outcomes` counts reviewed revisions by
    what people decided. `error_rates` has the share of labelled summaries with an error, by system.
    """

    reviewers: tuple[str, ...] = ()
    revisions: int = 0
    verified: int = 0
    outcomes: dict[HumanOutcome, int] = Field(default_factory=dict)
    precision: Share | None = None
    precision_of_all: Share | None = None
    labels: int = 0
    error_rates: dict[str, Share] = Field(default_factory=dict)
    agreement: tuple[Agreement, ...] = ()


def wilson(hits: int, n: int, *, confidence: float = 0.95, sample: bool = True) -> Share | None:
    """Return a share with the interval of Wilson (1927), computed by SciPy; None of nothing."""
    if not n:
        return None
    from scipy.stats import binomtest

    bounds = binomtest(hits, n).proportion_ci(confidence_level=confidence, method="wilson")
    return Share(value=hits / n, low=float(bounds.low), high=float(bounds.high), n=n, sample=sample)


def gather_review(
    folder: RunFolder, lines: Sequence[Line], *, seed: int, confidence: float = 0.95
) -> ReviewFigures | None:
    """Gather the figures of all reviews of a run; None if nobody has reviewed anything."""
    if not lines:
        return None
    reviewed = ReviewedRevisions(lines)
    revisions = list(read_jsonl(folder.revisions, Revision)) if folder.revisions.is_file() else []
    outcomes = {row.conversation_id: outcome for row in revisions if (outcome := reviewed.outcome(row)) is not None}
    verified = [row for row in revision_rows(folder, seed) if row.verdict == Verdict.VERIFIED]
    labels = finished_labels(read_summaries(folder), lines)
    kinds = [outcome.kind for outcome in outcomes.values()]
    fair = precision_of_sample(verified, outcomes, seed, confidence)
    every = _precision(verified, outcomes, confidence, sample=False)
    return ReviewFigures(
        reviewers=tuple(sorted({line.reviewer for line in lines})),
        revisions=len(outcomes),
        verified=sum(row.conversation_id in outcomes for row in verified),
        outcomes={kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
        precision=fair,
        precision_of_all=None if fair and every and fair.n == every.n else every,
        labels=len(labels),
        error_rates=error_rates(summary_rows(folder, seed), labels, seed, confidence),
        agreement=(*agree_on_edits(revisions, reviewed), *agree_on_labels(labels)),
    )


def precision_of_sample(
    verified: Sequence[ReviewRow], outcomes: Mapping[str, Outcome], seed: int, confidence: float
) -> Share | None:
    """Estimate the precision of "verified" from the rows that are a fair sample: the first in random order."""
    return _precision(_first_done(verified, set(outcomes), seed), outcomes, confidence, sample=True)


def _precision(
    rows: Iterable[ReviewRow], outcomes: Mapping[str, Outcome], confidence: float, *, sample: bool
) -> Share | None:
    kinds = [outcomes[row.conversation_id].kind for row in rows if row.conversation_id in outcomes]
    return wilson(kinds.count("accepted"), len(kinds), confidence=confidence, sample=sample)


def _first_done(rows: Iterable[ReviewRow], done: set[str], seed: int) -> list[ReviewRow]:
    """Return the first rows in random order, up to the first that is not reviewed."""
    first = []
    for row in at_random(rows, seed):
        if row.conversation_id not in done:
            break
        first.append(row)
    return first


def error_rates(
    rows: Sequence[ReviewRow], labels: Sequence[FinishedLabel], seed: int, confidence: float
) -> dict[str, Share]:
    """Estimate the share of summaries with an error, by side and system.

    The first summaries in random order count if they are at least half of the labelled ones. Otherwise all labelled
    ones count, and they are no fair sample.
    """
    rates = {}
    for side, system in sorted({(row.side, row.system) for row in rows}):
        group = [row for row in rows if (row.side, row.system) == (side, system)]
        found = {
            item.summary.conversation_id: bool(item.label.marks) for item in labels if item.summary.system == system
        }
        done = [row for row in group if row.conversation_id in found]
        fair = _first_done(group, set(found), seed)
        used = fair if 2 * len(fair) >= len(done) else done
        hits = sum(found[row.conversation_id] for row in used)
        share = wilson(hits, len(used), confidence=confidence, sample=used is fair)
        if share is not None:
            rates[system if side == "holdout" else f"{system} (training side)"] = share
    return rates


def agree_on_labels(labels: Iterable[FinishedLabel]) -> list[Agreement]:
    """Compare the labels of each two reviewers: does a summary have an error, and one of a category?"""
    by_reviewer: dict[str, dict[tuple[str, str], set[str]]] = {}
    for item in labels:
        key = (item.summary.system, item.summary.conversation_id)
        by_reviewer.setdefault(item.reviewer, {})[key] = {mark.category for mark in item.label.marks}
    found = []
    for a, b in combinations(sorted(by_reviewer), 2):
        shared = [key for key in by_reviewer[a] if key in by_reviewer[b]]
        pairs = [(by_reviewer[a][key], by_reviewer[b][key]) for key in shared]
        categories = sorted({name for pair in pairs for names in pair for name in names})
        if pairs:
            found.append(_agreement("label", ANY, (a, b), [(bool(x), bool(y)) for x, y in pairs]))
        found += [_agreement("label", name, (a, b), [(name in x, name in y) for x, y in pairs]) for name in categories]
    return found


def agree_on_edits(revisions: Iterable[Revision], reviewed: ReviewedRevisions) -> list[Agreement]:
    """Compare the decisions of each two reviewers about edits: is it accepted? By the category that it mends."""
    pairs: dict[tuple[str, str], dict[str, list[tuple[bool, bool]]]] = {}
    for revision in revisions:
        people = reviewed.choices(revision)
        for a, b in combinations(sorted(people), 2):
            for number in people[a].keys() & people[b].keys():
                one, other = people[a][number].choice, people[b][number].choice
                if one is None or other is None:
                    continue
                groups = pairs.setdefault((a, b), {})
                for name in (ANY, *categories_of(revision, number)):
                    groups.setdefault(name, []).append((one == "accept", other == "accept"))
    return [
        _agreement("revision", "any edit" if name == ANY else name, reviewers, both)
        for reviewers, groups in pairs.items()
        for name, both in sorted(groups.items(), key=lambda item: (item[0] != ANY, item[0]))
    ]


def categories_of(revision: Revision, number: int) -> tuple[str, ...]:
    """Return the categories of the errors that an edit mends; of all errors for the text as a whole."""
    mended = revision.applied[number].mends if 0 <= number < len(revision.applied) else None
    return tuple(dict.fromkeys(note.category for note in revision.errors if mended is None or note.id in mended))


def _agreement(job: str, category: str, reviewers: tuple[str, str], pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    measured = rating_agreement([int(a) for a, _ in pairs], [int(b) for _, b in pairs])
    return Agreement(
        job=job,
        category=category,
        reviewers=reviewers,
        n=measured.n,
        kappa=measured.kappa,
        exact=measured.exact,
    )
