import json
import os

import pytest
import scripted_team
from conftest import write_corpus
from odd_server import completion, serving_oddly
from served_team import serving
from tiny_model import save_tiny_model

from arf_programs.cli.check import preflight
from arf_programs.models import scripted
from arf_programs.runs import write_record
from arf_programs.runs.run import lock_run
from arf_programs.stages import Preview


@pytest.fixture(autouse=True)
def known_base(monkeypatch):
    """The student's base is a matter of other tests."""
    monkeypatch.setattr("arf_programs.stages.preview_base", lambda *_, **__: Preview())


def test_all_is_well(make_run):
    team = scripted_team.join()
    findings = preflight(make_run())
    assert findings.problems == []
    assert findings.good[0] == "conversations.jsonl: 12 conversations, 9 for training and 3 held out"
    assert findings.good[-2] == "models.teacher and analyst and editor and judge: scripted/model answers"
    assert team.asked == {"ping": 1}
    assert findings.good[-1] == "Hosts that are asked: none"
    assert findings.as_json() == {"ok": True, "hosts": {}, "good": findings.good, "warnings": [], "problems": []}


def test_what_was_found_in_the_columns_is_told(make_run, tmp_path):
    scripted_team.join()
    rows = [json.loads(line) for line in (tmp_path / "conversations.jsonl").read_text().splitlines()]
    rows = [{**row, "summary": "It broke."} for row in rows]
    rows[0] |= {"channel": "web", "references": ["The lamp broke."]}
    rows = [{key: row[key] for key in row if row is rows[0] or key not in ("channel", "references")} for row in rows]
    (tmp_path / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    good = preflight(make_run()).good
    assert "conversations.jsonl: channels: web (1)" in good
    assert "conversations.jsonl: references: in 1 of 12 rows" in good
    assert "conversations.jsonl: columns that nothing reads: summary" in good


def test_a_holdout_of_copies_is_told(make_run, tmp_path):
    scripted_team.join()
    rows = [json.loads(line) for line in (tmp_path / "conversations.jsonl").read_text().splitlines()]
    copies = [{**row, "id": f"{row['id']}-{copy}"} for row in rows for copy in range(4)]
    (tmp_path / "conversations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in copies))
    (warning,) = (warning for warning in preflight(make_run()).warnings if "near-duplicates" in warning)
    assert warning.startswith("corpus: 12 conversations are held out, and only 3 without near-duplicates")


def test_a_limited_run_leaves_out_labels_of_conversations_that_it_does_not_read(make_run, tmp_path):
    scripted_team.join()
    rows: list[dict[str, object]] = [{"id": name, "summary": "It broke.", "errors": []} for name in ("c01", "c11")]
    (tmp_path / "labeled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    findings = preflight(make_run("labeled.path=labeled.jsonl", "corpus.limit=6"))
    assert not findings.problems
    assert any("labeled.jsonl: 1 labelled summaries of the first 6 conversations" in line for line in findings.good)
    (tmp_path / "labeled.jsonl").write_text(json.dumps({**rows[0], "id": "c111"}))
    (problem,) = preflight(make_run("labeled.path=labeled.jsonl")).problems
    assert "no conversation of id 'c111'" in problem
    assert "labeled.path to null" in problem


def test_no_host_is_not_claimed_where_a_model_has_a_problem(make_run, monkeypatch):
    scripted_team.join()
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    findings = preflight(make_run("models.judge={model: openai/gpt-4o, api_key_env: NO_SUCH_KEY}"), offline=True)
    assert not [line for line in findings.good if line.startswith("Hosts that are asked")]


def test_a_model_of_this_process_is_named_with_its_device(make_run, tmp_path):
    scripted_team.join()
    folder = save_tiny_model(tmp_path / "tiny", context=4096)
    findings = preflight(make_run(f"models.judge={{model: embedded/{folder}, device: cpu, dtype: bfloat16}}"))
    assert f"models.judge: embedded/{folder} answers on cpu, bfloat16" in findings.good, findings.problems


def test_offline_no_model_is_asked_and_the_hub_is_left_alone(make_run, monkeypatch):
    team = scripted_team.join()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    seen = []

    def preview(*_, **__):
        seen.append(dict(os.environ))
        return Preview()

    monkeypatch.setattr("arf_programs.stages.preview_base", preview)
    judge = "models.judge={model: openai/gpt-4o, api_key_env: NO_SUCH_KEY}"
    findings = preflight(make_run(judge), offline=True)
    assert team.asked == {}
    assert seen[0]["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in os.environ
    assert ["NO_SUCH_KEY is not set" in problem for problem in findings.problems] == [True]
    assert findings.good[0].startswith("conversations.jsonl: 12 conversations")


def test_what_the_files_say_is_told_before_a_model_is_asked(make_run):
    team = scripted_team.join()
    told = []
    findings = preflight(make_run(), show=lambda part: told.append((list(part.good), dict(team.asked))))
    (files, asked), (rest, _) = told
    assert asked == {}
    assert files[0].startswith("conversations.jsonl: 12 conversations")
    assert findings.good == files + rest


def test_nothing_is_written(make_run):
    scripted_team.join()
    run = make_run()
    preflight(run)
    assert not run.folder.path.exists()


def test_each_model_is_asked_once_and_named_with_its_roles(make_run):
    scripted_team.join()
    other = scripted_team.join("other")
    findings = preflight(make_run("models.editor=scripted/other", "models.judge=scripted/nowhere"))
    assert "models.teacher: scripted/model answers" in findings.good
    assert "models.analyst and editor: scripted/other answers" in findings.good
    assert other.asked == {"ping": 1}
    (problem,) = findings.problems
    assert problem.startswith("models.judge: scripted/nowhere does not answer: ")
    assert "neither a file nor registered" in problem


def test_every_problem_is_told_at_once(make_run, tmp_path, monkeypatch):
    monkeypatch.delenv("MY_KEY", raising=False)
    scripted.register("model", lambda messages, params: scripted.ScriptedAnswer(error="server"))
    with (tmp_path / "conversations.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write('{"id": "c00", "conversation": "A: hi"}\n{broken\n')
    findings = preflight(
        make_run(
            "analyze.taxonomy=nowhere.yaml",
            "models.judge={model: openai/gpt-4o, api_key_env: MY_KEY}",
            "models.editor=nobody/model",
        )
    )
    told = "\n".join(findings.problems)
    assert "conversations.jsonl line 13: id 'c00' is taken" in told
    assert "conversations.jsonl line 14: not valid JSON" in told
    assert "nowhere.yaml: cannot be read" in told
    assert "models.judge: openai/gpt-4o does not answer: " in told
    assert "MY_KEY is not set" in told
    assert "nobody/model: LiteLLM knows no such model" in told
    assert "models.teacher: scripted/model does not answer" in told
    assert not findings.as_json()["ok"]


def test_an_answer_is_never_taken_from_a_store(make_run):
    team = scripted_team.join()
    preflight(make_run())
    preflight(make_run())
    assert team.asked == {"ping": 2}


def test_skipped_conversations_and_labelled_ones_are_told(make_run, tmp_path):
    scripted_team.join()
    write_corpus(tmp_path / "conversations.jsonl")
    with (tmp_path / "conversations.jsonl").open("a", encoding="utf-8") as corpus:
        corpus.write(json.dumps({"id": "long", "conversation": "A: " + "word " * 2000}) + "\n")
    (tmp_path / "labeled.jsonl").write_text('{"id": "c00", "summary": "It broke.", "errors": []}\n')
    findings = preflight(make_run("corpus.max_tokens=500", "labeled.path=labeled.jsonl"))
    assert any("1 skipped: about 2501 tokens" in line for line in findings.good)
    use = "for arf compile and arf calibrate; set labeled.demos to show some to analyst and editor"
    assert f"labeled.jsonl: 1 labelled summaries, {use}" in findings.good


def test_a_folder_of_another_run_is_a_problem(make_run):
    scripted_team.join()
    run = make_run()
    with lock_run(run):
        (run.folder.config).write_text("name: other\ncorpus: {path: x}\n")
    assert any("holds another run (name is other" in problem for problem in preflight(run).problems)


def test_a_calibration_is_read_and_one_for_another_model_is_refused(make_run, tmp_path):
    from arf_programs.metrics import fit_calibration
    from arf_programs.programs import SentenceSupport

    scripted_team.join()
    prompt = SentenceSupport().prompt_digest()
    for model, wording in (("scripted/model", prompt), ("scripted/other", prompt), ("scripted/model", "p")):
        made = fit_calibration([0.1, 0.9], [False, True], model=model, prompt=wording)
        write_record(tmp_path / f"{model[-5:]}-{wording[:1]}.json", made)
    findings = preflight(make_run(f"analyze.calibration=model-{prompt[:1]}.json"))
    assert findings.problems == []
    assert any("a calibration, threshold" in line for line in findings.good)
    (problem,) = preflight(make_run(f"analyze.calibration=other-{prompt[:1]}.json")).problems
    assert "fitted for scripted/other, and scripted/model is asked" in problem
    (problem,) = preflight(make_run("analyze.calibration=model-p.json")).problems
    assert "another wording" in problem
    (tmp_path / "mine.json").write_text("{}", encoding="utf-8")
    findings = preflight(make_run("analyze.calibration=mine.json"))
    assert "no calibration" in findings.problems[0]


def test_a_cap_in_dollars_that_does_not_see_a_model_is_a_warning(make_run):
    def told(*overrides):
        return [warning for warning in preflight(make_run(*overrides)).warnings if "budget.usd" in warning]

    with serving() as server:
        models = f"models.teacher={{model: hosted_vllm/unpriced, api_base: '{server.base_url}', retries: 0}}"
        (warning,) = told(models, "budget.usd=1")
        assert "budget.usd does not count hosted_vllm/unpriced" in warning
        priced = models.replace("retries", "input_price: 0, output_price: 0, retries").replace("unpriced", "priced")
        assert told(priced, "budget.usd=1") == []
        assert told(models) == []


def test_a_cluster_that_no_conversation_has_is_a_problem(make_run):
    scripted_team.join()
    assert "evaluate.cluster: no conversation has 'agent'" in preflight(make_run("evaluate.cluster=agent")).problems[0]


@pytest.mark.parametrize(
    ("refused", "settings", "problem"),
    [
        ("json_object", "json_schema: false", "set its json_schema to true, if its server enforces one"),
        ("json_schema", "json_schema: true", "set its json_schema to false"),
        ("logprobs", "json_schema: true, logprobs: true", "set its logprobs to false"),
    ],
)
def test_what_a_server_refuses_of_the_run_is_found_with_its_key(make_run, refused, settings, problem):
    with serving_oddly() as server:

        def answer(number, body):
            asks = (body.get("response_format") or {}).get("type", "") + " logprobs" * bool(body.get("logprobs"))
            server.status = 400 if refused in asks else 200
            reason = {
                "error": {"message": f"{refused} is not supported by this server", "type": "invalid_request_error"}
            }
            return reason if refused in asks else completion('{"colors": ["red"]}')

        server.answer = answer
        model = f"{{model: hosted_vllm/m, api_base: '{server.url}', {settings}}}"
        findings = preflight(make_run(f"models={{teacher: {model}}}", "analyze.strategy=sentencewise"))
    (found,) = findings.problems
    assert problem in found
    assert f"{refused} is not supported" in found


def test_a_server_that_gives_fewer_log_probabilities_is_a_warning(make_run):
    def answer(number, body):
        refused = (body.get("top_logprobs") or 0) > 5
        server.status = 400 if refused else 200
        said = "Invalid 'top_logprobs': expected a value <= 5, but got 20 instead."
        return {"error": {"message": said}} if refused else completion('{"colors": ["red"]}')

    with serving_oddly() as server:
        server.answer = answer
        model = f"{{model: hosted_vllm/m, api_base: '{server.url}', json_schema: true, logprobs: true}}"
        findings = preflight(make_run(f"models={{teacher: {model}}}", "analyze.strategy=sentencewise"))
    assert findings.problems == []
    assert any("so many log-probabilities of a token, so it is asked for 5" in line for line in findings.warnings)


@pytest.mark.parametrize("name", ["stop", "top_k", "presence_penalty"])
def test_a_parameter_of_the_configuration_that_a_server_refuses_is_named(make_run, name):
    with serving_oddly() as server:
        server.status = 400
        server.answer = lambda number, body: {"error": {"message": f"Unrecognized request argument supplied: {name}"}}
        model = f"{{model: hosted_vllm/m, api_base: '{server.url}', parameters: {{{name}: 1}}}}"
        (problem,) = preflight(make_run(f"models={{teacher: {model}}}")).problems
    assert f"it speaks of parameters.{name}: take that out" in problem


def test_an_error_of_the_server_is_no_refusal(make_run):
    with serving_oddly() as server:

        def answer(number, body):
            server.status = 500 if body.get("response_format") else 200
            return {"error": {"message": "out of memory"}} if body.get("response_format") else completion("yes")

        server.answer = answer
        model = f"{{model: hosted_vllm/m, api_base: '{server.url}', json_schema: true, logprobs: false}}"
        findings = preflight(make_run(f"models={{teacher: {model}}}"))
    assert findings.problems == []
    assert any("gave no answer when it was asked for a JSON schema" in warning for warning in findings.warnings)


@pytest.mark.parametrize(
    ("message", "field", "said", "is_problem"),
    [
        ("System role not supported", "system", "the system text stands before the user's first message", False),
        ("Only user and assistant roles are supported!", "system", "the system text stands before", False),
        ("'temperature' does not support 0 with this model", "temperature", "Set its `temperature` to 1", True),
        (
            "'max_tokens' is unsupported. Use 'max_completion_tokens'",
            "max_tokens",
            "is sent as `max_completion_tokens`",
            False,
        ),
    ],
)
def test_what_a_server_refuses_of_every_question_is_said_in_our_words(make_run, message, field, said, is_problem):
    with serving_oddly() as server:

        def answer(number, body):
            refused = field in body or field in [item["role"] for item in body["messages"]]
            server.status = 400 if refused else 200
            return {"error": {"message": message, "type": "invalid_request_error"}} if refused else completion("yes")

        server.answer = answer
        model = f"{{model: hosted_vllm/m, api_base: '{server.url}'}}"
        findings = preflight(make_run(f"models={{teacher: {model}}}"))
    assert [said in text and message in text for text in findings.problems] == [True] * is_problem
    assert is_problem or any(said in text and message in text for text in findings.warnings)
