"""A checker in place of the support question: threshold, calibration, candidates and verification work as before."""

import asyncio

import dspy
import pytest
import scripted_team
from tiny_checkers import save_roberta
from tiny_model import save_tiny_model

from arf_programs.checkers import load_checker
from arf_programs.config import CheckerConfig
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import METRICS, fit_calibration
from arf_programs.pipeline import run_until
from arf_programs.programs import CheckerSupport, calibration_of, support_rows
from arf_programs.runs import read_jsonl, write_record
from arf_programs.stages import build_support, refuse_calibration
from arf_programs.stages.evaluation.scoring import prepare_scores
from arf_programs.tools.estimating import estimate_run
from signatures.exceptions import DataError
from signatures.records import Conversation, DraftErrors, ErrorNote, Revision, Summary, Turn

TALK = Conversation(
    id="c", turns=(Turn(speaker="Customer", text="My lamp broke."), Turn(speaker="Agent", text="Sorry."))
)


@pytest.fixture(scope="module")
def checker(tmp_path_factory):
    return CheckerConfig(model=str(save_roberta(tmp_path_factory.mktemp("checkers") / "MiniCheck-RoBERTa-Large")))


def test_the_score_is_the_probability_that_a_sentence_is_not_supported(checker):
    answer = CheckerSupport(checker)(conversation=TALK, sentence="The lamp broke.")
    expected = load_checker(checker).score([("Customer: My lamp broke.\nAgent: Sorry.", "The lamp broke.")])[0]
    assert answer.raw == pytest.approx(1 - expected, abs=1e-5)
    assert answer.score.score == answer.raw
    assert answer.score.flagged == (answer.raw >= 0.5)


def test_a_calibration_is_fitted_for_the_checker_and_moves_the_threshold(checker):
    support = CheckerSupport(checker)
    wrong = ErrorNote(id="e", category="wrong_fact", quote="The car broke.")
    cases = [
        LabeledExample(conversation=TALK, summary="The lamp broke. The agent was sorry.", errors=()),
        LabeledExample(conversation=TALK, summary="The car broke. It was late.", errors=(wrong,)),
    ]
    rows = asyncio.run(support_rows(support, cases))
    assert [row.wrong for row in rows] == [False, False, True, False]
    made = calibration_of(rows, support)
    assert made.model == checker.model
    calibrated = CheckerSupport(checker, calibration=made)
    assert calibrated.threshold == made.threshold
    assert calibrated(conversation=TALK, sentence="It broke.").score.score == made.apply(
        support(conversation=TALK, sentence="It broke.").raw
    )


def test_the_form_is_part_of_what_a_calibration_is_for(checker):
    other = CheckerSupport(checker.model_copy(update={"form": "pair"}))
    assert CheckerSupport(checker).prompt_digest() != other.prompt_digest()


def test_a_program_with_a_checker_is_copied_and_has_no_prompt_for_it(checker):
    support = CheckerSupport(checker)
    support(conversation=TALK, sentence="It broke.")
    support.set_lm(dspy.utils.DummyLM([]))
    assert support.named_predictors() == []
    assert support.deepcopy()(conversation=TALK, sentence="It broke.").raw is not None


def settings(folder):
    given = ("analyze.strategy=sentencewise", "analyze.checks=false", f"analyze.checker.model={folder}")
    return (*given, "revise.edits=one_by_one", "revise.values=false")


def test_a_run_flags_by_the_checker_chooses_candidates_by_it_and_asks_no_support_question(make_run, checker):
    team = scripted_team.join()
    run = make_run(*settings(checker.model))
    run_until(run, "draft")
    draft = next(iter(run.drafts("train")))
    talk = run.conversations("train")[draft.conversation_id]
    support = CheckerSupport(checker)
    score = support(conversation=talk, sentence=scripted_team.FLAW).raw
    wording = support.prompt_digest()
    made = fit_calibration([score - 0.01, score], [False, True], model=checker.model, prompt=wording)
    write_record(run.base_dir / "mine.json", made.model_copy(update={"threshold": 0.0}))
    run = make_run(*settings(checker.model), "analyze.calibration=mine.json")
    run_until(run, "revise")
    notes = [
        note for row in read_jsonl(run.folder.errors, DraftErrors) for note in row.errors if note.score is not None
    ]
    assert notes
    assert any(note.score == pytest.approx(made.apply(score), abs=1e-3) for note in notes)
    assert list(read_jsonl(run.folder.revisions, Revision))
    assert team.asked["describe"]
    assert team.asked["sentence"]
    assert not team.asked["support"]


def score_of(run, row):
    async def scored():
        return await prepare_scores(run)(row)

    return asyncio.run(scored())


def test_the_holdout_is_scored_by_the_checker_too(make_run, checker):
    scripted_team.join()
    run = make_run("evaluate.judge=false", "evaluate.analyst=false", f"analyze.checker.model={checker.model}")
    run_until(run, "draft")
    talk = next(iter(run.conversations("holdout").values()))
    sentence = "The lamp was late."
    score = CheckerSupport(checker)(conversation=talk, sentence=sentence).raw
    for threshold, flagged in ((score - 1e-6, True), (score + 1e-6, False)):
        made = fit_calibration([0.1, 0.9], [False, True], model=checker.model, prompt="p")
        at = made.model_copy(update={"threshold": made.apply(threshold)})
        write_record(run.base_dir / "mine.json", at)
        run = make_run(*run_settings(checker))
        row = Summary(conversation_id=talk.id, text=sentence, system="teacher", model="m")
        found = score_of(run, row)
        assert found.checker_flagged is flagged
        assert METRICS["checker_error_rate"].read(found) == float(flagged)
    plain = score_of(make_run("evaluate.judge=false", "evaluate.analyst=false"), row)
    assert plain.checker_flagged is None
    assert METRICS["checker_error_rate"].read(plain) is None


def run_settings(checker):
    return (
        "evaluate.judge=false",
        "evaluate.analyst=false",
        f"analyze.checker.model={checker.model}",
        "analyze.calibration=mine.json",
    )


def test_the_checkers_files_count_and_a_run_without_one_is_as_before(make_run, tmp_path):
    from arf_programs.stages.analyze import analyst_fingerprint

    folder = save_roberta(tmp_path / "checker")
    assert "analyze.checker" not in analyst_fingerprint(make_run())
    run = make_run(*settings(folder))
    first = analyst_fingerprint(run)["analyze.checker"]
    save_roberta(folder, places=300)
    assert analyst_fingerprint(run)["analyze.checker"] != first


def test_a_folder_beside_arf_yaml_is_found(make_run):
    run = make_run(*settings("mine/checker"))
    save_roberta(run.base_dir / "mine" / "checker")
    support = build_support(run)
    assert support.model == "mine/checker"
    assert support.form == "pair"
    refuse_calibration(run, support)


def test_a_model_that_is_no_checker_ends_the_command_before_a_row_is_done(make_run, tmp_path):
    scripted_team.join()
    run = make_run(*settings(save_tiny_model(tmp_path / "causal")))
    run_until(run, "taxonomy")
    with pytest.raises(DataError, match="LlamaForCausalLM"):
        run_until(run, "analyze")
    assert not run.folder.errors.exists()


def test_an_estimate_neither_loads_the_checker_nor_counts_calls_for_it(make_run, monkeypatch):
    def refuse(config):
        raise AssertionError("loaded")

    def calls(*given):
        return next(line.calls.mid for line in estimate_run(make_run(*given)).lines if line.stage == "analyze")

    monkeypatch.setattr("arf_programs.programs.analysis.support.load_checker", refuse)
    assert calls(*settings("someone/checker")) < calls("analyze.strategy=sentencewise", "analyze.checks=false")
