"""Measure a stack of checks, words and a small model's answers on summaries with human-checked labels.

    python bench/stacking.py sales_calls.jsonl --model smollm2-135m --planted tweetsumm.jsonl
    python bench/stacking.py --planted tweetsumm.jsonl --model smollm2-135m --limit 300

Reads JSONL rows with conversation, summary, errors ([] for a right one) and revised, as `analysts.py` does. A sentence
is wrong if it has a changed word. Each stack is fitted on the sentences of the other conversations (leave one out), or
on planted errors in the references of the file that `--planted` names. A summary is as suspect as its worst sentence.
Its threshold is fitted on the summaries of the other conversations. Without the first file, the planted sentences are
measured themselves, each by a stack that was fitted on those of other conversations. Intervals draw whole
conversations. Prints a table, and as the last line JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from first_words import FirstWords
from labelled_places import Case, read_cases
from question_forms import FORMS, Sentence
from questions import planted_items
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from arf_programs.checkers import load_checker
from arf_programs.config import CheckerConfig
from arf_programs.metrics import logit
from arf_programs.metrics.detectors.calibration import best_threshold
from arf_programs.metrics.detectors.separation import area_under_curve
from arf_programs.programs import SIGNS, read_signs
from arf_programs.text import find_sentences

_FORMS = ("less prior", "contrast")
_SAMPLES = 2000
_PLANTED = 2000


class Table:
    """The inputs of sentences: signs and scores by name, whether each is wrong, and the summary that it is in."""

    def __init__(self, sentences: Sequence[tuple[Sentence, bool, int]]) -> None:
        self.sentences = [sentence for sentence, _, _ in sentences]
        self.wrong = np.array([wrong for _, wrong, _ in sentences])
        self.owner = np.array([owner for _, _, owner in sentences])
        self.talks = np.array([sentence.conversation.id for sentence in self.sentences])
        signs = [read_signs(sentence.conversation, sentence.text) for sentence in self.sentences]
        self.inputs = {name: np.array([row[name] for row in signs]) for name in SIGNS}

    def ask(self, model: FirstWords) -> None:
        """Add the model's answers."""
        for name in _FORMS:
            prompts = [FORMS[name].prompts(sentence) for sentence in self.sentences]
            odds = model.odds([prompt for each in prompts for prompt in each])
            suspicion = FORMS[name].suspicion
            self.inputs[name] = np.array([suspicion([odds[prompt] for prompt in each]) for each in prompts])

    def check(self, folder: Path) -> None:
        """Add the scores of a checker."""
        checker = load_checker(CheckerConfig(model=str(folder)))
        asked = [checker.ask(sentence.conversation, sentence.text) for sentence in self.sentences]
        self.inputs["checker"] = np.array([logit(1 - future.result()) for future in asked])

    def columns(self, names: Sequence[str]) -> Any:
        """The inputs of these names, one row a sentence."""
        return np.array([self.inputs[name] for name in names]).T


def labelled_table(cases: Sequence[Case]) -> Table:
    """The sentences of labelled summaries."""
    return Table(
        [
            (Sentence(case.conversation, case.summary, start, end), _is_wrong(case, start, end), number)
            for number, case in enumerate(cases)
            for start, end in find_sentences(case.summary)
        ]
    )


def _is_wrong(case: Case, start: int, end: int) -> bool:
    return any(place.start < end and start < place.end for place in case.places)


def planted_table(path: Path, most: int = _PLANTED) -> Table:
    """Sentences of references, right ones and ones with a planted error."""
    items = planted_items(path, most)
    return Table([(item.sentences[0], item.wrong, number) for number, item in enumerate(items)])


def _fit(rows: Any, wrong: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, wrong)


def suspicions(table: Table, names: Sequence[str], planted: Table | None) -> Any:
    """The suspicion of each sentence by a stack that has not seen its conversation."""
    rows = table.columns(names)
    if planted is not None:
        return _fit(planted.columns(names), planted.wrong).decision_function(rows)
    scores = np.zeros(len(rows))
    for talk in sorted(set(table.talks)):
        mine = table.talks == talk
        scores[mine] = _fit(rows[~mine], table.wrong[~mine]).decision_function(rows[mine])
    return scores


def figures(name: str, labels: Sequence[bool], talks: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    """Balanced accuracy and area under the curve of what is flawed or not, with intervals."""
    called = [score >= cut for score, cut in zip(scores, _cuts(scores, labels, talks), strict=True)]
    area = area_under_curve(list(scores), labels, talks)
    assert area is not None
    counts = np.array([_counts(called, labels, talks, talk) for talk in sorted(set(talks))], float)
    return {"stack": name, "auc": area.model_dump(), "balanced_accuracy": _accuracy(counts), "counts": counts.tolist()}


def _cuts(scores: Sequence[float], labels: Sequence[bool], talks: Sequence[str]) -> list[float]:
    """The threshold of each summary: the best one on the summaries of the other conversations."""
    cuts = {}
    for talk in sorted(set(talks)):
        others = [(score, label) for score, label, name in zip(scores, labels, talks, strict=True) if name != talk]
        cuts[talk] = best_threshold([score for score, _ in others], [label for _, label in others])[0]
    return [cuts[talk] for talk in talks]


def _accuracy(counts: Any, less: Any = None) -> dict[str, float]:
    """Balanced accuracy, or with `less` how much it is above that of other counts, over the same drawn calls."""
    shares = np.full(len(counts), 1 / len(counts))
    drawn = np.random.default_rng(0).multinomial(len(counts), shares, size=_SAMPLES)

    def of(weights: Any) -> Any:
        both = [weights @ each for each in (counts, less) if each is not None]
        values = [(sums[..., 0] / sums[..., 1] + sums[..., 2] / sums[..., 3]) / 2 for sums in both]
        return values[0] - values[1] if len(values) == 2 else values[0]

    low, high = np.nanquantile(of(drawn), [0.025, 0.975])
    return {"value": float(of(np.ones(len(counts)))), "low": float(low), "high": float(high)}


def _counts(called: Sequence[bool], labels: Sequence[bool], talks: Sequence[str], name: str) -> list[int]:
    mine = [(call, label) for call, label, talk in zip(called, labels, talks, strict=True) if talk == name]
    wrong, right = [call for call, label in mine if label], [call for call, label in mine if not label]
    return [sum(wrong), len(wrong), sum(not call for call in right), len(right)]


def all_stacks(extra: Sequence[str]) -> dict[str, list[str]]:
    """The inputs of each stack, by name."""
    stacks = {"checks alone": ["checks"], "checks + words": list(SIGNS)}
    for number, name in enumerate(extra):
        stacks[f"{name} alone"] = [name]
        stacks["checks + words + " + " + ".join(extra[: number + 1])] = [*SIGNS, *extra[: number + 1]]
    return stacks


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of the table."""
    if options.path:
        cases = read_cases(options.path, options.limit)
        labels, talks = [case.flawed for case in cases], [case.conversation.id for case in cases]
        measured = labelled_table(cases)
        planted = planted_table(options.planted) if options.planted else None
    else:
        measured, planted = planted_table(options.planted, options.limit or _PLANTED), None
        labels, talks = list(map(bool, measured.wrong)), list(map(str, measured.talks))
    extra: list[str] = []
    if options.model:
        measured.ask(FirstWords(options.model, options.store, torch.float32))
        extra += _FORMS
    if options.checker:
        extra.append("checker")
        for table in filter(None, (measured, planted)):
            table.check(options.checker)
    rows = []
    for source, fitted_on in [("other conversations", None), *([("planted errors", planted)] if planted else [])]:
        for name, names in all_stacks(extra).items():
            if fitted_on is None or all(each in fitted_on.inputs for each in names):
                scores = suspicions(measured, names, fitted_on)
                worst = [float(scores[measured.owner == number].max()) for number in range(len(labels))]
                rows.append({"fitted on": source, **figures(name, labels, talks, worst)})
    for name in (*SIGNS, *extra):
        area = area_under_curve(list(measured.inputs[name]), list(measured.wrong), list(measured.talks))
        print(f"{name} by itself, of sentences: {_shown(area.model_dump() if area else {})}")
    return rows


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table."""
    lines = ["| fitted on | stack | balanced accuracy | above the checks | AUC |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        accuracy, area = _shown(row["balanced_accuracy"]), _shown(row["auc"])
        gain = _shown(_accuracy(np.array(row["counts"]), np.array(rows[0]["counts"])))
        lines.append(f"| {row['fitted on']} | {row['stack']} | {accuracy} | {gain} | {area} |")
    return "\n".join(lines)


def _shown(interval: Mapping[str, float]) -> str:
    return f"{interval['value']:.2f} ({interval['low']:.2f}-{interval['high']:.2f})" if interval else "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--limit", type=int, help="so many summaries, or planted sentences")
    parser.add_argument("--planted", type=Path, help="conversations with references, in which errors are planted")
    parser.add_argument("--model", help="a folder of weights, or the built-in model: adds its answers")
    parser.add_argument("--checker", type=Path, help="folder of a checker: adds its scores")
    parser.add_argument("--store", type=Path, help="file for answers, so that a repeated run asks nothing again")
    options = parser.parse_args()
    if not (options.path or options.planted):
        parser.error("name labelled summaries, or conversations with references by --planted")
    rows = run(options)
    print(as_table(rows))
    print(json.dumps({"model": options.model, "rows": rows}))


if __name__ == "__main__":
    main()
