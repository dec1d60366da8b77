"""`arf compile`: every optimizer through its DSPy class, the budget, the rule of adoption, and use in a run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dspy
import pytest
import scripted_team
from compile_project import LESSON, SMALL, CompileTeam, make_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.cli.session import open_run
from arf_programs.config import TargetName
from arf_programs.models import scripted
from arf_programs.models.calls.rates import Rate
from arf_programs.programs.saved import Card
from arf_programs.stages.analyze import analyst_fingerprint, build_analyzer
from arf_programs.stages.draft import build_teacher
from arf_programs.stages.draft import fingerprint as draft_fingerprint
from arf_programs.stages.evaluation.scoring import build_judge
from arf_programs.stages.revise import build_reviser
from arf_programs.tools.compiling.job import prepare_target

OPTIMIZERS = {
    "labeled_fewshot": dspy.LabeledFewShot,
    "bootstrap": dspy.BootstrapFewShot,
    "bootstrap_random_search": dspy.BootstrapFewShotWithRandomSearch,
    "knn_fewshot": dspy.KNNFewShot,
    "mipro": dspy.MIPROv2,
    "gepa": dspy.GEPA,
    "simba": dspy.SIMBA,
}


@pytest.fixture
def team() -> CompileTeam:
    team = CompileTeam()
    scripted.register("model", team)
    return team


def arf(target: str, config: Path, *options: str) -> Any:
    result = CliRunner().invoke(app, ["compile", target, str(config), "--json", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result, json.loads(result.stdout)


def compiled(config: Path, target: str, optimizer: str, *options: str) -> dict[str, Any]:
    result, card = arf(target, config, "--optimizer", optimizer, *options)
    assert result.exit_code == 0, card
    return card


def texts(config: Path, target: TargetName) -> dict[str, set[str]]:
    """What the conversations of each side say."""
    cases = prepare_target(open_run(config), target).cases
    sides = {"train": cases.train, "dev": cases.dev, "test": cases.test}
    return {name: {case.labeled.conversation.turns[0].text for case in side} for name, side in sides.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_no_conversation_of_dev_or_test_is_learned_from(
    optimizer: str, tmp_path: Path, team: CompileTeam, monkeypatch: pytest.MonkeyPatch
):
    kind, given = OPTIMIZERS[optimizer], []
    original = kind.compile

    def spy(self: Any, student: Any, **kwargs: Any) -> Any:
        given.append({**kwargs, "trainset": kwargs.get("trainset") or self.KNN.trainset})
        return original(self, student, **kwargs)

    monkeypatch.setattr(kind, "compile", spy)
    config = make_project(tmp_path)
    card = compiled(config, "analyze", optimizer, "--force")
    assert card["optimizer"] == optimizer and given
    sides = texts(config, "analyze")
    for call in given:
        assert {example.case.labeled.conversation.turns[0].text for example in call["trainset"]} <= sides["train"]
        dev = {example.case.labeled.conversation.turns[0].text for example in call.get("valset") or ()}
        assert dev <= sides["dev"]
    saved = (tmp_path / "compiled" / "analyze" / "program.json").read_text(encoding="utf-8")
    assert not [text for text in sides["dev"] | sides["test"] if text in saved]
    shown = "\n".join(card["prompts"].values())
    assert not [text for text in sides["dev"] | sides["test"] if text in shown]


@pytest.mark.parametrize("target", ["revise", "judge", "summarize"])
@pytest.mark.parametrize("optimizer", ["labeled_fewshot", "knn_fewshot", "gepa"])
def test_every_target_gets_better_by_what_is_learned(target: str, optimizer: str, tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path, count=24)
    card = compiled(config, target, optimizer)
    assert card["adopted"], card["why"]
    assert card["dev"]["difference"]["low"] > 0
    assert card["test"]["after"]["value"] > card["test"]["before"]["value"]


def test_the_card_says_how_it_came_about(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path)
    printed = compiled(config, "judge", "gepa")
    folder = tmp_path / "compiled" / "judge"
    card = Card.model_validate_json((folder / "card.json").read_text(encoding="utf-8"))
    assert card.adopted and card.model == "scripted/model" and card.split == {"train": 6, "dev": 3, "test": 3}
    assert card.settings["max_metric_calls"] == SMALL["gepa"]["max_metric_calls"]
    assert card.spent.sent == sum(team.asked.values())
    assert card.test.measures_after["quadratic-weighted kappa"] == 1.0
    assert card.versions["dspy"] == dspy.__version__
    text = (folder / "card.md").read_text(encoding="utf-8")
    assert printed["card"] == str(folder / "card.md")
    assert "In use: better on dev" in text and LESSON in text and "[1] Customer: My" in text
    assert (
        LESSON in json.loads((folder / "program.json").read_text(encoding="utf-8"))["rate"]["signature"]["instructions"]
    )


def test_the_analysers_card_has_balanced_accuracy(tmp_path: Path, team: CompileTeam):
    card = compiled(make_project(tmp_path, count=24), "analyze", "labeled_fewshot")
    assert card["test"]["measures_before"]["balanced accuracy"] == 0.5
    assert card["test"]["measures_after"]["balanced accuracy"] == 1.0


def test_what_is_not_better_stays_out_of_use_unless_forced(tmp_path: Path):
    scripted_team.join()
    config = make_project(tmp_path)
    folder = tmp_path / "compiled" / "analyze"
    card = compiled(config, "analyze", "labeled_fewshot")
    assert not card["adopted"] and "reaches zero: the old program stays in use" in card["why"]
    assert not (folder / "program.json").exists() and (folder / "candidate.json").exists()
    result, said = arf("analyze", config, "--show", "--set", "programs.analyze=compiled/analyze")
    assert result.exit_code == 2 and "not adopted; --force adopts it" in said["problems"][0]
    forced = compiled(config, "analyze", "labeled_fewshot", "--force")
    assert forced["adopted"] and forced["forced"] and (folder / "program.json").exists()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_budget_ends_it_in_time_with_the_best_so_far(optimizer: str, tmp_path: Path, team: CompileTeam):
    whole = compiled(make_project(tmp_path / "whole"), "analyze", optimizer)["spent"]["sent"]
    budget = whole - 1
    team.forget()
    result, card = arf(
        "analyze", make_project(tmp_path / "part"), "--optimizer", optimizer, "--budget-calls", str(budget)
    )
    assert sum(team.asked.values()) <= budget
    if optimizer in ("labeled_fewshot", "bootstrap", "knn_fewshot"):
        assert result.exit_code in (0, 2)  # nothing of it but the scoring may be left to save
    else:
        assert "best so far" in card["ended"] and card["spent"]["sent"] <= budget


def test_a_budget_that_scoring_alone_uses_up_is_refused(tmp_path: Path, team: CompileTeam):
    result, said = arf("judge", make_project(tmp_path), "--optimizer", "gepa", "--budget-calls", "5")
    assert result.exit_code == 2 and "scoring alone takes about" in said["problems"][0]
    assert sum(team.asked.values()) <= 5


def test_what_the_store_holds_costs_nothing(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path)
    first = compiled(config, "judge", "simba")
    team.forget()
    again = compiled(config, "judge", "simba")
    assert again["spent"]["sent"] == 0 == sum(team.asked.values())
    assert again["dev"] == first["dev"] and again["prompts"] == first["prompts"]


def test_answers_are_kept_in_calls_dir_where_there_is_one(tmp_path: Path, team: CompileTeam):
    shared = str(tmp_path / "shared")
    config = make_project(tmp_path / "first", calls_dir=shared)
    compiled(config, "judge", "labeled_fewshot")
    assert not (tmp_path / "first" / "run" / "calls").exists()
    team.forget()
    again = compiled(make_project(tmp_path / "second", calls_dir=shared), "judge", "labeled_fewshot")
    assert again["spent"]["sent"] == 0 == sum(team.asked.values())


def test_the_rate_of_a_model_holds_for_the_optimizers_threads_and_for_scoring_together(
    tmp_path: Path, team: CompileTeam, monkeypatch: pytest.MonkeyPatch
):
    passed: Counter[Rate] = Counter()
    reserve = Rate.reserve

    def counted(self: Rate, amount: float, now: float) -> float:
        passed[self] += amount == 1  # a request; tokens come by the hundred
        return reserve(self, amount, now)

    monkeypatch.setattr(Rate, "reserve", counted)
    model = {"model": "scripted/model", "concurrency": 2, "requests_per_minute": 1e6}
    others = {"prompt": "scripted/model", "reflection": "scripted/model"}
    config = make_project(tmp_path, models={"teacher": model, **others})
    sent = compiled(config, "analyze", "bootstrap_random_search")["spent"]["sent"]
    assert +passed and list((+passed).values()) == [sent]


def use(config: Path, *targets: str) -> list[str]:
    return [f"programs.{target}={config.parent / 'compiled' / target}" for target in targets]


def test_a_run_uses_a_compiled_program_and_its_hash_counts(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path, count=24)
    builders: dict[str, Callable[..., dspy.Module]] = {
        "analyze": build_analyzer,
        "revise": build_reviser,
        "judge": build_judge,
        "summarize": build_teacher,
    }
    for target in builders:
        compiled(config, target, "gepa", "--force")
    run = open_run(config, overrides=use(config, *builders))
    scripted_team.join()
    from arf_programs.corpus.taxonomy import load_seed_taxonomy, write_taxonomy

    write_taxonomy(run.folder.taxonomy, load_seed_taxonomy())
    for target, build in builders.items():
        program = build(run)
        assert any(LESSON in predictor.signature.instructions for predictor in program.predictors()), target
        without = [name for name, predictor in program.named_predictors() if predictor.lm is None]
        assert without == (["verify.check"] if target == "revise" else []), "it is asked with the analyst's model"
    plain = open_run(config)
    assert "programs.analyze" not in analyst_fingerprint(plain)
    before = analyst_fingerprint(run)["programs.analyze"]
    assert "programs.summarize" in draft_fingerprint(run) and "programs.analyze" not in draft_fingerprint(run)
    program = tmp_path / "compiled" / "analyze" / "program.json"
    program.write_text(program.read_text(encoding="utf-8").replace(LESSON, "Look."), encoding="utf-8")
    assert analyst_fingerprint(run)["programs.analyze"] != before


def test_nearest_demonstrations_are_chosen_for_each_call_after_loading(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path, count=24)
    card = compiled(config, "judge", "knn_fewshot")
    assert card["adopted"] and card["nearest"] == 2
    judge = build_judge(open_run(config, overrides=use(config, "judge")))
    pool = judge.rate.demos
    assert len(pool) == card["split"]["train"]
    from arf_programs.programs.asking import demos_for

    for demo in pool:
        shown = demos_for(judge.rate, {"conversation": demo["conversation"], "summary": demo["summary"]})
        assert len(shown) == 2 and all(other["conversation"] != demo["conversation"] for other in shown)
        asked = demo["conversation"].replace("day", "date")
        assert demos_for(judge.rate, {"conversation": asked, "summary": demo["summary"]})[-1] == demo


def test_show_prints_the_prompt_and_asks_nothing(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path)
    compiled(config, "judge", "gepa")
    team.forget()
    plain = CliRunner().invoke(app, ["compile", "judge", str(config), "--show"]).stdout
    shown = CliRunner().invoke(app, ["compile", "judge", str(config), "--show", "--set", *use(config, "judge")]).stdout
    assert "Rate a summary of a customer-service conversation" in plain and LESSON not in plain
    assert LESSON in shown and "[1] Customer: My" in shown
    assert not team.asked


def test_another_model_is_allowed_and_flagged(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path)
    compiled(config, "judge", "gepa")
    scripted.register("other", scripted_team.Team())
    options = [f"--set={item}" for item in [*use(config, "judge"), "models.judge.model=scripted/other"]]
    result = CliRunner().invoke(app, ["check", str(config), *options])
    assert "beware: programs.judge: compiled with scripted/model, used with scripted/other" in " ".join(
        result.stdout.split()
    )


def test_a_program_of_another_strategy_or_target_is_refused(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path)
    compiled(config, "analyze", "labeled_fewshot", "--force")
    uses = f"--set=programs.analyze={tmp_path / 'compiled' / 'analyze'}"
    result, said = arf("analyze", config, "--show", uses, "--set=analyze.strategy=sentencewise")
    assert result.exit_code == 2 and "compiled for the strategy holistic" in said["problems"][0]
    result, said = arf("judge", config, "--show", f"--set=programs.judge={tmp_path / 'compiled' / 'analyze'}")
    assert result.exit_code == 2 and "for analyze, not for judge" in said["problems"][0]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--optimizer", "magic"), "there is no optimizer 'magic': name one of labeled_fewshot"),
        ((), "no optimizer is named"),
        (("--optimizer", "gepa", "--set", "labeled.path=null"), "needs a labelled set"),
        (("--optimizer", "gepa", "--set", "compile.split=[0.5,0.5,0.5]"), "three shares above 0"),
        (("--optimizer", "gepa", "--set", "compile.optimizers.gepa.tries=3"), "not a known key"),
    ],
)
def test_bad_input_is_named_before_any_call(options, problem: str, tmp_path: Path, team: CompileTeam):
    result, said = arf("judge", make_project(tmp_path), *options)
    assert result.exit_code == 2 and problem in said["problems"][0]
    assert not team.asked


def test_mipro_names_the_package_that_it_needs(tmp_path: Path, team: CompileTeam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result, said = arf("judge", make_project(tmp_path), "--optimizer", "mipro")
    assert result.exit_code == 2 and "pip install 'arf-programs[mipro]'" in said["problems"][0]


def test_demonstrations_by_config_come_from_train_alone(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path, labeled={"path": "labeled.jsonl", "demos": 12})
    result, said = arf("analyze", config, "--show")
    assert result.exit_code == 0
    sides = texts(config, "analyze")
    shown = "\n".join(said["prompts"].values())
    assert [text for text in sides["train"] if text in shown]
    assert not [text for text in sides["dev"] | sides["test"] if text in shown]


def test_the_decision_of_a_sentencewise_analyser_is_fitted_on_train_and_used(tmp_path: Path, team: CompileTeam):
    analyze = {"checks": False, "strategy": "sentencewise", "samples": 3}
    config = make_project(tmp_path, count=24, analyze=analyze)
    card = compiled(config, "analyze", "labeled_fewshot", "--force")
    fitted = card["calibration"]
    assert fitted["auc"] == 1.0 and 0 < fitted["positives"] < fitted["n"]
    taxonomy = prepare_target(open_run(config), "analyze").taxonomy
    used = build_analyzer(open_run(config, overrides=use(config, "analyze")), taxonomy=taxonomy)
    assert used.analysis.support.calibration.threshold == fitted["threshold"]
    assert used.analysis.support.ask_support.demos
    text = (tmp_path / "compiled" / "analyze" / "card.md").read_text(encoding="utf-8")
    assert "a sentence is flagged from" in text


def test_the_editor_of_single_sentences_can_be_compiled(tmp_path: Path, team: CompileTeam):
    config = make_project(tmp_path, count=24, revise={"edits": "one_by_one"})
    card = compiled(config, "revise", "bootstrap_random_search", "--force")
    assert set(card["predictors"]) == {"propose.rewrite", "propose.write"}
    build_reviser(
        open_run(config, overrides=use(config, "revise")), taxonomy=prepare_target(open_run(config), "revise").taxonomy
    )


def test_other_parameters_of_the_same_model_are_noted(tmp_path: Path, team: CompileTeam):
    from arf_programs.programs.saved import program_notes

    config = make_project(tmp_path)
    compiled(config, "judge", "gepa")
    (note,) = program_notes(open_run(config, overrides=[*use(config, "judge"), "models.judge.temperature=0.5"]))
    assert "compiled with other parameters of scripted/model" in note
    assert not program_notes(open_run(config, overrides=use(config, "judge")))
