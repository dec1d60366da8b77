"""Labelled examples become demonstrations that an editor could have written."""

from pathlib import Path

import dspy
import pytest
import scripted_team

from arf_programs.config.schema import ColumnsConfig, LabeledConfig
from arf_programs.corpus.labeled import LabeledExample, read_labeled
from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.models import scripted
from arf_programs.programs.asking import demos_for
from arf_programs.programs.demos import analysis_examples, edits_between, revision_examples, show, usable_examples
from arf_programs.text.edits import apply_edits
from arf_programs.text.quotes import locate_error
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
    seed = load_seed_taxonomy()
    assert len(usable_examples(sample, seed, 16)) == 16
    narrow = Taxonomy(categories=tuple(c for c in seed.categories if c.id == "wrong_fact"))
    shown = usable_examples(sample, narrow, 16)
    assert 0 < len(shown) < 16
    assert {note.category for example in shown for note in example.errors} <= {"wrong_fact"}


def program_of(strategy):
    from arf_programs.programs.analysis.analyze import HolisticAnalysis, SentencewiseAnalysis
    from arf_programs.programs.analysis.support import SentenceSupport

    if strategy == "holistic":
        return HolisticAnalysis(load_seed_taxonomy(), retries=0)
    return SentencewiseAnalysis(load_seed_taxonomy(), SentenceSupport(retries=0), retries=0)


@pytest.mark.parametrize("strategy", ["holistic", "sentencewise"])
def test_an_example_of_each_case_fits_every_predictor_of_the_analyst(sample, strategy):
    chosen = usable_examples(sample, load_seed_taxonomy(), 30)
    examples = analysis_examples(chosen, load_seed_taxonomy(), strategy)
    assert [example.summary for example in examples] == [case.summary for case in chosen]
    program = program_of(strategy)
    show(program, examples)
    for name, predictor in program.named_predictors():
        assert predictor.demos, name
        assert all(set(dict(demo)) == set(predictor.signature.fields) for demo in predictor.demos)


def test_sentences_are_shown_with_yes_and_no_in_balance_and_as_they_are(sample):
    chosen = usable_examples(sample, load_seed_taxonomy(), 30)
    examples = analysis_examples(chosen, load_seed_taxonomy(), "sentencewise")
    words = [example.supported for example in examples]
    assert abs(words.count("yes") - words.count("no")) <= 3
    for case, example in zip(chosen, examples, strict=True):
        assert example.sentence in case.summary
        assert ("error" in example) is (example.supported == "no")
        assert example.supported == "yes" or example.error.quote in case.summary


def test_an_editor_is_shown_what_it_will_be_asked(sample):
    chosen = usable_examples(sample, load_seed_taxonomy(), 30)
    one = revision_examples(chosen, "edits")
    rewritten = [example for example in one if "corrected" in example]
    added = [example for example in one if "missing" in example]
    assert rewritten
    assert added
    assert len(rewritten) + len(added) == len(one)
    assert all("____" in example.sentence and "____" not in example.corrected for example in rewritten)
    assert all(example.missing not in example.summary for example in added)
    together = revision_examples(chosen, "edits", "together")
    assert 0 < len(together) < len(chosen)  # clean summaries have nothing to mend
    assert all(example.edits and example.revised and "e1." in example.errors for example in together)
    assert revision_examples(chosen, "taxonomy") == []


@pytest.mark.parametrize("strategy", ["holistic", "sentencewise"])
def test_dspys_own_few_shot_shows_the_examples_and_its_state_can_be_read_again(
    sample, strategy, call, lm, conversation, tmp_path
):
    team = scripted_team.join()
    chosen = usable_examples(sample, load_seed_taxonomy(), 6)
    examples = analysis_examples(chosen, load_seed_taxonomy(), strategy)
    compiled = dspy.LabeledFewShot(k=3).compile(
        scripted_team.analyzer_of(lm, strategy=strategy), trainset=examples, sample=False
    )
    compiled.save(tmp_path / "state.json")
    fresh = scripted_team.analyzer_of(lm, strategy=strategy)
    fresh.load(tmp_path / "state.json")
    for program in (compiled, fresh):
        program.set_lm(lm)
        call(program, conversation=conversation, summary="The kettle leaked. A new one was sent.")
    shown = [item.messages for item in scripted.calls("model")]
    assert all(len(messages) > 2 for messages in shown)
    assert any(example.conversation in shown[0][1]["content"] for example in examples)
    kinds = {"holistic": {"find"}, "sentencewise": {"support", "omissions"}}
    assert set(team.asked) == kinds[strategy]


def test_the_examples_nearest_to_a_question_are_shown_but_none_of_its_own_conversation(sample):
    seed = load_seed_taxonomy()
    examples = analysis_examples(usable_examples(sample, seed, 2, "nearest"), seed, "holistic")
    program = program_of("holistic")
    show(program, examples, nearest=2)
    (predictor,) = program.predictors()
    assert len(predictor.demos) == len(examples), "DSPy saves the whole pool"
    for asked in examples[:5]:
        shown = demos_for(predictor, {name: asked[name] for name in predictor.signature.input_fields})
        assert len(shown) == 2
        assert all(demo.conversation != asked.conversation for demo in shown)
    texts = [" ".join(demo.summary for demo in demos_for(predictor, dict(asked))) for asked in examples]
    assert len(set(texts)) > len(examples) / 2, "other questions have other neighbours"


def test_random_examples_are_the_same_whatever_the_order_of_the_labelled_set(sample):
    seed = load_seed_taxonomy()
    drawn = usable_examples(sample, seed, 4, "random")
    assert drawn == usable_examples(list(reversed(sample)), seed, 4, "random")
    assert drawn != usable_examples(sample, seed, 4, "shortest")
