"""Labelled examples become demonstrations that an editor could have written."""

from pathlib import Path

import pytest

from arf_programs.config.schema import ColumnsConfig, LabeledConfig
from arf_programs.demos import analysis_demos, edits_between, revision_demos, usable_examples
from arf_programs.edits import apply_edits
from arf_programs.labeled import LabeledExample, read_labeled
from arf_programs.quotes import locate_error
from arf_programs.taxonomy.seed import seed_taxonomy
from signatures.records import Conversation, Edit, Taxonomy

SAMPLE = Path(__file__).parents[1] / "examples" / "quickstart"


@pytest.fixture(scope="module")
def sample() -> tuple[LabeledExample, ...]:
    return read_labeled(LabeledConfig(path="labeled.jsonl"), {}, ColumnsConfig(), SAMPLE)


def applied(before: str, after: str) -> str:
    edits = edits_between(before, after, ())
    return apply_edits(before, [Edit(op=e.op, quote=e.quote, replacement=e.replacement) for e in edits]).after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("The agent refunded 39.90.", "The agent sent a replacement."),
        ("The kettle leaked.", "The kettle leaked. The agent sent another."),
        ("It was new. The dog barked. It broke.", "It was new. It broke."),
        ("the the the", "the the"),
        ("a b a b a b", "a c a b a d"),
    ],
)
def test_the_edits_give_the_correction(before: str, after: str):
    assert applied(before, after) == after


def test_the_edits_of_the_sample_give_its_corrections(sample):
    for example in sample:
        assert applied(example.summary, example.revised) == example.revised


def test_an_edit_names_the_error_that_it_mends(conversation: Conversation):
    summary = "The kettle leaked. The agent refunded 39.90."
    error = locate_error(summary, conversation, category="wrong_fact", quote="refunded 39.90", evidence=(3,))
    (edit,) = edits_between(summary, "The kettle leaked. The agent sent another.", (error,))
    assert edit.mends == ["e1"]
    assert edit.evidence == [3]
    assert "refunded 39.90." in edit.quote


def test_only_examples_whose_categories_the_taxonomy_has_are_shown(sample):
    seed = seed_taxonomy()
    assert len(usable_examples(sample, seed, 16)) == 16
    narrow = Taxonomy(categories=tuple(c for c in seed.categories if c.id == "wrong_fact"))
    shown = usable_examples(sample, narrow, 16)
    assert 0 < len(shown) < 16
    assert {note.category for example in shown for note in example.errors} <= {"wrong_fact"}


def test_demos_have_all_fields_and_only_what_can_be_mended_is_revised(sample):
    chosen = usable_examples(sample, seed_taxonomy(), 30)
    analysis, revision = analysis_demos(chosen, seed_taxonomy()), revision_demos(chosen)
    assert len(analysis) == len(chosen)
    assert 0 < len(revision) < len(analysis)  # clean summaries have nothing to mend
    assert all(demo.edits and demo.revised and "e1." in demo.errors for demo in revision)
