"""The causal table and the strata."""

import pytest

from arf_programs.corpus.split import read_clusters
from arf_programs.metrics.bootstrap import Resampling
from arf_programs.metrics.systems.causal import ANY, causal_table
from arf_programs.metrics.systems.definitions import by_channel, by_stratum, length_bands
from signatures.exceptions import ConfigError
from signatures.records import Conversation, ErrorNote, Revision, Score, Turn


def notes(categories: str) -> tuple[ErrorNote, ...]:
    return tuple(ErrorNote(id=f"e{n}", category=name) for n, name in enumerate(categories.split()))


def revision(name: str, before: str, after: str, verdict: str = "verified") -> Revision:
    return Revision.model_validate(
        {
            "conversation_id": name,
            "before": "Before.",
            "after": "After.",
            "strategy": "edits",
            "model": "m",
            "verdict": verdict,
            "attempts": 1,
            "errors": notes(before),
            "remaining": notes(after),
        }
    )


def score(name: str, system: str, errors: str, channel: str = "email") -> Score:
    return Score(conversation_id=name, channel=channel, system=system, errors=notes(errors), words=3)


REVISIONS = [
    revision("1", "fact fact", ""),
    revision("2", "fact name", "fact", "rejected"),
    revision("3", "", "", "unchanged"),
    revision("4", "name", "length", "rejected"),
]
SCORES = [
    *(score(*row) for row in (("a", "teacher", "fact fact"), ("b", "teacher", "name"), ("c", "teacher", ""))),
    *(score(*row) for row in (("a", "student_arf", "fact"), ("b", "student_arf", ""), ("c", "student_arf", "length"))),
    score("z", "student_arf", "fact fact fact"),  # not scored for the teacher: in no difference
]


def table(**settings):
    return {row.category: row for row in causal_table(REVISIONS, SCORES, Resampling(samples=200, **settings))}


def test_the_training_side_pairs_each_draft_with_its_revision() -> None:
    rows = table()
    assert list(rows) == [ANY, "fact", "name", "length"], "any error, then the commonest in drafts and teacher"
    fact = rows["fact"]
    assert (fact.drafts.value, fact.revisions.value, fact.change.value) == (0.5, 0.25, -0.25)
    assert (fact.fixed.value, fact.fixed.n) == (0.5, 2)
    assert (fact.added.value, fact.added.n) == (0.0, 2)
    assert (rows["length"].added.value, rows["length"].added.n) == (0.25, 4)
    assert rows["length"].fixed is None, "no draft had it"
    assert (rows["name"].fixed.value, rows["name"].drafts.value) == (1.0, 0.5)


def test_any_error_is_fixed_where_nothing_is_left_and_added_where_a_category_is_new() -> None:
    row = table()[ANY]
    assert (row.drafts.value, row.revisions.value) == (0.75, 0.5)
    assert (row.fixed.value, row.fixed.n) == (pytest.approx(1 / 3), 3)
    assert (row.added.value, row.added.n) == (0.25, 4)


def test_the_holdout_gives_each_systems_share_and_its_paired_difference() -> None:
    fact = table()["fact"]
    assert fact.holdout["teacher"].value == pytest.approx(1 / 3)
    assert (fact.holdout["student_arf"].value, fact.holdout["student_arf"].n) == (0.5, 4)
    assert (fact.against_teacher["student_arf"].value, fact.against_teacher["student_arf"].n) == (0.0, 3)
    assert "teacher" not in fact.against_teacher


def test_the_gains_of_the_categories_add_up_to_the_whole() -> None:
    rows = table()
    parts = [row for name, row in rows.items() if name != ANY]
    whole = rows[ANY]
    assert whole.gain["student_arf"].value == pytest.approx(-1 / 3)
    assert sum(row.gain["student_arf"].value for row in parts) == pytest.approx(whole.gain["student_arf"].value)
    assert sum(row.part["student_arf"] for row in parts) == pytest.approx(1.0)
    assert whole.part["student_arf"] == 1.0
    assert rows["length"].part["student_arf"] == pytest.approx(-1.0), "it grew, against the whole"


def test_without_a_difference_there_are_no_parts() -> None:
    scores = [score("a", "teacher", "fact"), score("a", "student_arf", "name")]
    rows = causal_table([], scores)
    assert [row.part["student_arf"] for row in rows] == [None, None, None]
    assert rows[0].drafts is None and rows[0].holdout
    assert causal_table([], []) == []


def test_without_scores_the_training_side_stands_alone() -> None:
    rows = causal_table(REVISIONS, [])
    assert rows[0].drafts is not None and not rows[0].holdout and not rows[0].gain


def test_clusters_are_drawn_on_both_sides() -> None:
    together = table(clusters=dict.fromkeys("1234", "x") | {"a": "y", "b": "y"})
    drafts = together["fact"].drafts
    assert drafts.low == drafts.value == drafts.high == 0.5, "one cluster cannot vary"


def talk(name: str, words: int, **metadata: object) -> Conversation:
    text = " ".join(["word"] * (words - 1))
    return Conversation(id=name, turns=(Turn(speaker="A", text=text),), metadata=metadata)


def test_length_bands_are_tertiles_and_say_their_limits() -> None:
    talks = {f"c{n}": talk(f"c{n}", n) for n in (9, 2, 30, 4, 5, 80)}
    bands = length_bands(talks)
    assert list(dict.fromkeys(bands.values())) == [
        "short (2 to 4 words)",
        "medium (5 to 9 words)",
        "long (30 to 80 words)",
    ]
    assert bands["c9"] == "medium (5 to 9 words)"
    assert set(length_bands({"a": talk("a", 5), "b": talk("b", 5)}).values()) == {"short (5 to 5 words)"}
    assert length_bands({}) == {}


def test_strata_are_means_in_the_order_given() -> None:
    scores = [score("a", "teacher", "fact", "web"), score("b", "teacher", "", "bot"), score("b", "base", "fact", "bot")]
    found = by_stratum(scores, {"b": "short", "a": "long", "unscored": "empty"})
    assert list(found) == ["short", "long"]
    assert found["short"]["base"] == {
        "n": 1,
        "error_rate": 1.0,
        "errors_per_summary": 1.0,
        "check_error_rate": 0.0,
        "check_errors_per_summary": 0.0,
        "fact_error_rate": 1.0,
        "words": 3.0,
    }
    assert list(by_channel(scores)) == ["bot", "web"]


def test_clusters_are_values_of_a_metadata_column() -> None:
    talks = {
        "a": talk("a", 3, agent="kim"),
        "b": talk("b", 3, agent=7),
        "c": talk("c", 3),
        "d": talk("d", 3, agent=None),
    }
    assert read_clusters(talks, "agent") == {"a": "kim", "b": "7"}
    assert read_clusters(talks, None) == {}
    with pytest.raises(ConfigError, match="'team' in its metadata"):
        read_clusters(talks, "team")
