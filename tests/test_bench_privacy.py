"""`bench/privacy.py` plants private values in conversations, and counts those that can still be read."""

import privacy
import pytest
from privacy_phrases import HELD_APART, TUNED

from arf_programs.privacy import Kind


def test_planted_values_cannot_be_read_and_all_conversations_are_restored():
    measured = privacy.measure(privacy.make_conversations(TUNED, 60, seed=3), seed=3)
    assert sum(measured.values.values()) == 300
    assert not measured.leaks, measured.leaked
    assert measured.restored == 60
    assert len(measured.changed) <= 0.05 * measured.kept


def test_few_names_can_be_read_in_phrases_that_were_held_apart():
    names = {"name": HELD_APART["name"]}
    measured = privacy.measure(privacy.make_conversations(names, 40, seed=5), seed=5)
    assert measured.values["name"] == 200
    assert measured.leaks["name"] <= 2, measured.leaked


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("name", "Tom Berg", "ole BERG wrote"),
        ("order number", "ORD-48213", "see ord 48213"),
        ("street address", "12 Maple Street", "in Maple Road"),
        ("e-mail address", "t.berg@x.de", "T.Berg at home"),
    ],
)
def test_a_part_of_a_value_counts_as_read(kind, value, text):
    assert privacy.is_readable(kind, value, text)
    assert not privacy.is_readable(kind, value, "nothing of it")


def test_each_kind_has_phrases():
    assert set(TUNED) == set(HELD_APART)
    assert len(TUNED) == len(Kind)
