"""The figures of a probe, by hand, and its tables."""

import pytest

from arf_programs.metrics.bootstrap import Resampling, cluster_ratio
from arf_programs.planting.records import Plant, PlantedItem
from arf_programs.report.probe import Cost, Probe, as_markdown, tables
from arf_programs.tools.probing.analysis import analysis_figures, clean_untouched, revision_figures
from signatures.records import ErrorNote, Turn

RESAMPLING = Resampling(samples=200, confidence=0.95, seed=1)
RIGHT = "Carla paid $40 on Monday. The agent refunded it."


def note(category, quote, name="x"):
    return ErrorNote(id=name, category=category, quote=quote, source="planted")


def item(name, *plants, talk="c"):
    """An item with `(kind, origin, right, wrong)` planted in RIGHT, all as wrong facts."""
    summary, made = RIGHT, []
    for kind, origin, right, wrong in plants:
        made.append(Plant(error_id=wrong, kind=kind, origin=origin, start=RIGHT.index(right), right=right, wrong=wrong))
        summary = summary.replace(right, wrong)
    return PlantedItem(
        id=name,
        conversation_id=talk,
        channel="email",
        conversation=(Turn(speaker="Customer", text="Hello"),),
        summary=summary,
        revised=RIGHT,
        errors=tuple(note("wrong_fact", wrong, wrong) for *_, wrong in plants),
        plants=tuple(made),
        source="references",
        seed=1,
    )


AMOUNT = ("amount", "invented", "$40", "$70")
DAY = ("date", "conversation", "Monday", "Friday")
ITEMS = [item("a", AMOUNT, DAY, talk="one"), item("b", AMOUNT, talk="two"), item("c"), item("d", talk="two")]


def test_recall_precision_and_alarms_by_hand():
    found = {
        "a": [note("wrong_fact", "$70"), note("fabricated", "on Friday")],
        "b": [],
        "c": [note("irrelevant", "Carla")],
        "d": [],
    }
    figures = analysis_figures(ITEMS, found, RESAMPLING, Cost(summaries=4))
    overall = figures.overall
    assert (overall.planted, overall.found, overall.clean) == (3, 3, 2)
    assert overall.recall == pytest.approx(1 / 3)
    assert overall.located == pytest.approx(2 / 3)
    assert overall.precision == pytest.approx(1 / 3)
    assert overall.precision_located == pytest.approx(2 / 3)
    assert overall.f1 == pytest.approx(2 / 6)
    assert overall.false_alarm_rate == 0.5
    assert overall.balanced_accuracy == pytest.approx(0.5)  # one of two planted, one of two clean
    assert figures.by_category["wrong_fact"].precision == 1
    assert figures.by_kind["amount"].recall == 0.5
    assert figures.by_origin["date, conversation"].located == 1
    assert (figures.outside.planted, figures.outside.recall) == (2, 0.5)
    assert overall.intervals["recall"].low <= 1 / 3 <= overall.intervals["recall"].high


def test_an_item_without_an_answer_does_not_count():
    figures = analysis_figures(ITEMS, {"b": [note("wrong_fact", "$70")]}, RESAMPLING, Cost())
    assert (figures.overall.planted, figures.overall.recall, figures.overall.clean) == (1, 1, 0)
    assert figures.overall.false_alarm_rate is None


def test_fix_and_untouched_rates_by_hand():
    revised = {"a": RIGHT.replace("$40", "$70"), "b": RIGHT.replace("refunded", "returned"), "c": RIGHT, "d": "Else."}
    figures = revision_figures(ITEMS, revised, RESAMPLING, Cost())
    assert figures.planted == 3
    assert figures.fix_rate == pytest.approx(2 / 3)
    # Outside the places stand 9 of 9 tokens in a, and 9 of 10 in b.
    assert figures.untouched_rate == pytest.approx(18 / 19)
    assert figures.whole_rate == 0.5
    assert figures.by_kind == {"amount": 0.5, "date": 1.0}
    assert clean_untouched(ITEMS, revised) == 0.5


def test_clusters_are_drawn_whole():
    same = cluster_ratio([1, 1, 1, 0, 0, 0], [1] * 6, ["a"] * 3 + ["b"] * 3)
    apart = cluster_ratio([1, 1, 1, 0, 0, 0], [1] * 6, list("abcdef"))
    assert same.value == apart.value == 0.5
    assert (same.low, same.high, same.n) == (0, 1, 2)
    assert apart.low > 0 and apart.n == 6
    assert cluster_ratio([], [], []) is None
    assert cluster_ratio([0, 1], [0, 1], ["a", "b"]).n == 1
    assert cluster_ratio([1, 2], [3, 4], ["a", "b"]) == cluster_ratio([1, 2], [3, 4], ["a", "b"])
    with pytest.raises(ValueError):
        cluster_ratio([1], [1, 2], ["a"])


def test_tables_have_a_row_for_each_category_and_read_as_markdown():
    found: dict[str, list[ErrorNote]] = {row.id: [] for row in ITEMS}
    probe = Probe(
        name="x",
        checks_only=True,
        items=4,
        clean=2,
        confidence=0.95,
        analyze=analysis_figures(ITEMS, found, RESAMPLING, Cost()),
    )
    by_category, by_kind, alarms = tables(probe)
    assert [row[0] for row in by_category.rows] == ["wrong_fact", "all"]
    assert by_category.rows[0][1:4] == ("3", "0.00 (0.00-0.00)", "-")
    assert by_kind.rows[-1][0] == "details from outside the conversation"
    assert ("clean summaries with a false alarm", "0.00 (0.00-0.00)") in alarms.rows
    text = as_markdown(probe)
    assert "| category | planted |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| wrong_fact") or "| category" in line}
    assert len(widths) == 1
