"""The figures bundled in summary.json, computed again from the raw records in plain Python."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import product
from operator import itemgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest
from conftest import open_project

from arf_programs.report.data import RunSummary
from arf_programs.stages import report

Row = dict[str, Any]


def rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


NOT_OF_FACT = ("length", "repetition", "verbatim_copy", "irrelevant", "private_data")
READ: dict[str, Callable[[Any], float]] = {
    "error_rate": lambda row: float(len(row["errors"]) > 0),
    "errors_per_summary": lambda row: float(len(row["errors"])),
    "check_error_rate": lambda row: float(any(note["source"] == "check" for note in row["errors"])),
    "check_errors_per_summary": lambda row: float(sum(note["source"] == "check" for note in row["errors"])),
    "fact_error_rate": lambda row: float(any(note["category"] not in NOT_OF_FACT for note in row["errors"])),
    "rating": lambda row: row["rating"] and row["rating"]["rating"],
    **{f"rouge{n}{kind}": itemgetter(f"rouge{n}{kind}") for n in "12L" for kind in ("", "_mean")},
    "words": lambda row: float(row["words"]),
}
LOWER = ("error_rate", "fact_error_rate", "errors_per_summary", "check_error_rate", "check_errors_per_summary")


@pytest.fixture(scope="module")
def run(finished_project: Path) -> Path:
    return finished_project / "run"


@pytest.fixture(scope="module")
def evaluate(run: Path) -> Row:
    return json.loads((run / "summary.json").read_text(encoding="utf-8"))["evaluate"]


@pytest.fixture(scope="module")
def systems(run: Path) -> dict[str, dict[str, Row]]:
    """{system: {conversation: its score}}."""
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows(run / "scores.jsonl"):
        found[row["system"]][row["conversation_id"]] = row
    return found


def values(scores: dict[str, Row], metric: str) -> dict[str, float]:
    read = {name: READ[metric](row) for name, row in scores.items()}
    return {name: value for name, value in read.items() if value is not None}


def test_every_figure_of_a_system(evaluate: Row, systems: dict[str, dict[str, Row]]) -> None:
    assert set(evaluate["systems"]) == set(systems) >= {"base", "teacher", "student_teacher", "student_arf"}
    for system, scores in systems.items():
        figures = evaluate["systems"][system]
        assert {"error_rate", "rating", "rougeL", "rougeL_mean", "words"} <= set(figures)
        for metric in READ.keys() & figures.keys():
            known = values(scores, metric)
            assert figures[metric]["value"] == pytest.approx(fmean(known.values())), (system, metric)
            assert figures[metric]["n"] == len(known)
            assert min(known.values()) <= figures[metric]["low"] <= figures[metric]["high"] <= max(known.values())


def test_every_difference_with_its_test_effect_and_wins(evaluate: Row, systems: dict[str, dict[str, Row]]) -> None:
    compared = [row for row in evaluate["comparisons"] if row["metric"] in READ]
    assert {(row["a"], row["b"]) for row in compared} >= {("student_arf", "teacher"), ("student_teacher", "teacher")}
    assert any(row["difference"] for row in compared)
    for row in compared:
        a, b = (values(systems[row[side]], row["metric"]) for side in "ab")
        by_name = {name: a[name] - b[name] for name in a if name in b}
        differences = list(by_name.values())
        assert row["difference"] == pytest.approx(fmean(differences)), row
        units: dict[str, float] = defaultdict(float)
        for name, difference in by_name.items():
            units["mitten" if name.startswith("mitten") else name] += difference  # near-duplicates are one unit
        assert (row["n"], row["clusters"]) == (len(differences), len(units))
        assert row["p"] == pytest.approx(exact_p(list(units.values()))), row
        _check_effect(row, differences)
        if row["metric"] != "words":
            sign = -1 if row["metric"] in LOWER else 1
            counts = Counter((d * sign > 0) - (d * sign < 0) for d in differences)
            assert (row["wins"], row["ties"], row["losses"]) == (counts[1], counts[0], counts[-1])
        if row["low"] > 0 or row["high"] < 0:
            assert row["settles_at"] is None


def exact_p(differences: list[float]) -> float:
    """Two-sided, over all ways to sign the differences."""
    moved = [value for value in differences if value]
    sums = [
        math.fsum(s * d for s, d in zip(signs, moved, strict=True)) for signs in product((1, -1), repeat=len(moved))
    ]
    seen, slack = math.fsum(moved), 1e-9
    smaller = sum(total <= seen + slack for total in sums) / len(sums)
    larger = sum(total >= seen - slack for total in sums) / len(sums)
    return min(1.0, 2 * min(smaller, larger))


def _check_effect(row: Row, differences: list[float]) -> None:
    effect = row["effect"]
    if row["metric"] in ("error_rate", "check_error_rate", "fact_error_rate"):
        expected = fmean(differences)
    elif row["metric"] == "rating":
        expected = fmean((d > 0) - (d < 0) for d in differences)
    elif len(differences) < 2 or stdev(differences) < 1e-12:
        assert effect is None
        return
    else:
        expected = fmean(differences) / stdev(differences)
    assert effect["value"] == pytest.approx(expected), row


def test_holms_correction(evaluate: Row) -> None:
    tested = sorted((row for row in evaluate["comparisons"] if row["p_holm"] is not None), key=lambda row: row["p"])
    assert len(tested) >= 20
    highest = 0.0
    for rank, row in enumerate(tested):
        highest = max(highest, min(1.0, row["p"] * (len(tested) - rank)))
        assert row["p_holm"] == pytest.approx(highest)


def test_means_by_channel_and_length(evaluate: Row, run: Path, systems: dict[str, dict[str, Row]]) -> None:
    talks = {row["conversation"]["id"]: row for row in rows(run / "conversations.jsonl") if row["split"] == "holdout"}
    words = {
        name: sum(len(f"{turn['speaker']}: {turn['text']}".split()) for turn in row["conversation"]["turns"])
        for name, row in talks.items()
    }
    for channel, figures in evaluate["by_channel"].items():
        _check_stratum(figures, systems, {name for name in talks if talks[name]["conversation"]["channel"] == channel})
    for band, figures in evaluate["by_length"].items():
        low, high = (int(word) for word in band.split("(")[1].split() if word.isdigit())
        _check_stratum(figures, systems, {name for name, count in words.items() if low <= count <= high})
    for strata in (evaluate["by_channel"], evaluate["by_length"]):
        for system, scores in systems.items():
            assert sum(figures[system]["n"] for figures in strata.values() if system in figures) == len(scores)


def _check_stratum(figures: Row, systems: dict[str, dict[str, Row]], names: set[str]) -> None:
    for system, means in figures.items():
        inside = {name: row for name, row in systems[system].items() if name in names}
        assert means["n"] == len(inside)
        for metric in READ.keys() & means.keys():
            assert means[metric] == pytest.approx(fmean(values(inside, metric).values()))


def test_the_causal_table(evaluate: Row, run: Path, systems: dict[str, dict[str, Row]]) -> None:
    revisions = rows(run / "revisions.jsonl")
    table = {row["category"]: row for row in evaluate["causal"]}
    assert len(table) > 1
    assert any(row["fixed"] for row in table.values())
    for category, row in table.items():
        before = [_count(r["errors"], category) for r in revisions]
        after = [_count(r["remaining"], category) for r in revisions]
        assert row["drafts"]["value"] == pytest.approx(fmean(n > 0 for n in before))
        assert row["revisions"]["value"] == pytest.approx(fmean(n > 0 for n in after))
        if any(before):
            fixed = [y == 0 for x, y in zip(before, after, strict=True) if x]
            assert (row["fixed"]["value"], row["fixed"]["n"]) == (pytest.approx(fmean(fixed)), len(fixed))
        for system, scores in systems.items():
            found = {name: _count(score["errors"], category) for name, score in scores.items()}
            assert row["holdout"][system]["value"] == pytest.approx(fmean(n > 0 for n in found.values()))
            if system == "teacher":
                continue
            teacher = {name: _count(score["errors"], category) for name, score in systems["teacher"].items()}
            gain = fmean(found[name] - teacher[name] for name in found if name in teacher)
            assert row["gain"][system]["value"] == pytest.approx(gain)


def test_the_gains_by_category_sum_to_the_difference_in_errors_per_summary(evaluate: Row) -> None:
    differences = {
        row["a"]: row["difference"]
        for row in evaluate["comparisons"]
        if (row["b"], row["metric"]) == ("teacher", "errors_per_summary")
    }
    assert differences
    for system, difference in differences.items():
        kinds = [row["gain"][system]["value"] for row in evaluate["causal"] if row["category"]]
        assert math.fsum(kinds) == pytest.approx(difference)


def _count(errors: list[Row], category: str) -> int:
    return sum(category in ("", note["category"]) for note in errors)


def test_clusters_of_the_metadata_are_the_units_of_intervals_and_tests(project: Path) -> None:
    table = rows(project / "run" / "conversations.jsonl")
    agents = itertools.cycle(["kim", "lee"])
    for row in table:
        row["conversation"]["metadata"] = {"agent": next(agents) if row["split"] == "holdout" else "max"}
    text = "".join(json.dumps(row) + "\n" for row in table)
    (project / "run" / "conversations.jsonl").write_text(text, encoding="utf-8")
    report.work(open_project(project, "evaluate.cluster=agent"))
    figures = RunSummary.model_validate_json((project / "run" / "summary.json").read_text()).evaluate
    words = [row for row in figures.comparisons if row.metric == "words"]
    assert words and all((row.clusters, row.n > 2) == (2, True) for row in words)
    assert all(row.p >= 0.5 for row in words), "two clusters can be flipped in four ways"
    drafts = figures.causal[0].drafts
    assert drafts is not None and drafts.low == drafts.high, "one agent trained on, so nothing varies"
