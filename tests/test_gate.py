"""`arf gate`: three exits, with the rate of false alarms and the power in simulations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest
from test_compare import rewrite
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.metrics.systems.gate import check_margins, margin_test, verdict_of
from arf_programs.metrics.systems.paired import detectable_effect, holm, pairs_needed
from arf_programs.report.compare import gate_runs
from signatures.exceptions import ConfigError
from signatures.records import ErrorNote, Score

ALPHA = 0.05
RUNS = 1000


def score(name: str, errors: int = 0) -> Score:
    notes = [
        ErrorNote(id=f"e{number}", category="fabricated", explanation="", severity="major", source="check")
        for number in range(errors)
    ]
    return Score(conversation_id=name, channel="chat", system="student_arf", errors=notes, words=5)


def scores(errors: list[int]) -> dict[str, Score]:
    return {f"c{number}": score(f"c{number}", count) for number, count in enumerate(errors)}


def paired_shares(conversations: int, worse: float, better: float, *, seed: int, runs: int = RUNS) -> np.ndarray:
    """Differences of two systems' shares: +1 with probability `worse`, -1 with `better`, else 0."""
    drawn = np.random.default_rng(seed).random((runs, conversations))
    return (drawn < worse).astype(float) - (drawn > 1 - better)


# False alarms and power, in 1,000 seeded simulations


@pytest.mark.parametrize("conversations", [10, 16, 50, 200])
@pytest.mark.parametrize(("margin", "discordant"), [(0.02, 0.05), (0.02, 0.3), (0.05, 0.2), (0.1, 0.4)])
def test_a_system_that_is_no_worse_than_the_margin_raises_few_alarms(
    conversations: int, margin: float, discordant: float
):
    for true in (0.0, margin / 2, margin):  # the last one is the worst case
        differences = paired_shares(conversations, discordant / 2 + true, discordant / 2, seed=conversations)
        alarms = margin_test(differences, margin).p_worse < ALPHA
        assert alarms.mean() <= ALPHA


@pytest.mark.parametrize("conversations", [10, 16, 50, 200])
@pytest.mark.parametrize(("margin", "discordant"), [(0.02, 0.0), (0.05, 0.05), (0.1, 0.3)])
def test_a_system_that_is_worse_by_the_margin_seldom_passes(conversations: int, margin: float, discordant: float):
    differences = paired_shares(conversations, discordant / 2 + margin, discordant / 2, seed=conversations)
    passed = int((margin_test(differences, margin).p_within < ALPHA).sum())
    assert binomtest(passed, RUNS, ALPHA, alternative="greater").pvalue > 0.01


def test_counts_and_scores_keep_the_level_too():
    drawn = np.random.default_rng(5)
    counts = drawn.poisson(1.2, (RUNS, 60)) - drawn.poisson(1.0, (RUNS, 60))
    overlaps = drawn.beta(3, 3, (RUNS, 60)) - drawn.beta(3, 3, (RUNS, 60)) + 0.02
    assert (margin_test(counts, 0.2).p_worse < ALPHA).mean() <= ALPHA
    for sample, margin, whole in ((counts, 0.2, True), (overlaps, 0.02, False)):
        test = margin_test(sample, margin, whole=whole)
        for wrong in (test.p_worse < ALPHA, test.p_within < ALPHA):
            assert binomtest(int(wrong.sum()), RUNS, ALPHA, alternative="greater").pvalue > 0.01


def test_three_metrics_together_raise_few_alarms():
    samples = [paired_shares(100, 0.12, 0.1, seed=seed) for seed in (1, 2, 3)]  # each at the edge of its margin
    tests = [margin_test(sample, 0.02).p_worse for sample in samples]
    rows = [dict(enumerate(row)) for row in np.stack(tests, axis=-1).tolist()]
    assert np.mean([min(holm(row).values()) < ALPHA for row in rows]) <= ALPHA
    assert np.mean([min(row.values()) < ALPHA for row in rows]) > ALPHA  # without the correction


def test_clusters_of_conversations_count_as_one():
    drawn = np.random.default_rng(3)
    of_agent = drawn.normal(0, 0.4, (RUNS, 20, 1)) + drawn.normal(0, 0.2, (RUNS, 20, 6))
    differences, agents = of_agent.reshape(RUNS, -1), [str(number // 6) for number in range(120)]
    by_agent = margin_test(differences, 0.0, whole=False, clusters=agents)
    assert by_agent.units == 20
    assert binomtest(int((by_agent.p_worse < ALPHA).sum()), RUNS, ALPHA, alternative="greater").pvalue > 0.01
    assert (margin_test(differences, 0.0, whole=False).p_worse < ALPHA).mean() > 2 * ALPHA


def test_what_it_says_beforehand_comes_true():
    """A regression of the size that it can detect is found, and two equal systems pass with the number it asks for."""
    pilot = paired_shares(200, 0.1, 0.1, seed=7, runs=1)[0]
    ours, theirs = [int(value > 0) for value in pilot], [int(value < 0) for value in pilot]
    (check,) = check_margins(scores(ours), scores(theirs), {"error_rate": 0.05})
    assert check.verdict == "cannot_tell" and check.detects is not None and check.needs is not None
    worse = check.detects / 2
    found = margin_test(paired_shares(200, 0.1 + worse, 0.1 - worse, seed=8), 0.05).p_worse < ALPHA
    assert 0.75 <= found.mean() <= 0.87
    passed = margin_test(paired_shares(check.needs, 0.1, 0.1, seed=9), 0.05).p_within < ALPHA
    assert 0.74 <= passed.mean() <= 0.86


def test_the_detectable_effect_is_what_that_number_of_pairs_detects():
    for pairs in (10, 16, 100, 5000):
        assert pairs_needed(detectable_effect(pairs) * (1 + 1e-9)) == pairs


# Verdicts


def test_a_small_sample_in_which_nothing_happened_proves_nothing():
    for number, verdict in ((20, "cannot_tell"), (200, "no_regression")):
        same = scores([0] * number)
        checks = check_margins(same, same, {"error_rate": 0.02})
        assert verdict_of(checks) == verdict
        assert checks[0].needs is not None and 100 < checks[0].needs < 500


def test_nine_conversations_are_too_few_for_any_claim():
    (check,) = check_margins(scores([1] * 9), scores([0] * 9), {"error_rate": 0.02})
    assert (check.verdict, check.detects) == ("cannot_tell", None)
    (check,) = check_margins(scores([1] * 10), scores([0] * 10), {"error_rate": 0.02})
    assert check.verdict == "regression"


def test_one_metric_that_got_worse_is_enough_and_all_must_hold_to_pass():
    clean, flawed = scores([0] * 300), scores([1, 0, 0] * 100)
    margins = {"error_rate": 0.02, "rating": 0.1}
    with pytest.raises(ConfigError, match="rating: it was not measured"):
        check_margins(flawed, clean, margins)
    worse = check_margins(flawed, clean, {"error_rate": 0.02, "errors_per_summary": 2.0})
    assert [check.verdict for check in worse] == ["regression", "no_regression"]
    assert verdict_of(worse) == "regression"
    better = check_margins(clean, flawed, {"error_rate": 0.0})
    assert verdict_of(better) == "no_regression"  # a better system passes even without a margin


def test_a_metric_more_makes_the_proof_of_a_regression_harder():
    flawed, clean = scores([1] * 5 + [0] * 35), scores([0] * 40)
    (alone,) = check_margins(flawed, clean, {"error_rate": 0.01})
    both = check_margins(flawed, clean, {"error_rate": 0.01, "errors_per_summary": 0.01})
    assert 0.025 < alone.p < 0.05 and alone.verdict == "regression"
    assert [check.verdict for check in both] == ["cannot_tell", "cannot_tell"]


def test_a_higher_rating_is_no_regression():
    rated = {
        name: item.model_copy(update={"rougeL": 0.4 + 0.01 * (number % 3)})
        for number, (name, item) in enumerate(scores([0] * 30).items())
    }
    higher = {name: item.model_copy(update={"rougeL": (item.rougeL or 0) + 0.2}) for name, item in rated.items()}
    assert verdict_of(check_margins(higher, rated, {"rougeL": 0.05})) == "no_regression"
    assert verdict_of(check_margins(rated, higher, {"rougeL": 0.05})) == "regression"


# The command


def invoke(*arguments: object):
    return CliRunner(env={"COLUMNS": "80"}).invoke(app, ["gate", *map(str, arguments)])


@pytest.fixture
def runs(project: Path) -> tuple[Path, Path]:
    """Two runs on one holdout of 40 conversations; in the second every summary of a student has one error more."""
    first = project / "run"
    path = first / "conversations.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    held = next(row for row in rows if row["split"] == "holdout")
    copies = [
        {
            **held,
            "conversation": {
                **held["conversation"],
                "id": f"copy-{number}",
                "turns": [{"speaker": "Customer", "text": " ".join(f"w{number}x{place}" for place in range(9))}],
            },
        }
        for number in range(40)
    ]
    train = [row for row in rows if row["split"] != "holdout"]
    path.write_text("".join(json.dumps(row) + "\n" for row in train + copies), encoding="utf-8")
    clean = [
        json.loads(score(f"copy-{number}").model_copy(update={"system": system}).model_dump_json())
        for number in range(40)
        for system in ("teacher", "student_arf")
    ]
    (first / "scores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in clean), encoding="utf-8")
    second = shutil.copytree(first, project / "second")

    def worse(row):
        if row["system"] == "student_arf":
            row["errors"].append({"id": "x", "category": "fabricated", "source": "check"})
        return row

    rewrite(second / "scores.jsonl", worse)
    return first, second


def test_the_three_exits(runs: tuple[Path, Path]):
    first, second = runs
    worse = invoke(second, "--baseline", first, "--max-regression", "error_rate=0.1")
    assert worse.exit_code == 1, worse.output
    assert "Regression: the candidate is worse than a margin allows." in worse.output
    better = invoke(first, "--baseline", second, "--max-regression", "error_rate=0.1")
    assert better.exit_code == 0, better.output
    unsure = invoke(first, "--max-regression", "error_rate=0.01")
    assert unsure.exit_code == 4, unsure.output
    assert "student_arf against teacher" in unsure.output
    assert "conversations, equal systems would pass 4 times in 5" in unsure.output
    assert unsure.output.rstrip().endswith("Cannot tell: the holdout is too small.")


def test_json_is_one_line(runs: tuple[Path, Path]):
    shown = invoke(runs[1], "--baseline", runs[0], "--max-regression", "error_rate=0.1", "--json")
    assert shown.exit_code == 1 and shown.stdout.count("\n") == 1
    told = json.loads(shown.stdout)
    assert (told["ok"], told["verdict"], told["candidate"]) == (False, "regression", "student_arf of second")
    assert told["checks"][0]["worse_by"] == 1.0 and told["checks"][0]["n"] == 40


def test_only_conversations_of_both_holdouts_count(runs: tuple[Path, Path]):
    def shorten(row):
        return None if row["conversation"]["id"] in ("copy-0", "copy-1") else row

    rewrite(runs[1] / "conversations.jsonl", shorten)
    result = gate_runs(runs[0], "student_arf", {"error_rate": 0.1}, baseline=runs[1])
    assert result.checks[0].n == 38
    assert result.notes[0] == "2 holdout conversations are not in both runs with the same text, and do not count"


def test_a_candidate_without_some_summaries_is_told(runs: tuple[Path, Path]):
    rewrite(runs[0] / "scores.jsonl", lambda row: None if row["conversation_id"] == "copy-3" else row)
    result = gate_runs(runs[0], "student_arf", {"error_rate": 0.1}, baseline=runs[1])
    assert "no score for 1 conversations" in result.notes[0]


def test_wrong_use_is_refused_with_all_problems(runs: tuple[Path, Path]):
    shown = invoke(runs[0], *(f"--max-regression={text}" for text in ("words=1", "error_rate=2", "rougeL=-1")))
    assert shown.exit_code == 2
    assert "words: not a metric that can get worse" in shown.output
    assert "error_rate: 2 is the whole scale: two points are 0.02" in shown.output
    assert "-1 is no margin" in shown.output
    unread = invoke(runs[0], "--max-regression", "error_rate", "--max-regression", "error_rate=0,02")
    assert unread.exit_code == 2 and unread.output.count("write METRIC=MARGIN") == 2
    assert "no metric is named" in invoke(runs[0]).output
    assert "has no scores of student_dpo" in invoke(runs[0], "--arm", "dpo", "--max-regression=error_rate=0").output
    itself = invoke(runs[0], "--against", "student_arf", "--max-regression", "error_rate=0")
    assert itself.exit_code == 2 and "cannot be compared with itself" in itself.output
