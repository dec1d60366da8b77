"""Rows through stages against a real server: caps, faults, workers, failed rows again, status."""

import json
import multiprocessing
from collections import Counter

import pytest
import served_team
from conftest import write_corpus
from model_server_faults import Faults
from pydantic import BaseModel, Field
from served_team import serving, write_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.models import scripted
from arf_programs.models.answers.budget import BudgetSpent, CallBudget, Need
from arf_programs.models.calls.sender import need_of
from arf_programs.models.providers.scripted import ScriptedAnswer
from arf_programs.runs.folder import RunFolder
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.ledger import read_ledger
from signatures.records import Failure, Summary


def arf(*arguments, code=0):
    result = CliRunner().invoke(app, [str(item) for item in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result


def drafted(config):
    return [row.conversation_id for row in read_jsonl(config.parent / "run/drafts.jsonl", Summary)]


def test_a_cap_of_calls_is_never_passed_and_the_run_goes_on_when_it_is_raised(tmp_path):
    with serving(Faults(latency=0.01)) as server:
        free = write_project(tmp_path / "free", server.base_url, 40)
        arf("revise", free)
        needed = server.stats()["requests"]
        server.reset()
        capped = write_project(tmp_path / "capped", server.base_url, 40)
        told = arf("revise", capped, "--set", "budget.calls=25", code=3)
        assert server.stats()["requests"] == 25
        assert "25 calls are sent, and no more may be: raise the cap in `budget`" in told.stderr
        arf("revise", capped, "--set", "budget.calls=25", code=3)
        assert server.stats()["requests"] == 25
        arf("revise", capped)
        assert server.stats()["requests"] == needed
    name = "run/revisions.jsonl"
    assert (capped.parent / name).read_bytes() == (free.parent / name).read_bytes()


@pytest.mark.parametrize("rows", [60, 400])
def test_several_workers_stop_at_a_cap_and_the_run_goes_on_when_it_is_raised(tmp_path, rows):
    cap = rows // 2 - 5
    with serving(Faults(latency=0.01)) as server:
        config = write_project(tmp_path, server.base_url, rows, extra="workers: 2\n", model=", concurrency: 8")
        told = arf("draft", config, "--set", f"budget.calls={cap}", code=3)
        assert server.stats()["requests"] == cap
        assert f"{cap} calls are sent, and no more may be" in told.stderr
        arf("draft", config)
        assert server.stats()["requests"] == rows
    assert len(drafted(config)) == rows


def test_several_workers_keep_to_the_calls_that_may_be_in_flight(tmp_path):
    with serving(Faults(latency=0.02)) as server:
        config = write_project(tmp_path, server.base_url, 20, extra="workers: 4\n", model=", concurrency: 1")
        arf("draft", config)
        assert server.stats()["peak_in_flight"] == 1


def test_what_a_dead_worker_held_of_a_cap_is_given_back():
    budget = CallBudget(tokens=100).shared(multiprocessing.get_context("spawn"), 2)
    dead, alive = budget.for_process(0), budget.for_process(1)
    dead.spend(Need(tokens=80))
    alive.spend(Need(tokens=10))
    with pytest.raises(BudgetSpent):
        alive.spend(Need(tokens=20))
    budget.release(0)
    alive.spend(Need(tokens=20))
    for tokens in (10, 20):
        assert budget.is_held
        alive.settle(Need(tokens=tokens), tokens=tokens)
    assert (budget.is_held, budget.sent) == (False, 3)


def test_tries_that_fail_count_against_the_cap_over_several_commands(tmp_path, no_waiting):
    with serving(Faults(rate_500=0.4)) as server:
        config = write_project(tmp_path, server.base_url, 40)
        for _ in range(3):
            arf("draft", config, "--set", "budget.calls=25", code=3)
            assert server.stats()["requests"] == 25
        answered = server.stats()["answered"]
        assert answered < 25, "nothing failed"
        spent = json.loads(arf("status", config, "--json").stdout)["spent"]
        assert (spent["calls"], spent["failed"]) == (answered, 25 - answered)
        assert f"Spent: {answered} calls" in (told := arf("status", config).stdout)
        assert f"; {25 - answered} more tries failed" in told
        arf("draft", config, "--set", "budget.calls=30", code=3)
        assert server.stats()["requests"] == 30


@pytest.mark.parametrize(("cap", "unit"), [("tokens=6000", "tokens"), ("usd=0.02", "USD")])
def test_a_cap_of_tokens_or_money_is_never_passed(tmp_path, cap, unit):
    with serving() as server:
        prices = ", input_price: 1, output_price: 10, max_tokens: 100"
        config = write_project(tmp_path, server.base_url, 60, model=prices)
        told = arf("draft", config, "--set", f"budget.{cap}", code=3)
        assert unit in told.stderr
        spent = json.loads(arf("status", config, "--json").stdout)["spent"]
        assert 0 < spent["tokens"] <= 6000 if unit == "tokens" else 0 < spent["usd"] <= 0.02
        arf("draft", config)
        assert len(drafted(config)) == 60


def test_the_schema_of_a_question_counts_for_a_cap_of_tokens(tmp_path):
    class Answer(BaseModel):
        notes: list[str] = Field(description="what is wrong, " * 50)

    asked = {"model": "m", "messages": [{"role": "user", "content": "x" * 300}], "max_tokens": 10}
    assert need_of(asked, with_usd=False).tokens == 110
    assert need_of({**asked, "response_format": Answer}, with_usd=False).tokens > 110 + 50 * 15 / 3


def test_under_faults_every_row_ends_well_and_once(tmp_path):
    faults = Faults(latency=0.01, rate_429=0.1, rate_500=0.05, rate_reset=0.02, rate_hang=0.01)
    with serving(faults) as server:
        config = write_project(tmp_path, server.base_url, 200)
        arf("draft", config, "--set", "models.teacher.timeout=3", "--set", "models.teacher.retries=8")
        answered = server.stats()["answered"]
    assert drafted(config) == [f"c{n:02d}" for n in range(200)]
    assert answered == 200, "an answer was asked for twice"
    assert not RunFolder(tmp_path / "run").read_failures()


def test_drafts_that_are_cut_off_are_kept_and_counted(tmp_path):
    write_corpus(tmp_path / "conversations.jsonl", 10)
    config = tmp_path / "arf.yaml"
    config.write_text(
        f"run_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\nmodels: {{teacher: scripted/cut}}\n"
    )
    cut = ScriptedAnswer(error="length", answer="The customer wanted", times=4)
    scripted.register("cut", [cut, ScriptedAnswer(answer="The customer wanted a refund.", times=6)])
    told = arf("draft", config).stderr
    assert "10 drafts, 4 cut off at max_tokens, 0 failed" in told
    drafts = read_jsonl(tmp_path / "run/drafts.jsonl", Summary)
    assert Counter((draft.text, draft.cut_off) for draft in drafts) == {
        ("The customer wanted", True): 4,
        ("The customer wanted a refund.", False): 6,
    }


def test_an_endpoint_that_refuses_every_call_for_a_while_costs_no_row(tmp_path, monkeypatch):
    monkeypatch.setattr("arf_programs.models.calls.pacing.retry_delay", lambda *_: 0.01)
    monkeypatch.setattr("arf_programs.models.calls.pacing._FIRST_PAUSE", 0.05)
    with serving(Faults(outage_429=0.5)) as server:
        config = write_project(tmp_path, server.base_url, 40, model=", retries: 1")
        told = arf("draft", config).stderr
        assert server.stats()["by_status"]["429"] > 20
    assert "refuses every call" in told
    assert len(drafted(config)) == 40


def test_workers_give_the_same_records_and_ask_once_for_the_same(tmp_path):
    with serving(Faults(latency=0.005)) as server:
        one = write_project(tmp_path / "one", server.base_url, 60, extra="workers: 1\n")
        several = write_project(tmp_path / "several", server.base_url, 60, extra="workers: 2\n")
        for config in (one, several):
            corpus = config.parent / "conversations.jsonl"
            first = json.loads(corpus.read_text().splitlines()[0])
            corpus.write_text(corpus.read_text() + json.dumps({**first, "id": "again"}) + "\n")
        arf("draft", one)
        assert server.stats()["requests"] == 60
        server.reset()
        arf("draft", several)
        assert server.stats()["requests"] == 60
    assert (one.parent / "run/drafts.jsonl").read_bytes() == (several.parent / "run/drafts.jsonl").read_bytes()
    assert Counter(call.cached for call in read_ledger(several.parent / "run/calls.jsonl")) == {False: 60, True: 1}


@pytest.mark.parametrize("mode", ["", ", mode: batch, batch: {quiet: 0.3, poll: 0.1}"], ids=["live", "batch"])
def test_failed_rows_are_tried_again_and_those_alone(tmp_path, monkeypatch, mode):
    broken = {"kettle"}
    plain = served_team.answer
    monkeypatch.setattr(
        served_team, "answer", lambda body: "" if broken and "kettle" in str(body["messages"]) else plain(body)
    )
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 24, model=mode)
        arf("draft", config)
        (first, _) = RunFolder(tmp_path / "run").read_failures()
        assert (first.stage, first.attempts) == ("draft", 3)
        assert first.reason.startswith("hosted_vllm/m: no usable answer in 3 tries")
        assert len(drafted(config)) == 22
        broken.clear()
        server.reset()
        told = arf("draft", config, "--retry-failed").stderr
        assert "draft: its failed rows again" in told
        assert len(drafted(config)) == 24
        assert not RunFolder(tmp_path / "run").read_failures()
        assert server.stats()["requests"] == 2, "what was answered well is not asked again"


def test_further_arms_and_samples_are_made_alike_by_several_workers(tmp_path):
    arms = "train: {arms: [arf, rewrite]}\nrevise: {samples: 2}\n"
    with serving(Faults(latency=0.005)) as server:
        one = write_project(tmp_path / "one", server.base_url, 20, extra=f"workers: 1\n{arms}")
        several = write_project(tmp_path / "several", server.base_url, 20, extra=f"workers: 2\n{arms}")
        arf("revise", one)
        asked = server.stats()["requests"]
        server.reset()
        arf("revise", several)
        assert server.stats()["requests"] == asked
    by_strategy = [
        Counter(call.strategy for call in read_ledger(config.parent / "run/calls.jsonl") if call.paid and call.strategy)
        for config in (one, several)
    ]
    assert by_strategy[0] == by_strategy[1]
    assert set(by_strategy[0]) == {"edits", "rewrite"}
    for name in ("revisions.jsonl", "revisions_rewrite.jsonl", "revisions_samples.jsonl"):
        assert (one.parent / "run" / name).read_bytes() == (several.parent / "run" / name).read_bytes()
    assert not list((several.parent / "run/parts").iterdir())


def test_rows_that_failed_before_a_stop_are_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr("arf_programs.models.calls.pacing.retry_delay", lambda *_: 0)
    plain = served_team.answer

    def failing(body):
        if "kettle" in str(body["messages"]):
            raise RuntimeError("the server answers with 500")
        return plain(body)

    monkeypatch.setattr(served_team, "answer", failing)
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 24, model=", concurrency: 1, retries: 1")
        arf("draft", config, "--set", "budget.calls=25", code=3)
        arf("draft", config)
        # 22 rows at one call each, and two that fail at two each.
        assert server.stats()["requests"] == 26
        assert [failure.attempts for failure in RunFolder(tmp_path / "run").read_failures()] == [2, 2]
        assert len(drafted(config)) == 22


def test_lines_of_a_batch_that_are_sent_again_count_for_caps_and_records(tmp_path):
    batch = ", mode: batch, retries: 8, batch: {quiet: 0.1, poll: 0.05}"
    with serving(Faults(batch_errors=0.4)) as server:
        config = write_project(tmp_path, server.base_url, 24, model=batch)
        arf("draft", config, "--set", "budget.calls=30", code=3)
        assert server.stats()["requests"] == 30
        arf("draft", config)
        sent = server.stats()["requests"]
    assert len(drafted(config)) == 24 and sent > 30
    booked = Counter(call.failed for call in read_ledger(tmp_path / "run/calls.jsonl") if not call.cached)
    assert booked == {False: 24, True: sent - 24}


def test_analysis_and_revision_flow_without_waiting_for_the_slowest_draft(tmp_path):
    """While one draft is still being analysed, others are revised."""
    order: list[str] = []
    plain = served_team.answer

    def noting(body):
        text = str(body["messages"])
        order.append("analyze" if "Find the errors in a summary" in text else "other")
        return plain(body)

    from model_server import running_server

    with running_server(Faults(latency=0.01, jitter=0.05), noting) as server:
        config = write_project(tmp_path, server.base_url, 120, model=", concurrency: 4")
        arf("taxonomy", config)
        order.clear()
        arf("revise", config)
    assert "other" in order[: len(order) // 2], "no draft was revised before the last was analysed"


def test_status_tells_how_far_a_stopped_run_is(tmp_path):
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 30)
        arf("draft", config, "--set", "budget.calls=10", code=3)
        now = json.loads(arf("status", config, "--json").stdout)
        assert (now["progress"]["stage"], now["progress"]["done"], now["progress"]["total"]) == ("draft", 10, 30)
        assert now["spent"]["calls"] == 10
        assert "draft: 10 of 30 done, " in arf("status", config).stdout
        arf("draft", config)
        assert json.loads(arf("status", config, "--json").stdout)["progress"] is None


def test_an_endpoint_where_nothing_is_found_stops_the_run(tmp_path):
    with serving() as server:
        config = write_project(tmp_path, server.base_url.replace("/v1", "/nowhere/v1"), 30)
        told = arf("draft", config, code=1).stderr
    assert "draft: the first 20 rows all failed, so the rest was not tried" in told


def test_batch_mode_gives_the_same_records_as_live_mode(tmp_path):
    with serving() as server:
        live = write_project(tmp_path / "live", server.base_url, 40)
        arf("revise", live)
        batch = ", mode: batch, batch: {quiet: 0.3, poll: 0.1}"
        config = write_project(tmp_path / "batch", server.base_url, 40, model=batch)
        server.reset()
        arf("revise", config)
        assert 1 <= server.stats()["batches"] <= 12, "waves of chained calls, not a batch for each"
    for name in ("drafts.jsonl", "taxonomy.yaml", "errors.jsonl", "revisions.jsonl"):
        assert (live.parent / "run" / name).read_bytes() == (config.parent / "run" / name).read_bytes(), name


def test_failed_notes_tried_again_leave_an_edited_taxonomy_alone(tmp_path):
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 24)
        arf("analyze", config)
        folder = RunFolder(tmp_path / "run")
        folder.taxonomy.write_text(folder.taxonomy.read_text().replace("name: ", "name: My ", 1))
        folder.replace_failures("taxonomy", [Failure(conversation_id="c01", stage="taxonomy", reason="odd")])
        edited = folder.taxonomy.read_bytes()
        arf("analyze", config, "--retry-failed")
    assert folder.taxonomy.read_bytes() == edited


def test_the_speed_of_one_call_at_a_time_is_told(tmp_path):
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 30, model=", concurrency: 1")
        arf("draft", config, "--set", "budget.calls=10", code=3)
        assert json.loads(arf("status", config, "--json").stdout)["progress"]["rows_per_second"] > 0
