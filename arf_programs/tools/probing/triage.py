"""`arf triage`: which drafts are worth an analysis, learned from those that were analysed.

The learned ranking is the classical baseline for such questions (see arXiv 2506.15098): TF-IDF and logistic regression.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from arf_programs.checks import find_words, run_checks
from arf_programs.metrics import CatchCurve, catch_curve, configured_resampling
from arf_programs.programs import CheckerSupport
from arf_programs.runs import Run, read_jsonl
from arf_programs.stages import build_support
from arf_programs.text import split_sentences
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, DraftErrors, Record

LEAST: Final = 10
"""Fewest flawed and fewest right drafts. With fewer, nothing can be learned or said."""

_FOLDS: Final = 5
_NO_ANALYST: Final = "errors of the checks do not count, so set analyze.analyst to true, and run `arf analyze` again"


class Triage(Record):
    """The curve of each ranking over `drafts` drafts. A model or a person reported an error in `flawed` of them."""

    drafts: int
    flawed: int
    recall: float
    split: str
    curves: tuple[CatchCurve, ...]


@dataclass(frozen=True)
class _Case:
    conversation: Conversation
    draft: str
    flawed: bool
    check_notes: int


def rank_drafts(run: Run, *, time: str | None = None, recall: float = 0.9) -> Triage:
    """Rank the analysed drafts by what is known without an analysis, and compare the rankings with the errors found.

    What is learned from drafts is measured on others: in 5 folds or, with `time`, a key of the metadata, on the later
    half. Raises DataError if there are too few drafts, and ConfigError if conversations lack the key.
    """
    cases = _read_cases(run)
    _refuse_few(cases, mend="analyse more drafts" if run.config.analyze.analyst else _NO_ANALYST)
    folds, split = _folds(cases, time, run.config.seed)
    for places in (side for fold in folds for side in fold):
        _refuse_few([cases[place] for place in places], least=2)
    measured = [place for _, test in folds for place in test]
    tool = configured_resampling(run.config)
    flawed = [cases[place].flawed for place in measured]
    curves = [
        catch_curve(name, [scores[place] for place in measured], flawed, recall=recall, resampling=tool)
        for name, scores in _rankings(run, cases, folds).items()
    ]
    return Triage(drafts=len(measured), flawed=sum(flawed), recall=recall, split=split, curves=tuple(curves))


def _read_cases(run: Run) -> list[_Case]:
    if not run.folder.errors.exists():
        raise DataError(f"{run.folder.errors}: the drafts are not analysed yet: run `arf analyze` first")
    talks = run.conversations("train")
    drafts = {draft.conversation_id: draft.text for draft in run.drafts("train")}
    cases = []
    for row in read_jsonl(run.folder.errors, DraftErrors):
        talk, draft = talks.get(row.conversation_id), drafts.get(row.conversation_id)
        if talk is not None and draft is not None:
            notes = run_checks(talk, draft)
            cases.append(_Case(talk, draft, any(note.source != "check" for note in row.errors), len(notes)))
    return cases


def _refuse_few(cases: Sequence[_Case], least: int = LEAST, mend: str = "analyse more drafts") -> None:
    flawed = sum(case.flawed for case in cases)
    if min(flawed, len(cases) - flawed) < least:
        raise DataError(
            f"{flawed} of {len(cases)} drafts have an error that the analyst reported, and triage needs at least "
            f"{least} with one and as many without: {mend}"
        )


Folds = list[tuple[list[int], list[int]]]
"""(places to learn from, places to measure on)."""


def _folds(cases: Sequence[_Case], time: str | None, seed: int) -> tuple[Folds, str]:
    if time is not None:
        missing = sum(case.conversation.metadata.get(time) is None for case in cases)
        if missing:
            raise ConfigError(f"--time: {missing} of {len(cases)} conversations have no {time!r} in their metadata")
        order = sorted(range(len(cases)), key=lambda place: _moment(cases[place].conversation.metadata[time]))
        half = len(order) // 2
        return [(order[:half], order[half:])], f"learned from the earlier half by {time}, measured on the later"
    from sklearn.model_selection import StratifiedKFold

    labels = [case.flawed for case in cases]
    splits = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(labels, labels)
    return [(train.tolist(), test.tolist()) for train, test in splits], f"learned and measured in {_FOLDS} folds"


def _moment(value: Any) -> tuple[bool, float, str]:
    """Order numbers by size and other values, such as ISO dates, by their text."""
    number = isinstance(value, int | float)
    return (not number, float(value) if number else 0.0, str(value))


def _rankings(run: Run, cases: Sequence[_Case], folds: Folds) -> dict[str, list[float]]:
    """Return the scores of each ranking. A high score means: analyse this draft."""
    rankings = {
        "random": [0.0] * len(cases),
        "longest first": [float(len(find_words(case.draft))) for case in cases],
        "checks": [float(case.check_notes) for case in cases],
        "text (TF-IDF, logistic regression)": _learned(cases, folds),
    }
    support = build_support(run)
    if isinstance(support, CheckerSupport):
        rankings["checker"] = asyncio.run(_checked(support, cases))
    return rankings


def _learned(cases: Sequence[_Case], folds: Folds) -> list[float]:
    """Return the probability of an error, by a logistic regression on words (of draft and conversation) and checks."""
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    drafts = [case.draft for case in cases]
    talks = [case.conversation.as_text() for case in cases]
    plain = csr_matrix([[case.check_notes, len(find_words(case.draft)) / 100] for case in cases])
    scores = [0.0] * len(cases)
    for train, test in folds:
        parts = [plain]
        for texts in (drafts, talks):
            words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=20_000, sublinear_tf=True)
            words.fit([texts[place] for place in train])
            parts.append(words.transform(texts))
        features = hstack(parts).tocsr()
        model = LogisticRegression(max_iter=1000, class_weight="balanced")
        model.fit(features[train], [cases[place].flawed for place in train])
        for place, chance in zip(test, model.predict_proba(features[test])[:, 1], strict=True):
            scores[place] = float(chance)
    return scores


async def _checked(support: CheckerSupport, cases: Sequence[_Case]) -> list[float]:
    """Return the checker's score of the worst sentence of each draft."""

    async def worst(case: _Case) -> float:
        calls = [support.acall(conversation=case.conversation, sentence=text) for text in split_sentences(case.draft)]
        answers = await asyncio.gather(*calls)
        return max((answer.score.score or 0.0 for answer in answers), default=0.0)

    return list(await asyncio.gather(*(worst(case) for case in cases)))
