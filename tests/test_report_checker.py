"""The checker's share of flagged summaries in the report, corrected for how often the checker is wrong."""

import pytest
from tiny_checkers import save_roberta

from arf_programs.metrics import (
    CHECKER_PROBE,
    PLANTED_SUMMARIES,
    CheckerFigures,
    CheckerProbe,
    Interval,
    Scored,
    measure_separation,
)
from arf_programs.report.calibration import checked_figures, checked_lines
from arf_programs.runs import write_record
from arf_programs.stages import checker_digest
from arf_programs.stages.report import checker_probe


def share(value, n=100):
    return Interval(value=value, low=value, high=value, n=n)


def probe(found, spared, n=50):
    """A probe of a checker that flags `found` of the wrong and passes `spared` of the right summaries."""
    texts = [Scored(f"c{k}", float(k < found * n), ("number",)) for k in range(n)]
    texts += [Scored(f"c{k}", float(k >= spared * n)) for k in range(n)]
    figures = measure_separation(texts, threshold=0.5)
    return CheckerProbe(checker="mine", rows=(CheckerFigures(data=PLANTED_SUMMARIES, scorer="mine", figures=figures),))


FLAGGED = {"teacher": {"checker_error_rate": share(0.38)}, "base": {"error_rate": share(0.1)}}


def test_known_rates_correct_the_share_of_each_system():
    made = checked_figures(probe(0.8, 0.9), FLAGGED, confidence=0.95)
    assert set(made.corrected) == {"teacher"}
    assert made.corrected["teacher"].value == pytest.approx((0.38 + 0.9 - 1) / 0.7)
    (line,) = checked_lines(made)
    assert "teacher 40%" in line
    assert "planted summaries" in line


def test_a_checker_at_chance_corrects_nothing_and_the_page_says_so():
    made = checked_figures(probe(0.3, 0.7), FLAGGED, confidence=0.95)
    assert made.corrected == {}
    assert "cannot be corrected" in checked_lines(made)[0]
    assert made.sensitivity.value == pytest.approx(0.3)


def test_without_a_probe_the_page_says_how_to_get_one():
    assert "arf checker probe" in checked_lines(checked_figures(None, FLAGGED, confidence=0.95))[0]


def test_a_run_without_a_checker_says_nothing():
    assert checked_figures(None, {"base": {"error_rate": share(0.1)}}, confidence=0.95) is None
    assert checked_lines(None) == []


def test_a_probe_counts_for_the_checker_that_was_measured(make_run, tmp_path):
    folder = save_roberta(tmp_path / "mine")
    run = make_run(f"analyze.checker.model={folder}")
    assert checker_probe(run) is None
    write_record(folder / CHECKER_PROBE, probe(0.8, 0.9))  # from its training
    assert checker_probe(run) == probe(0.8, 0.9)
    own = probe(0.6, 0.9).model_copy(update={"digest": checker_digest(run)})
    run.folder.path.mkdir(parents=True)
    write_record(run.folder.checker_probe, own)
    assert checker_probe(run) == own
    write_record(run.folder.checker_probe, own.model_copy(update={"digest": "of another checker"}))
    assert checker_probe(run) == probe(0.8, 0.9)
    assert checker_probe(make_run()) is None
