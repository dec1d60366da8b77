"""Intervals, paired differences, and the figures made of them."""

import math
import random

import pytest

from arf_programs.metrics.bootstrap import Resampling, configured_resampling, mean_interval, paired_difference
from arf_programs.metrics.systems.comparisons import compare_systems
from arf_programs.metrics.systems.definitions import by_channel, errors_by_category, in_order, system_metrics
from signatures.records import Conversation, ErrorNote, Rating, Score, Turn


def note(category: str = "wrong_fact", source: str = "lm") -> ErrorNote:
    return ErrorNote.model_validate({"id": "e", "category": category, "source": source})


def score(
    conversation: str, system: str, *errors: ErrorNote, channel: str = "email", rating: int | None = None
) -> Score:
    judged = Rating(rating=rating) if rating else None
    return Score(conversation_id=conversation, channel=channel, system=system, errors=errors, words=10, rating=judged)


def test_interval_agrees_with_the_normal_approximation() -> None:
    random_values = random.Random(3)
    values = [random_values.gauss(5, 2) for _ in range(400)]
    interval = mean_interval(values, None, Resampling(4000, 0.95, 1))
    assert interval is not None
    mean = sum(values) / len(values)
    error = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values) / len(values))
    assert interval.value == pytest.approx(mean)
    assert interval.low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert interval.high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)
    assert interval.n == 400


def test_interval_widens_with_confidence_and_repeats_with_its_seed() -> None:
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    narrow, wide, again, other = (
        mean_interval(values, None, Resampling(confidence=confidence, seed=seed))
        for confidence, seed in ((0.8, 5), (0.99, 5), (0.8, 5), (0.8, 6))
    )
    assert narrow is not None and wide is not None and other is not None
    assert wide.low < narrow.low <= narrow.value <= narrow.high < wide.high
    assert narrow == again
    assert narrow.value == other.value


@pytest.mark.parametrize("values", [[2.5], [2.5, 2.5, 2.5], [2.5, None]])
def test_what_cannot_vary_has_no_width(values: list[float | None]) -> None:
    interval = mean_interval(values)
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == (2.5, 2.5, 2.5)
    assert interval.n == sum(value is not None for value in values)


def test_nothing_measured_is_no_interval() -> None:
    assert mean_interval([]) is None
    assert mean_interval([None, None]) is None
    assert paired_difference([1.0], [None]) is None


def test_pairing_takes_out_what_both_have_in_common() -> None:
    hard = [float(n % 10) for n in range(60)]
    easier = [value - 0.5 - 0.1 * (n % 3) for n, value in enumerate(hard)]
    paired = paired_difference(easier, hard, Resampling(seed=2))
    assert paired is not None
    assert paired.value == pytest.approx(-0.6)
    assert paired.high < -0.5 and paired.high - paired.low < 0.1


def test_a_pair_with_a_missing_value_is_left_out() -> None:
    paired = paired_difference([1.0, None, 4.0, 2.0], [0.0, 5.0, None, 1.0])
    assert paired is not None
    assert (paired.value, paired.n) == (1.0, 2)
    with pytest.raises(ValueError, match="zip"):
        paired_difference([1.0], [1.0, 2.0])


def test_system_metrics_count_all_errors_and_those_of_checks() -> None:
    scores = [
        score("1", "teacher", note(), note(source="check"), rating=3),
        score("2", "teacher", note()),
        score("3", "teacher"),
        score("1", "base", rating=None),
    ]
    figures = system_metrics(scores, Resampling(samples=100))
    assert list(figures) == ["base", "teacher"]
    values = {name: interval.value for name, interval in figures["teacher"].items()}
    assert values == {
        "error_rate": pytest.approx(2 / 3),
        "errors_per_summary": 1.0,
        "check_error_rate": pytest.approx(1 / 3),
        "check_errors_per_summary": pytest.approx(1 / 3),
        "fact_error_rate": pytest.approx(2 / 3),
        "rating": 3.0,
        "words": 10.0,
    }
    assert figures["teacher"]["rating"].n == 1
    assert "rating" not in figures["base"], "a metric measured nowhere is left out, not shown as zero"


def test_comparisons_are_paired_by_conversation_and_signed_a_minus_b() -> None:
    scores = [
        score("1", "student_arf", channel="x"),
        score("2", "student_arf", note()),
        score("4", "student_arf", note()),
        score("2", "teacher", note(), note()),
        score("1", "teacher", note(), note()),
        score("3", "teacher"),
    ]
    found = {(c.a, c.b, c.metric): c for c in compare_systems(scores)}
    assert {(a, b) for a, b, _ in found} == {("student_arf", "teacher")}
    errors = found["student_arf", "teacher", "errors_per_summary"]
    assert (errors.difference, errors.n) == (-1.5, 2)
    assert ("student_arf", "teacher", "rating") not in found


def test_all_pairs_of_systems_that_were_scored_are_compared() -> None:
    scores = [score("1", name) for name in ("student_teacher", "student_arf", "teacher", "base")]
    pairs = list(dict.fromkeys((c.a, c.b) for c in compare_systems(scores)))
    assert pairs == [
        ("student_arf", "teacher"),
        ("student_arf", "base"),
        ("student_arf", "student_teacher"),
        ("student_teacher", "teacher"),
    ]


def test_channels_and_categories() -> None:
    scores = [
        score("1", "teacher", note("fabricated"), channel="web"),
        score("2", "teacher", note("fabricated"), note("irrelevant"), channel="bot"),
        score("1", "student_arf", channel="web", rating=4),
    ]
    channels = by_channel(scores)
    assert list(channels) == ["bot", "web"]
    assert channels["web"]["student_arf"] | {"n": 1.0} == channels["web"]["student_arf"]
    assert channels["bot"]["teacher"]["errors_per_summary"] == 2.0
    assert channels["web"]["student_arf"]["rating"] == 4.0
    assert errors_by_category(scores) == {
        "teacher": {"fabricated": 1.0, "irrelevant": 0.5},
        "student_arf": {"fabricated": 0.0, "irrelevant": 0.0},
    }


def test_no_scores_make_no_figures() -> None:
    assert not any((system_metrics([]), compare_systems([]), by_channel([]), errors_by_category([])))


def test_unknown_systems_come_last() -> None:
    assert in_order(["zeta", "student_arf", "alpha", "base"]) == ["base", "student_arf", "alpha", "zeta"]


def test_copies_of_a_conversation_are_drawn_together(make_run) -> None:
    talk = "the kettle that came on monday leaks from its base and the customer wants a new one by friday"
    other = "an agent cannot find the invoice of march for the office in graz and asks for its number again"
    texts = {"a": talk, "a2": talk, "a3": talk, "b": other}
    talks = {name: Conversation(id=name, turns=(Turn(speaker="Agent", text=text),)) for name, text in texts.items()}
    tool = configured_resampling(make_run().config, talks)
    assert tool.clusters == dict.fromkeys(("a", "a2", "a3"), tool.clusters["a"])
    assert configured_resampling(make_run("corpus.near_duplicate=1").config, talks).clusters
    errors = {f"{name}{number}": float(name == "a") for name in "ab" for number in range(20)}
    clusters = {name: name[0] for name in errors}
    alone, together = (Resampling(clusters=names).mean(errors) for names in ({}, clusters))
    assert alone is not None and together is not None
    assert alone.high - alone.low < 0.4 < together.high - together.low
