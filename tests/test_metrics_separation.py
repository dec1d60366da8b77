"""How well a score tells wrong from right, and the share of wrong summaries behind what a checker flags."""

import random

import pytest

from arf_programs.metrics import (
    LABELLED,
    PLANTED_SUMMARIES,
    CheckerFigures,
    CheckerProbe,
    ErrorRates,
    Interval,
    Scored,
    correct_prevalence,
    measure_separation,
)
from arf_programs.runs import read_record, write_record


def scored(count=40, *, gap=1.0, kind="number"):
    """Conversations with a right and a wrong text each; `gap` is how much more suspect the wrong one is."""
    rng = random.Random(3)
    return [
        Scored(f"c{n}", rng.random() + (gap if wrong else 0.0), (kind,) if wrong else ())
        for n in range(count)
        for wrong in (False, True)
    ]


def test_a_perfect_score_separates_everywhere():
    made = measure_separation(scored(gap=1.0), threshold=1.0)
    assert (made.texts, made.wrong, made.conversations) == (80, 40, 40)
    assert made.auc.value == made.balanced_accuracy == 1.0
    assert made.recall.value == 1.0
    assert (made.sensitivity.value, made.specificity.value) == (1.0, 1.0)


def test_a_blind_score_is_chance_and_its_interval_says_so():
    made = measure_separation(scored(gap=0.0), threshold=0.5)
    assert made.auc.low < 0.5 < made.auc.high
    assert 0.3 < made.balanced_accuracy < 0.7
    assert made.recall.value < 0.25


def test_recall_is_by_kind_and_a_text_counts_for_each_of_its_kinds():
    texts = [Scored(f"c{n}", n / 100) for n in range(40)]
    texts += [Scored(f"c{n}", 1.0, ("name", "number")) for n in range(5)]
    texts += [Scored(f"c{n}", 0.0, ("date",)) for n in range(5)]
    made = measure_separation(texts, threshold=0.5)
    assert {kind: found.value for kind, found in made.recall_by_kind.items()} == {"date": 0, "name": 1, "number": 1}
    assert made.recall.value == 0.5


def test_one_kind_of_text_alone_has_no_area_and_no_accuracy():
    made = measure_separation([Scored("c", 0.2), Scored("d", 0.9)], threshold=0.5)
    assert made.auc is made.balanced_accuracy is made.recall is made.sensitivity is None
    assert made.specificity.value == 0.5


def share(value, n):
    return Interval(value=value, low=value, high=value, n=n)


def test_a_share_is_corrected_by_the_formula_of_rogan_and_gladen():
    rates = ErrorRates(share(0.8, 1_000_000), share(0.9, 1_000_000))
    made = correct_prevalence(share(0.31, 1_000_000), rates)  # 0.3 wrong: 0.3 * 0.8 + 0.7 * 0.1
    assert made.value == pytest.approx(0.3)
    assert made.high - made.low < 0.01


def test_uncertain_rates_widen_the_interval():
    known = correct_prevalence(share(0.31, 200), ErrorRates(share(0.8, 100_000), share(0.9, 100_000)))
    unsure = correct_prevalence(share(0.31, 200), ErrorRates(share(0.8, 30), share(0.9, 30)))
    assert unsure.high - unsure.low > 1.3 * (known.high - known.low)


def test_a_corrected_share_stays_between_none_and_all():
    rates = ErrorRates(share(0.8, 50), share(0.9, 50))
    assert correct_prevalence(share(0.02, 100), rates).value == 0.0
    high = correct_prevalence(share(0.99, 100), rates)
    assert high.value == high.high == 1.0


@pytest.mark.parametrize(("sensitivity", "specificity"), [(0.4, 0.6), (0.1, 0.8)])
def test_a_checker_that_is_no_better_than_chance_corrects_nothing(sensitivity, specificity):
    assert correct_prevalence(share(0.3, 100), ErrorRates(share(sensitivity, 50), share(specificity, 50))) is None


@pytest.mark.parametrize("truth", [0.1, 0.4])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(truth):
    rng = random.Random(11)
    draws, held = 400, 0
    for _ in range(draws):
        found = sum(rng.random() < 0.75 for _ in range(80)) / 80
        spared = sum(rng.random() < 0.9 for _ in range(80)) / 80
        flagged = sum(rng.random() < (0.75 if rng.random() < truth else 0.1) for _ in range(150)) / 150
        made = correct_prevalence(share(flagged, 150), ErrorRates(share(found, 80), share(spared, 80)))
        held += made.low <= truth <= made.high
    assert held / draws > 0.92


def probe(**sets):
    rows = [
        CheckerFigures(data=name, scorer="mine", figures=measure_separation(texts, threshold=1.0))
        for name, texts in sets.items()
    ]
    return CheckerProbe(checker="mine", rows=tuple(rows))


def test_rates_are_those_of_labels_where_there_are_enough_of_them():
    good, few = scored(), scored(count=5)
    assert probe(**{PLANTED_SUMMARIES: good}).rates()[0] == PLANTED_SUMMARIES
    assert probe(**{PLANTED_SUMMARIES: good, LABELLED: few}).rates()[0] == PLANTED_SUMMARIES
    assert probe(**{PLANTED_SUMMARIES: good, LABELLED: good}).rates()[0] == LABELLED
    assert probe(**{"other": good}).rates() is None
    assert probe(**{PLANTED_SUMMARIES: good}).model_copy(update={"checker": None}).rates() is None


def test_a_probe_is_read_as_it_was_written(tmp_path):
    made = probe(**{PLANTED_SUMMARIES: scored()})
    write_record(tmp_path / "probe.json", made)
    assert read_record(tmp_path / "probe.json", CheckerProbe) == made
    assert read_record(tmp_path / "none.json", CheckerProbe) is None
    (tmp_path / "probe.json").write_text("{}")
    assert read_record(tmp_path / "probe.json", CheckerProbe) is None
