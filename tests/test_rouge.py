"""ROUGE: hand-computed values, several references, and the edges."""

import pytest

from arf_programs.metrics.similarity import ROUGE_METRICS, rouge

ALL = [*ROUGE_METRICS, *(f"{metric}_mean" for metric in ROUGE_METRICS)]


def test_values_equal_those_computed_by_hand() -> None:
    # 3 of 3 unigrams of the summary are among the 4 of the reference, 1 of 2 bigrams among 3, common subsequence 3.
    scores = rouge("agent refunded order", ["agent quickly refunded order"])
    assert scores["rouge1"] == pytest.approx(2 * 1.0 * 0.75 / 1.75)
    assert scores["rouge2"] == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))
    assert scores["rougeL"] == pytest.approx(2 * 1.0 * 0.75 / 1.75)


def test_words_are_stemmed_and_case_is_ignored() -> None:
    assert rouge("The agent REFUNDS orders", ["the agents refunded order"])["rouge1"] == pytest.approx(1.0)


def test_each_metric_takes_its_best_reference() -> None:
    words_shared, order_shared = "three two one parcel", "one two lorry bus tram"
    both = rouge("one two three", [words_shared, order_shared])
    alone = [rouge("one two three", [reference]) for reference in (words_shared, order_shared)]
    for metric in ROUGE_METRICS:
        values = [single[metric] for single in alone]
        assert both[metric] == max(values)
        assert both[f"{metric}_mean"] == pytest.approx(sum(values) / 2)
        assert alone[0][f"{metric}_mean"] == alone[0][metric], "of one reference, best and mean are the same"
    assert list(both) == ALL
    assert both["rouge1"] == alone[0]["rouge1"] > alone[1]["rouge1"]
    assert both["rouge2"] == alone[1]["rouge2"] > alone[0]["rouge2"]


def test_an_empty_summary_scores_zero() -> None:
    assert rouge("", ["the customer called"]) == dict.fromkeys(
        [*ROUGE_METRICS, *(f"{m}_mean" for m in ROUGE_METRICS)], 0.0
    )


def test_blank_references_do_not_count() -> None:
    assert rouge("a parcel", ["  ", "a parcel"])["rouge1"] == 1.0
    with pytest.raises(ValueError, match="at least one reference"):
        rouge("a parcel", ["", "\n"])
