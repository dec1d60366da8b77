import pytest

from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.detectors.calibration import best_threshold, fit_calibration, mismatches
from arf_programs.metrics.detectors.self_calibration import read_calibration
from arf_programs.runs import write_record
from signatures.exceptions import DataError

SCORES = [0.02, 0.05, 0.1, 0.12, 0.2, 0.3, 0.35, 0.4]
WRONG = [False, False, False, True, False, True, True, True]


def fit(scores=SCORES, labels=WRONG):
    return fit_calibration(scores, labels, model="m", prompt="p")


def test_scores_become_probabilities_in_the_same_order():
    made = fit()
    probabilities = [made.apply(score) for score in SCORES]
    assert probabilities == sorted(probabilities)
    assert probabilities[0] < 0.4 < 0.6 < probabilities[-1]
    assert (made.n, made.positives, made.method) == (8, 4, "platt")
    assert made.auc == pytest.approx(15 / 16)  # one pair of sixteen is in the wrong order


def test_the_threshold_is_the_best_one_on_these_sentences():
    made = fit()
    called = [made.apply(score) >= made.threshold for score in SCORES]
    assert balanced_accuracy(called, WRONG) == made.balanced_accuracy == 0.875


@pytest.mark.parametrize(
    ("scores", "labels", "threshold", "accuracy"),
    [
        ([0.1, 0.2, 0.6, 0.8], [False, False, True, True], 0.4, 1.0),
        ([0.5, 0.5], [False, True], 0.5, 0.5),
        ([0.1, 0.2, 0.3, 0.4], [True, False, True, False], 0.15, 0.5),
    ],
)
def test_the_threshold_lies_between_the_classes(scores, labels, threshold, accuracy):
    assert best_threshold(scores, labels)[1] == pytest.approx(accuracy)
    if accuracy == 1.0:
        assert best_threshold(scores, labels)[0] == pytest.approx(threshold)


def test_certain_scores_are_no_problem():
    made = fit([0.0, 1.0, 0.0, 1.0], [False, True, False, True])
    assert 0 < made.apply(0.0) < made.threshold < made.apply(1.0) < 1


@pytest.mark.parametrize(("label", "kind"), [(True, "a supported"), (False, "an unsupported")])
def test_both_kinds_of_sentence_are_needed(label, kind):
    with pytest.raises(DataError, match=f"{kind} one is not among the 8"):
        fit(labels=[label] * 8)


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "calibration.json"
    write_record(path, fit())
    assert read_calibration(path) == fit()


@pytest.mark.parametrize("text", ["", "[]", '{"model": "m"}', '{"a": NaN}', "\x80"])
def test_another_file_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=r"calibration\.json: no calibration"):
        read_calibration(path)
    with pytest.raises(DataError, match=r"no such file: set analyze\.calibration"):
        read_calibration(tmp_path / "other.json")


def test_another_model_or_wording_is_named():
    made = fit()
    assert mismatches(made, model="m", prompt="p") == []
    assert "fitted for m, and n is asked" in mismatches(made, model="n", prompt="p")[0]
    assert "another wording" in mismatches(made, model="m", prompt="q")[0]
