"""F1 over errors, its feedback, and the yes-or-no question."""

import pytest

from arf_programs.metrics.detection import auc, balanced_accuracy, rates, score_detection
from signatures.records import ErrorNote


def note(category, quote="", explanation=""):
    return ErrorNote(id=f"{category}{quote}", category=category, quote=quote, explanation=explanation)


def test_f1_by_hand():
    labels = [note("wrong_fact", "50 euros"), note("fabricated", "a voucher"), note("missing_outcome")]
    found = [note("wrong_fact", "50 euros"), note("wrong_speaker", "The client")]
    result = score_detection(found, labels)
    assert (result.true_positives, result.found, result.labeled) == (1, 2, 3)
    assert (result.precision, result.recall) == (0.5, pytest.approx(1 / 3))
    assert result.f1 == result.score == pytest.approx(2 / 5)


def test_nothing_to_find():
    assert score_detection([], []).score == 1
    assert score_detection([note("wrong_fact", "x")], []).score == 0
    assert score_detection([], [note("wrong_fact", "x")]).score == 0
    assert rates(0, 0, 3) == (0, 0, 0)
    assert rates(0, 2, 0) == (0, 0, 0)
    assert rates(3, 4, 6) == (0.75, 0.5, 0.6)


def test_feedback_names_what_was_missed_invented_and_misnamed():
    labels = [
        note("wrong_fact", "50 euros", "It was 40."),
        note("fabricated", "a voucher", "Nobody offered one."),
        note("missing_outcome", explanation="The refund is left out."),
    ]
    found = [note("wrong_fact", "a voucher"), note("wrong_speaker", "The client", "The agent did.")]
    told = score_detection(found, labels).feedback.splitlines()
    assert told == [
        "0 of 3 errors were found under the right category.",
        'Missed: wrong_fact at "50 euros". It was 40.',
        "Missed: missing_outcome (something is missing). The refund is left out.",
        'Invented, since people see no error there: wrong_speaker at "The client". The agent did.',
        'Found, but called wrong_fact: fabricated at "a voucher". Nobody offered one.',
    ]
    assert score_detection(labels, labels).feedback == "All errors were found, and none was invented."
    assert "no error" in score_detection([], []).feedback


def test_equal_notes_are_counted_one_by_one():
    twice = [note("wrong_fact", "ten"), note("wrong_fact", "ten")]
    result = score_detection(twice, twice[:1])
    assert (result.true_positives, result.found) == (1, 2)
    assert "Invented" in result.feedback


def test_balanced_accuracy_is_the_mean_of_both_classes():
    actual = [True, True, True, True, False, False]
    assert balanced_accuracy([True, True, True, False, False, True], actual) == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert balanced_accuracy([True] * 6, actual) == 0.5
    assert balanced_accuracy([True, False], [True, True]) is None
    with pytest.raises(ValueError, match="1 predictions for 2"):
        balanced_accuracy([True], [True, False])


def test_auc_counts_ties_as_half():
    # Pairs (positive, negative): .9>.4, .9>.1, .4=.4, .4>.1 -> 3.5 of 4
    assert auc([0.9, 0.4, 0.4, 0.1], [True, True, False, False]) == pytest.approx(3.5 / 4)
    assert auc([0.9, 0.4], [True, True]) is None
    with pytest.raises(ValueError, match="1 scores for 2"):
        auc([0.9], [True, False])
