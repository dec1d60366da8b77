"""`arf estimate`: what it foretells is what a run then asks, and it asks nothing itself."""

import json
import os
import shutil
from collections import defaultdict

import pytest
import scripted_team
from conftest import write_corpus
from typer.testing import CliRunner

from arf_programs import pipeline
from arf_programs.cli.app import app
from arf_programs.config.models import ModelConfig
from arf_programs.models import scripted
from arf_programs.models.calls.engine import ArfEngine
from arf_programs.models.providers.litellm import declare_model, listed_price
from arf_programs.runs.folder import RunFolder
from arf_programs.runs.ledger import Call, read_ledger
from arf_programs.tools.estimating.estimate import estimate_run
from arf_programs.tools.estimating.figures import Range, count_tokens, ordered, price_of, total
from arf_programs.tools.estimating.history import read_history
from signatures.exceptions import DataError

# The fewest calls that still are of every kind, since each of them costs this machine some milliseconds.
FAST = ("revise.edits=together", "revise.attempts=1", "evaluate.analyst=false", "evaluate.judge=false")
PRICED = "models.teacher={model: scripted/model, input_price: 10, output_price: 20}"


@pytest.fixture
def large(make_run, tmp_path):
    """`make_run` over 30 conversations, with the settings `FAST` and others."""
    write_corpus(tmp_path / "conversations.jsonl", 30)
    return lambda *settings: make_run(*FAST, *settings)


def asked(run, *stages) -> dict[str, list[int]]:
    """[calls, tokens in, tokens out] by stage, as the run's ledger has them."""
    booked: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for call in read_ledger(run.folder.ledger):
        if not call.cached and call.stage in stages:
            booked[call.stage][0] += 1
            booked[call.stage][1] += call.prompt_tokens
            booked[call.stage][2] += call.completion_tokens
    return dict(booked)


def line_of(made, stage, model="scripted/model"):
    (line,) = [line for line in made.lines if (line.stage, line.model) == (stage, model)]
    return line


STAGES = ("draft", "taxonomy", "analyze", "revise")


@pytest.mark.parametrize(
    "settings",
    [
        ("revise.edits=one_by_one", "revise.candidates=1"),
        ("analyze.strategy=sentencewise", "models.analyst={model: scripted/model, logprobs: false}"),
        ("revise.edits=together", "revise.attempts=2"),
        ("revise.strategy=rewrite",),
        ("revise.strategy=taxonomy", "revise.verify_with_analyst=false"),
    ],
    ids=lambda settings: settings[0],
)
def test_a_real_run_stays_within_what_a_sample_foretold(large, settings):
    scripted_team.join()
    run = large(PRICED, *settings)
    made = estimate_run(run, sample=9)  # 30% of the conversations
    assert scripted.calls("model") == []
    assert not run.folder.path.exists(), "an estimate leaves nothing behind"
    pipeline.run_until(run, "revise")
    real = asked(run, *STAGES)
    assert set(real) == set(STAGES)
    for stage, figures in real.items():
        line = line_of(made, stage)
        for known, foretold in zip(figures, (line.calls, line.tokens_in, line.tokens_out), strict=True):
            assert foretold.low <= known <= foretold.high, (stage, known, foretold)
        assert line.source == "sample"
    assert line_of(made, "draft").calls == Range(low=30, mid=30, high=30)


def test_history_narrows_the_range_and_still_holds(large, tmp_path):
    scripted_team.join()
    first = large(PRICED, "corpus.limit=16", f"run_dir={tmp_path / 'first'}")
    pipeline.run_until(first, "revise")
    run = large(PRICED)
    blind = estimate_run(run, sample=9)
    made = estimate_run(run, sample=9, history=[first.folder])
    pipeline.run_until(run, "revise")
    for stage, (calls, tokens_in, tokens_out) in asked(run, "draft", "analyze", "revise").items():
        line = line_of(made, stage)
        assert line.source == "history"
        assert line.calls.low <= calls <= line.calls.high
        assert line.tokens_in.low <= tokens_in <= line.tokens_in.high
        assert line.tokens_out.low <= tokens_out <= line.tokens_out.high
        assert line.tokens_out.high < line_of(blind, stage).tokens_out.high
        assert line.seconds is not None and line_of(blind, stage).seconds is None
    sure = line_of(made, "revise").calls
    assert sure.high < line_of(blind, "revise").calls.high and sure.low > 0
    spent = sum(call.usd for call in read_ledger(run.folder.ledger) if call.stage in ("draft", "analyze", "revise"))
    usd = total(line_of(made, stage).usd for stage in ("draft", "analyze", "revise"))
    assert 0 < usd.low <= spent <= usd.high
    assert any("half" in note or "50%" in note for note in blind.notes)
    assert not any("50%" in note for note in made.notes), "the other run has said how many drafts have errors"


def test_what_is_whole_or_stored_is_free(large):
    scripted_team.join()
    run = large()
    pipeline.run_until(run, "analyze")
    sent = len(scripted.calls("model"))
    made = estimate_run(run, sample=9)
    assert {line.stage for line in made.lines if line.source == "done"} == {"draft", "taxonomy", "analyze"}
    assert line_of(made, "revise").calls.mid > 0
    run.folder.manifest("draft").unlink()
    run.folder.drafts.unlink()
    line = line_of(estimate_run(run, sample=9), "draft")
    assert (line.stored, line.calls) == (1.0, Range()), "every answer is in the store"
    assert len(scripted.calls("model")) == sent
    asked_before = run.folder.ledger.read_text()
    estimate_run(run, sample=4)
    assert run.folder.ledger.read_text() == asked_before, "nothing is booked"


def test_the_editor_counts_where_the_checks_alone_look_for_errors(large):
    scripted_team.join()
    alone = ("analyze.analyst=false", "analyze.notes_sample=0", "revise.verify_with_analyst=false")
    made = estimate_run(large(*alone, "revise.edits=one_by_one", "revise.candidates=1"), sample=9)
    calls = line_of(made, "revise").calls
    assert calls.low == 0 < calls.mid < calls.high
    assert "analyze" not in {line.stage for line in made.lines}


def test_known_errors_decide_what_the_editor_is_asked(large):
    scripted_team.join(find=lambda _: {"errors": []})
    run = large("analyze.checks=false")
    pipeline.run_until(run, "analyze")
    shutil.rmtree(run.folder.calls)  # or the answers in the store would say the same
    made = estimate_run(run, sample=9)
    assert [line for line in made.lines if line.stage == "revise"] == [], "no draft has an error"


def test_a_model_that_cannot_be_reached_is_estimated_without_key(large, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    run = large("models.teacher={model: openai/gpt-4o-mini, api_key_env: NOT_SET_HERE}")
    made = estimate_run(run, sample=4)
    line = line_of(made, "draft", "openai/gpt-4o-mini")
    assert line.tokens_in.low > 30 * 50
    assert 0 < line.usd.low < line.usd.mid < line.usd.high < 1
    assert made.unpriced == ()


def test_systems_that_are_only_evaluated_need_no_key_and_the_environment_stays_as_it_is(large, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    before = dict(os.environ)
    seen = []
    monkeypatch.setattr(
        "arf_programs.models.calls.engine.ArfEngine.__init__",
        _spy_on(ArfEngine.__init__, lambda: seen.append(dict(os.environ))),
    )
    run = large("evaluate.systems={mini: {model: openai/gpt-4o-mini, api_key_env: NOT_SET_HERE}}")
    made = estimate_run(run, sample=4)
    assert line_of(made, "evaluate", "openai/gpt-4o-mini").usd.mid > 0
    assert seen and all(environment == before for environment in seen)


def _spy_on(method, look):
    def spied(self, *args, **kwargs):
        look()
        method(self, *args, **kwargs)

    return spied


def test_answers_in_calls_dir_are_free(large, tmp_path):
    scripted_team.join()
    shared = f"calls_dir={tmp_path / 'shared'}"
    first = large(shared, f"run_dir={tmp_path / 'first'}")
    pipeline.run_until(first, "draft")
    assert not first.folder.calls.exists()
    line = line_of(estimate_run(large(shared), sample=9), "draft")
    assert (line.stored, line.calls) == (1.0, Range())


def test_a_price_that_nobody_knows_is_said(large):
    run = large("models.teacher={model: hosted_vllm/some/model, api_base: 'http://localhost:1/v1', json_schema: true}")
    made = estimate_run(run, sample=2)
    assert line_of(made, "draft", "hosted_vllm/some/model").usd is None
    assert made.unpriced == ("hosted_vllm/some/model",)
    assert made.total_usd == Range()
    assert any("set input_price and output_price" in note for note in made.notes)


def test_time_is_that_of_the_allowed_rates_where_these_are_the_limit(large, tmp_path):
    scripted_team.join()
    slow = "models.teacher={model: scripted/model, requests_per_minute: 6, tokens_per_minute: 1e9}"
    line = line_of(estimate_run(large(slow), sample=4), "draft")
    assert (line.seconds, line.at_least) == (Range(low=300, mid=300, high=300), True), "30 calls, six a minute"
    line = line_of(estimate_run(large(slow.replace("6,", "1000,").replace("1e9", "60")), sample=4), "draft")
    tokens = line.tokens_in.mid + line.tokens_out.mid
    assert line.seconds.mid == pytest.approx(tokens)
    first = large("corpus.limit=16", f"run_dir={tmp_path / 'first'}")
    pipeline.run_until(first, "draft")
    line = line_of(estimate_run(large(slow), sample=4, history=[first.folder]), "draft")
    assert (line.seconds.mid, line.at_least) == (300, False), "the rates allow less than the history"
    made = estimate_run(large(slow), sample=4)
    assert any("the least that the allowed rates give" in note for note in made.notes) and made.total_seconds is None


def test_a_batch_costs_its_share_and_takes_the_providers_time(large):
    teacher = "models.teacher={model: openai/gpt-4o-mini, requests_per_minute: 6"
    live = line_of(estimate_run(large(teacher + "}"), sample=4), "draft", "openai/gpt-4o-mini")
    made = estimate_run(large(teacher + ", mode: batch, batch: {discount: 0.4}}"), sample=4)
    batch = line_of(made, "draft", "openai/gpt-4o-mini")
    assert batch.usd.mid == pytest.approx(0.4 * live.usd.mid)
    assert live.seconds is not None and batch.seconds is None
    assert any("up to 24 hours" in note for note in made.notes)


def test_students_in_this_process_are_free_and_those_served_elsewhere_are_not(large):
    served = "evaluate.serve={student_arf: {model: openai/gpt-4o-mini}}"
    alone = ("evaluate.pairwise=false", "evaluate.reviser=false")
    run = large(served, PRICED, "evaluate.analyst=true", "evaluate.judge=true", *alone)
    made = estimate_run(run, sample=6)
    assert line_of(made, "evaluate", "openai/gpt-4o-mini").calls.mid == 8
    assert line_of(made, "evaluate", "openai/gpt-4o-mini").usd.mid > 0
    assert line_of(made, "evaluate", f"embedded/{run.folder.student / 'teacher'}").usd == Range()
    # Four systems, each summary of which is analysed and rated.
    assert line_of(made, "evaluate").calls.mid == 8 * 4 * 2


def test_tokens_and_prices_of_models():
    assert count_tokens("scripted/model", ["one two", "three"]) == Range(low=3, mid=3, high=3)
    assert count_tokens("some/unknown", ["x" * 60]) == Range(low=12, mid=15, high=20)
    known = count_tokens("openai/gpt-4o-mini", ["The kettle leaks."])
    assert 3 < known.mid == known.high < 20
    assert price_of(ModelConfig(model="embedded/smollm2-135m")) == (0.0, 0.0)
    assert price_of(ModelConfig(model="some/unknown", input_price=2, output_price=8)) == (2e-6, 8e-6)
    assert price_of(ModelConfig(model="some/unknown")) is None
    assert listed_price("hosted_vllm/declared") is None
    declare_model("hosted_vllm/declared", json_schema=True, input_price=None, output_price=None)
    assert listed_price("hosted_vllm/declared") is None, "a schema is no price"
    declare_model("hosted_vllm/declared", json_schema=True, input_price=1e-6, output_price=2e-6)
    assert listed_price("hosted_vllm/declared") == (1e-6, 2e-6)
    paid = price_of(ModelConfig(model="openai/gpt-4o-mini"))
    assert paid is not None and 0 < paid[0] < paid[1] < 1e-3


def test_history_is_read_from_the_ledgers_of_runs(tmp_path):
    folders = [RunFolder(tmp_path / name) for name in ("none", "first", "second")]
    for number, folder in enumerate(folders[1:], start=1):
        folder.path.mkdir()
        calls = [Call(stage="draft", model="m", cached=False, prompt_tokens=100, completion_tokens=10 * number)] * 8
        calls.append(Call(stage="draft", model="m", cached=True))
        calls.append(Call(stage="draft", model="m", cached=False, failed=True))
        folder.ledger.write_text("".join(call.model_dump_json() + "\n" for call in calls))
    past = read_history(folders).calls["draft", "m"]
    assert (past.calls, past.rows) == (16, 0)
    prompts, answers = past.tokens_in.mean(), past.tokens_out.mean()
    assert (prompts.low, prompts.mid, prompts.high) == pytest.approx((90, 100, 110))
    # Eight answers of 10 and eight of 20: a standard deviation of 5.164, two standard errors of 2.582 in 15.
    assert answers.mid == 15
    assert (answers.low, answers.high) == pytest.approx((15 - 2.582, 15 + 2.582), rel=1e-3)
    with pytest.raises(DataError, match=r"none: no run with a calls\.jsonl"):
        read_history([folders[1], folders[0]])


def test_bounds_are_never_crossed():
    assert ordered(3, 2, 1) == Range(low=2, mid=2, high=2)
    assert ordered(-1, 2, 5) == Range(low=0, mid=2, high=5)
    assert total([Range(low=1, mid=2, high=3), Range(low=10, mid=20, high=30)]) == Range(low=11, mid=22, high=33)
    assert Range(low=1, mid=2, high=3).times(2) == Range(low=2, mid=4, high=6)


def test_the_command_prints_a_table_or_json(large, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    large()
    options = [str(tmp_path / "arf.yaml"), "--run-dir", str(tmp_path / "run"), "--sample", "4"]
    options += [word for setting in FAST for word in ("--set", setting)]
    narrow = CliRunner(env={"COLUMNS": "80"}).invoke(app, ["estimate", *options])
    assert narrow.exit_code == 0 and "…" not in narrow.output  # a narrow terminal cuts off no figure
    table = CliRunner().invoke(app, ["estimate", *options])
    assert table.exit_code == 0, table.output
    for shown in ("30 conversations, 8 tried", "draft", "scripted/model", "tokens out", "total", "unknown"):
        assert shown in table.output
    told = CliRunner().invoke(app, ["estimate", *options, "--json"])
    made = json.loads(told.stdout)
    assert made["conversations"] == 30
    assert made["lines"][0]["calls"] == {"low": 30, "mid": 30, "high": 30}
    wrong = CliRunner().invoke(app, ["estimate", *options, "--history", str(tmp_path / "nowhere")])
    assert wrong.exit_code == 2
    assert "give --history the folder of a run" in wrong.stderr
