"""`arf curve`: students of fractions of the conversations, the law fitted to their scores, and what it says."""

import json
import shutil
from collections import Counter
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import scripted_team
from conftest import open_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.cli.tools.estimate import _lines, _numbers
from arf_programs.metrics import Interval, Resampling
from arf_programs.pipeline import run_until
from arf_programs.runs import RunFolder, SplitConversation, read_jsonl, read_ledger, remove_conversations
from arf_programs.tools.curve.curve import Curve, measure_curve
from arf_programs.tools.curve.fit import fit_law, fit_metric, gain_of, gain_over, verdict_of
from arf_programs.tools.curve.points import in_order, most_revisions, points_of, score_point
from arf_programs.tools.estimating import estimate_run
from signatures.exceptions import ConfigError, DataError
from signatures.records import TrainingExample

SIZES = (25, 50, 100, 200)


def values(a, b, c, sizes=SIZES):
    return [a - b * (n / sizes[-1]) ** -c for n in sizes]


@pytest.mark.parametrize(("a", "b", "c"), [(0.8, 0.2, 0.5), (5.0, 1.0, 1.2), (-0.1, 0.3, 0.3), (0.4, -0.1, 0.5)])
def test_a_law_is_found_again_and_extended(a, b, c):
    law = fit_law(SIZES, values(a, b, c))
    assert (law.a, law.b, law.c) == pytest.approx((a, b, c), abs=1e-3)
    assert not law.exponent_bounded
    assert gain_of(law) == pytest.approx((a - b * 2**-c) - (a - b), abs=1e-4)


def test_scores_that_do_not_move_or_are_not_there():
    law = fit_law(SIZES, [0.5] * 4)
    assert (law.a, gain_of(law)) == (0.5, 0.0)
    assert fit_law(SIZES, [0.5, 0.5, np.nan, 0.5]) is None
    assert fit_law(SIZES, [0.9, 0.1, 0.9, 0.1]).exponent_bounded


def measured(a, b, c, *, sizes=SIZES, noise=0.05, seeds=3, conversations=60, better="higher"):
    """The curve of scores that follow a law, with noise, that hard conversations share."""
    rng = np.random.default_rng(1)
    hard = rng.normal(0, 0.1, conversations)
    scores = np.array([
        [value + hard + rng.normal(0, noise, conversations) for value in values(a, b, c, sizes)] for _ in range(seeds)
    ])  # fmt: skip
    names = [f"c{n}" for n in range(conversations)]
    return fit_metric("rougeL", better, sizes, scores, names, Resampling(100))


def test_a_rising_curve_pays_and_a_flat_one_does_not():
    rising = measured(0.5, 0.2, 0.5)
    assert rising.verdict == "pays"
    assert rising.gain.low < 0.2 * (1 - 2**-0.5) < rising.gain.high
    assert rising.last_step.low > 0
    flat = measured(0.5, 0, 0.5)
    assert flat.verdict == "no gain"
    assert flat.gain.low <= 0 <= flat.gain.high
    assert measured(0.5, -0.2, 0.5).verdict == "worse"
    fewer_errors = measured(0.1, -0.2, 0.5, better="lower")
    assert fewer_errors.verdict == "pays" and fewer_errors.gain.value > 0
    assert fewer_errors.law.a == pytest.approx(0.1, abs=0.1) and fewer_errors.law.b < 0


def test_three_points_are_too_few_to_say_that_nothing_is_gained():
    assert measured(0.5, 0, 0.5, sizes=(50, 100, 200)).verdict == "cannot say"
    assert measured(0.5, 0.3, 0.5, sizes=(50, 100, 200)).verdict == "pays"


def test_a_gain_less_sure_than_the_score_says_nothing():
    def interval(low, high):
        return Interval(value=(low + high) / 2, low=low, high=high, n=9)

    scores, risen, fallen = [interval(0.4, 0.5)] * 4, interval(0, 0.1), interval(-0.1, 0)
    assert verdict_of(interval(-0.01, 0.02), scores, risen) == "no gain"
    assert verdict_of(interval(-0.1, 0.2), scores, risen) == "cannot say"
    assert verdict_of(None, scores, risen) == "cannot say"
    assert verdict_of(interval(0.01, 0.02), scores, risen) == "pays"
    assert verdict_of(interval(0.01, 0.02), scores, fallen) == "cannot say", "the law rises, the scores no longer do"
    assert verdict_of(interval(-0.02, -0.01), scores, fallen) == "worse"


def test_a_low_start_alone_does_not_make_more_conversations_pay():
    rng = np.random.default_rng(2)
    means = np.array([0.3, 0.55, 0.65, 0.6])[None, :, None]
    scores = means + rng.normal(0, 0.05, (2, 4, 40))
    curve = fit_metric("rougeL", "higher", (8, 16, 23, 31), scores, [f"c{n}" for n in range(40)], Resampling(100))
    assert curve.gain.low > 0 > curve.last_step.value
    assert curve.verdict == "cannot say"


def test_seeds_and_clusters_widen_the_interval():
    rng = np.random.default_rng(0)
    apart = np.array([0.0, 0.2, 0.4])[:, None, None] + np.array([0.1, 0.2, 0.3, 0.35])[None, :, None]
    scores = apart + rng.normal(0, 0.01, (3, 4, 40))
    names = [f"c{n}" for n in range(40)]
    several = fit_metric("rougeL", "higher", SIZES, scores, names, Resampling(100)).scores[-1]
    one = fit_metric("rougeL", "higher", SIZES, scores[:1], names, Resampling(100)).scores[-1]
    assert several.high - several.low > 10 * (one.high - one.low)
    shifted = scores[:1] + np.repeat([0.0, 0.3], 20)
    alone = fit_metric("rougeL", "higher", SIZES, shifted, names, Resampling(100)).scores[-1]
    clusters = {name: str(place // 20) for place, name in enumerate(names)}
    together = fit_metric("rougeL", "higher", SIZES, shifted, names, Resampling(100, clusters=clusters)).scores[-1]
    assert together.high - together.low > 2 * (alone.high - alone.low)


def test_students_are_compared_at_all_conversations_paired_by_seed_and_conversation():
    rng = np.random.default_rng(0)
    fewer = rng.normal(0.5, 0.3, (3, 4, 40))
    names = [f"c{n}" for n in range(40)]
    everything = fewer + np.array([0.0, 0.0, 0.0, 0.1])[None, :, None]
    gain = gain_over("higher", everything, fewer, names, Resampling(100))
    assert (gain.value, gain.low, gain.high) == pytest.approx((0.1, 0.1, 0.1)), "what both share is no doubt"
    assert gain_over("lower", everything, fewer, names, Resampling(100)).value == pytest.approx(-0.1)


def test_fractions_of_too_few_conversations_are_refused():
    points = points_of((0.25, 0.5, 1), 2, 12)
    assert [(point.size, point.seed) for point in points] == [(3, 0), (6, 0), (12, 0), (3, 1), (6, 1), (12, 1)]
    with pytest.raises(DataError, match=r"4 training conversations are too few .*0\.1 is 0"):
        points_of((0.1, 0.5, 1), 1, 4)
    with pytest.raises(DataError, match=r"0\.9 is 4, 1 is 4"):
        points_of((0.5, 0.9, 1), 1, 4)


def arf(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.stdout, result.exc_info)
    return result


@pytest.fixture(scope="module")
def curved(finished_project, tmp_path_factory):
    """A finished run whose curve was measured: its folder, what was printed, and how often the team was asked."""
    project = tmp_path_factory.mktemp("curve") / "project"
    shutil.copytree(finished_project, project, ignore=shutil.ignore_patterns("tiny"))
    team = scripted_team.join_troubled()
    result = arf("curve", project / "arf.yaml", "--run-dir", project / "run", "--seeds", 1, "--json")
    return project, json.loads(result.stdout), dict(team.asked)


def test_each_point_is_a_student_of_a_part_of_the_conversations(curved):
    project, told, _ = curved
    run = open_project(project)
    train = set(run.conversations("train"))
    holdout = set(run.conversations("holdout"))
    parts = []
    for fraction, size in zip(told["fractions"], told["sizes"], strict=True):
        folder = RunFolder(project / f"run/curve/{fraction:g}-seed0")
        rows = list(read_jsonl(folder.conversations, SplitConversation))
        assert {row.conversation.id for row in rows if row.split == "holdout"} == holdout
        parts.append({row.conversation.id for row in rows if row.split == "train"})
        assert len(parts[-1]) == size == round(fraction * len(train))
        examples = list(read_jsonl(folder.train / "arf.jsonl", TrainingExample))
        assert examples and {example.conversation_id for example in examples} <= parts[-1]
        assert (folder.student / "arf/training_log.json").is_file()
        assert {path.name for path in folder.student.iterdir()} == {"arf"}
    assert parts[0] < parts[1] < parts[2] == train
    assert in_order(run, 0) != in_order(run, 1)
    assert set(in_order(run, 0)[: told["sizes"][0]]) == parts[0]


def test_the_figures_are_written_and_say_what_more_would_buy(curved):
    project, told, _ = curved
    saved = Curve.model_validate_json((project / "run/curve.json").read_text(encoding="utf-8"))
    assert saved.model_dump(mode="json") == {name: told[name] for name in saved.model_dump()}
    assert saved.metrics[0].metric == "error_rate"
    assert {"rating", "rougeL"} <= {item.metric for item in saved.metrics}
    assert saved.holdout == len(open_project(project).conversations("holdout"))
    lines = _lines(saved)
    assert sum("would buy" in line or "no curve fits" in line for line in lines) == len(saved.metrics)
    assert any("3 points are too few to say" in line for line in lines)
    assert lines[-1].startswith(f"The cost of {saved.sizes[-1]} more: ")


def test_the_cost_is_that_of_the_estimate(curved):
    project, told, _ = curved
    run = open_project(project)
    fresh = open_project(project, f"run_dir={project / 'nowhere'}")
    lines = {line.stage: line for line in estimate_run(fresh, history=[run.folder]).lines if line.source != "done"}
    train, everything = told["sizes"][-1], told["sizes"][-1] + told["holdout"]
    wanted = lines["draft"].calls.mid * train / everything + lines["analyze"].calls.mid + lines["revise"].calls.mid
    assert told["cost"]["calls"]["mid"] == pytest.approx(wanted)
    assert told["cost"]["conversations"] == train
    assert told["cost"]["train_seconds"] > 0


def test_what_points_have_in_common_is_asked_once_and_a_second_command_does_nothing(curved):
    project, told, asked = curved
    students = 3
    holdout = told["holdout"]
    # The summaries of three students alone are new: their base and the teacher were rated before.
    assert asked.get("rate", 0) <= students * holdout
    assert asked.get("find", 0) <= students * holdout
    assert not {"summary", "edits", "compare"} & set(asked)
    before = len(read_ledger(project / "run/calls.jsonl"))
    times = [path.stat().st_mtime_ns for path in sorted(Path(project / "run/curve").glob("*/student/arf/*"))]
    team = scripted_team.join_troubled()
    again = json.loads(arf("curve", project / "arf.yaml", "--run-dir", project / "run", "--json").stdout)
    assert again == told
    assert not team.asked
    assert len(read_ledger(project / "run/calls.jsonl")) == before
    assert [path.stat().st_mtime_ns for path in sorted(Path(project / "run/curve").glob("*/student/arf/*"))] == times


def test_a_point_that_was_lost_is_the_only_one_done_again(curved, tmp_path):
    project = shutil.copytree(curved[0], tmp_path / "project", symlinks=True)
    shutil.rmtree(project / "run/curve/0.5-seed0/student")
    scripted_team.join_troubled()
    result = arf("curve", project / "arf.yaml", "--run-dir", project / "run")
    said = " ".join(result.output.split())
    assert said.count("train: whole") == 2
    assert "2x the conversations would buy" in said and "Last step and gain are improvements" in said


def test_purging_the_conversations_takes_the_points_too(curved, tmp_path):
    project = shutil.copytree(curved[0], tmp_path / "project", symlinks=True)
    remove_conversations(RunFolder(project / "run"))
    assert not (project / "run/curve").exists()
    assert (project / "run/curve.json").is_file()


def test_a_point_of_fewer_revisions_is_trained_on_the_first_ones_of_each_draft(finished_project, tmp_path):
    project = shutil.copytree(finished_project, tmp_path / "project", ignore=shutil.ignore_patterns("tiny"))
    words = cycle(["quick", "slow", "fine", "hard", "long"])

    def delete_and_add(fields):
        edits = scripted_team._DEFAULTS["edits"](fields)
        more = {"op": "insert", "quote": "", "replacement": f" It was {next(words)}.", "mends": ["e1"], "evidence": []}
        return {"edits": [*edits["edits"], more]}

    scripted_team.join(edits=delete_and_add)
    run = open_project(project, "revise.samples=3")
    run_until(run, "revise")
    most = most_revisions(run)
    assert most == 3
    (point,) = points_of((1,), 1, len(run.conversations("train")), 2)
    score_point(run, point)
    folder = RunFolder(run.folder.curve_points / point.name)
    taken = Counter(row.conversation_id for row in read_jsonl(folder.train / "arf.jsonl", TrainingExample))
    assert set(taken.values()) == {1, 2}, "drafts without an error have one"
    assert most_revisions(run) == most, "the run keeps its own"
    with pytest.raises(DataError, match=r"no draft has more than 3"):
        measure_curve(run, [0.25, 0.5, 1], 1, [3])


@pytest.mark.parametrize(
    ("revisions", "settings", "told"),
    [
        ((1,), (), "models.editors"),
        ((2, 1), ("revise.samples=2",), "smallest"),
        ((0,), ("revise.samples=2",), "from 1"),
    ],
)
def test_numbers_of_revisions_that_say_nothing_are_refused_before_work(make_run, revisions, settings, told):
    run = make_run(*settings)
    with pytest.raises(ConfigError, match=told):
        measure_curve(run, [0.25, 0.5, 1], 1, revisions)
    assert not run.folder.path.exists()


@pytest.mark.parametrize(
    ("fractions", "told"),
    [
        ("0.5,1", "name 3 at least"),
        ("0.25,0.5,0.75", "the last of them 1"),
        ("0.5,0.25,1", "from the smallest to the largest"),
        ("0.25,0.25,1", "name each once"),
        ("0,0.5,1", "above 0"),
        ("0.5,1,2", "up to 1"),
        ("half,1", "expected numbers"),
        ("nan,0.5,1", "name each once"),
    ],
)
def test_fractions_that_say_nothing_are_refused_before_work(make_run, fractions, told):
    run = make_run()
    with pytest.raises(ConfigError, match=told):
        measure_curve(run, _numbers(fractions), 1)
    assert not run.folder.path.exists()
