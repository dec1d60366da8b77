"""Base and students at a vLLM that `evaluate` starts, played by a stand-in that speaks its API."""

import json
import os
import signal
import stat
from pathlib import Path
from urllib.request import urlopen

import pytest
import scripted_team
import vllm_stand_in
from conftest import open_project
from test_serving import free_port, is_running, until_object_ends, wait_until
from typer.testing import CliRunner
from warm_python import start_python

from arf_programs import pipeline
from arf_programs.cli.app import app
from arf_programs.config import ModelConfig
from arf_programs.models.servers import vllm
from arf_programs.models.servers.vllm import Serving, VllmServer, vllm_command
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.runs.ledger import read_ledger
from arf_programs.stages.evaluation import vllm as evaluation
from arf_programs.text.student_prompt import build_messages
from signatures.exceptions import EndpointError, MissingExtra
from signatures.records import Summary

OURS = ("base", "student_arf", "student_teacher")
FEW = ("evaluate.analyst=false", "evaluate.judge=false", "evaluate.reviser=false")


@pytest.fixture
def vllm_here(tmp_path, monkeypatch):
    """The stand-in is on PATH; its record of what it was started with and asked."""
    program = vllm_stand_in.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_RECORD", str(tmp_path / "record"))
    monkeypatch.setattr(vllm, "free_gpu_share", lambda: 0.5)
    monkeypatch.setattr(evaluation, "has_gpu", lambda: True)
    monkeypatch.setattr(vllm, "_PAUSE", 0.05)
    return tmp_path / "record"


def rows_of(record, kind):
    lines = record.read_text().splitlines() if record.exists() else []
    return [row for row in map(json.loads, lines) if kind in row]


def evaluate(project, *overrides):
    scripted_team.join_troubled()
    run = open_project(project, *FEW, *overrides)
    pipeline.run_until(run, "evaluate")
    return run


def answers_of(run):
    rows = list(read_jsonl(run.folder.predictions, Summary))
    return {name: {row.conversation_id: row for row in rows if row.system == name} for name in OURS}


def assert_ended(record):
    pids = [pid for row in rows_of(record, "started") for pid in row["pids"]]
    assert pids
    wait_until(lambda: not any(is_running(pid) for pid in pids))


def test_base_and_students_are_asked_at_one_vllm_which_ends_with_the_answers(project, vllm_here):
    run = evaluate(project)
    (start,) = rows_of(vllm_here, "started")
    given, holdout = start["started"], run.conversations("holdout")
    names = [given["served_model_name"], *(module["name"] for module in given["lora_modules"])]
    assert tuple(name.rpartition("-")[0] for name in names) == ("base", "student_arf", "student_teacher")
    assert given["model"] == run.config.train.base
    assert [Path(module["path"]) for module in given["lora_modules"]] == [
        run.folder.student.resolve() / arm for arm in ("arf", "teacher")
    ]
    assert given["host"] == "127.0.0.1"
    assert (given["max_lora_rank"], given["max_loras"]) == (8, 2)  # vLLM knows no smaller rank
    assert (given["load_format"], given["generation_config"]) == ("safetensors", "vllm")
    assert given["gpu_memory_utilization"] == 0.45
    assert 0 < given["max_model_len"] <= 1024
    assert start["environment"]["HF_HUB_OFFLINE"] == "1"
    for system, name in zip(OURS, names, strict=True):
        found = answers_of(run)[system]
        assert set(found) == set(holdout)
        for key, row in found.items():
            messages = [item.model_dump() for item in build_messages(run.config.summarize.instruction, holdout[key])]
            assert row.text == vllm_stand_in.answer_of(name, messages)
            assert row.model == f"hosted_vllm/{name}"
    assert_ended(vllm_here)


def test_students_are_asked_greedily_in_the_chat_template_of_their_training(project, vllm_here):
    run = evaluate(project)
    for row in rows_of(vllm_here, "request"):
        assert row["path"] == "/v1/chat/completions"
        assert (row["request"]["temperature"], row["request"]["max_tokens"]) == (0.0, 16)
    (start,) = rows_of(vllm_here, "started")
    template = Path(start["started"]["chat_template"])
    assert template.is_relative_to(run.folder.student.resolve())
    for arm in ("arf", "teacher"):
        assert (run.folder.student / arm / "chat_template.jinja").read_bytes() == template.read_bytes()


def test_answers_are_stored_whatever_the_port_and_no_server_starts_for_them(project, vllm_here):
    run = evaluate(project)
    before, known = run.folder.predictions.read_bytes(), len(read_ledger(run.folder.ledger))
    run.folder.predictions.unlink()
    evaluate(project)
    assert run.folder.predictions.read_bytes() == before
    assert len(rows_of(vllm_here, "started")) == 1
    again = read_ledger(run.folder.ledger)[known:]
    assert len(again) == 3 * len(run.conversations("holdout"))
    assert all(call.cached for call in again)


def test_a_student_that_was_trained_anew_is_asked_again_and_no_other(project, vllm_here):
    run = evaluate(project)
    asked = len(rows_of(vllm_here, "request"))
    config = run.folder.student / "arf" / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 32', '"lora_alpha": 16'))
    run.folder.predictions.unlink()
    evaluate(project)
    new = rows_of(vllm_here, "request")[asked:]
    assert len(new) == len(run.conversations("holdout"))
    assert {row["request"]["model"].rpartition("-")[0] for row in new} == {"student_arf"}


def test_a_student_that_is_served_elsewhere_is_asked_there(project, vllm_here):
    other = scripted_team.join("other", summary=lambda fields: "The customer wrote about a thing.")
    run = evaluate(project, "evaluate.serve.student_arf=scripted/other")
    assert {row.text for row in answers_of(run)["student_arf"].values()} == {"The customer wrote about a thing."}
    assert other.asked["summary"]
    (start,) = rows_of(vllm_here, "started")
    assert [module["name"].rpartition("-")[0] for module in start["started"]["lora_modules"]] == ["student_teacher"]


def test_no_server_starts_where_all_systems_are_served_elsewhere(project, vllm_here):
    scripted_team.join("other", summary=lambda fields: "The customer wrote about a thing.")
    evaluate(project, f"evaluate.serve={{{', '.join(f'{name}: scripted/other' for name in OURS)}}}")
    assert not vllm_here.exists()


def test_what_vllm_cannot_load_answers_in_this_process(project, vllm_here):
    config = project / "run" / "student" / "arf" / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 32', '"lora_alpha": 16'))
    large = project / "run" / "student" / "teacher" / "adapter_config.json"
    large.write_text(large.read_text().replace('"use_dora": false', '"use_dora": true'))
    systems = evaluation._plan(open_project(project), "vllm")
    assert set(systems) == {"base", "student_arf"}
    large.write_text(large.read_text().replace('"use_dora": true', '"use_dora": false').replace('"r": 2', '"r": 1024'))
    assert set(evaluation._plan(open_project(project), "vllm")) == {"base", "student_arf"}


def test_whole_students_get_a_server_of_their_own_one_after_another(project, vllm_here):
    base = Path(open_project(project).config.train.base)
    for arm in ("arf", "teacher"):
        folder = project / "run" / "student" / arm
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (folder / name).unlink()
        for name in ("config.json", "model.safetensors", "generation_config.json"):
            (folder / name).write_bytes((base / name).read_bytes())
    run = evaluate(project)
    starts = rows_of(vllm_here, "started")
    folders = [str(run.folder.student.resolve() / arm) for arm in ("arf", "teacher")]
    assert [row["started"]["model"] for row in starts] == [str(base), *folders]
    assert not any(row["started"]["enable_lora"] for row in starts)
    assert all(len(rows) == len(run.conversations("holdout")) for rows in answers_of(run).values())
    assert_ended(vllm_here)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("die", r"vLLM did not start \(exit code 1\)[\s\S]*No available memory for the cache blocks"),
        ("other", r"vLLM does not serve student_arf-\w+, student_teacher-\w+"),
        ("fall", r"vLLM ended by itself \(exit code 137\)"),
    ],
)
def test_a_vllm_that_fails_is_an_error_with_the_end_of_its_log(project, vllm_here, monkeypatch, mode, said):
    monkeypatch.setenv("STAND_IN", mode)
    with pytest.raises(EndpointError, match=said) as caught:
        evaluate(project)
    log = project / "run" / "vllm.log"
    assert str(log) in str(caught.value)
    assert "evaluate.engine" in str(caught.value)
    assert "serve" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert_ended(vllm_here)


def test_after_a_failure_the_same_command_goes_on(project, vllm_here, monkeypatch):
    monkeypatch.setenv("STAND_IN", "fall")
    with pytest.raises(EndpointError):
        evaluate(project)
    asked = len(rows_of(vllm_here, "request"))
    monkeypatch.delenv("STAND_IN")
    run = evaluate(project)
    assert asked == 2
    assert len(rows_of(vllm_here, "request")) == 3 * len(run.conversations("holdout"))
    assert all(row.text for rows in answers_of(run).values() for row in rows.values())


def test_a_vllm_that_never_gets_ready_is_given_up(project, vllm_here, monkeypatch):
    monkeypatch.setenv("STAND_IN", "never")
    monkeypatch.setattr(evaluation, "_server", lambda run, program, serving: VllmServer(
        program, serving, folder=run.folder.path, log=run.folder.vllm_log, patience=1.0))  # fmt: skip
    with pytest.raises(EndpointError, match="vLLM did not answer within 1 seconds"):
        evaluate(project)
    assert_ended(vllm_here)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_server_outlives_a_command_that_is_ended(project, vllm_here, monkeypatch, number, tmp_path):
    """It is ended while it starts, by Ctrl-C and by a signal that no program can handle."""
    monkeypatch.setenv("STAND_IN", "never")
    program = (
        "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from pathlib import Path\nimport test_served, scripted_team\nfrom arf_programs.models.servers import vllm\n"
        "vllm.free_gpu_share = lambda: None\n"
        f"test_served.evaluate(Path({str(project)!r}), 'evaluate.engine=vllm')"
    )
    (tmp_path / "evaluate.py").write_text(program)
    with (tmp_path / "said").open("w") as said:
        command = start_python([str(tmp_path / "evaluate.py")], os.environ, said.fileno(), said.fileno())
        wait_until(lambda: rows_of(vllm_here, "started") or command.exitcode is not None)
        os.kill(command.pid, number)
        command.join(60)
    assert command.exitcode in (-number, 130, 1), (tmp_path / "said").read_text()
    assert_ended(vllm_here)


def test_auto_takes_vllm_where_there_is_a_gpu(project, vllm_here, monkeypatch):
    run = open_project(project)
    assert evaluation.vllm_to_use(run.config).endswith("/vllm")
    monkeypatch.setattr(evaluation, "has_gpu", lambda: False)
    assert evaluation.vllm_to_use(run.config) is None
    assert evaluation.vllm_to_use(open_project(project, "evaluate.engine=vllm").config).endswith("/vllm")
    assert evaluation.vllm_to_use(open_project(project, "evaluate.engine=embedded").config) is None
    monkeypatch.setattr(evaluation, "has_gpu", lambda: True)
    assert evaluation.vllm_to_use(open_project(project, "evaluate.device=cpu").config) is None


def test_a_missing_vllm_is_named_with_the_command_that_installs_it(project, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = open_project(project, "evaluate.engine=vllm")
    with pytest.raises(MissingExtra, match="vLLM is not installed here: pip install vllm"):
        pipeline.run_until(run, "report")
    assert evaluation.vllm_to_use(open_project(project).config) is None
    result = CliRunner().invoke(app, ["check", str(project / "arf.yaml"), "--set", "evaluate.engine=vllm"])
    assert result.exit_code == 2
    assert "pip install vllm" in result.output


def test_what_auto_takes_does_not_make_a_run_stale(project, vllm_here):
    """A run that was made where there was no vLLM stays whole where there is one."""
    assert pipeline.status(open_project(project))["report"].state == "whole"


def test_no_key_reaches_the_server_or_its_log(project, vllm_here, monkeypatch):
    planted = {"OPENAI_API_KEY": "sk-planted-1234567890", "HOSTED_VLLM_API_KEY": "planted-of-another-server"}
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    run = evaluate(project)
    written = [path for path in run.folder.path.rglob("*") if path.is_file()]
    assert run.folder.vllm_log in written
    for path in [*written, vllm_here]:
        content = path.read_text(errors="replace")
        assert not any(value in content for value in planted.values()), path


def test_the_largest_rank_decides_and_no_flag_is_given_without_need():
    serving = Serving("base", "base-1")
    assert vllm_command("vllm", serving, host="127.0.0.1", port=1) == [
        "vllm", "serve", "base", "--served-model-name", "base-1", "--host", "127.0.0.1", "--port", "1",
        "--load-format", "safetensors", "--generation-config", "vllm",
    ]  # fmt: skip
    for rank, wanted in ((1, "8"), (16, "16"), (17, "32"), (300, "320"), (512, "512")):
        serving = Serving("base", "base-1", {"a": Path("student=1/a")}, rank)
        command = vllm_command("vllm", serving, host="127.0.0.1", port=1)
        assert command[command.index("--max-lora-rank") + 1] == wanted
        assert json.loads(command[command.index("--lora-modules") + 1]) == {"name": "a", "path": "student=1/a"}


def test_an_endpoint_that_only_fails_ends_the_stage_and_gives_no_empty_summary(project, monkeypatch):
    """Else a dead server would count as a student that writes nothing."""
    from arf_programs.models.calls import pacing

    async def give_up(*_: object) -> None:
        raise EndpointError("the endpoint has only failed")

    monkeypatch.setattr(pacing.Endpoint, "_enter", give_up)
    with pytest.raises(EndpointError):
        evaluate(project, "evaluate.serve.base={model: hosted_vllm/x, api_base: 'http://127.0.0.1:1/v1'}")


def test_a_model_of_ours_is_declared_free(project):
    systems = evaluation._plan(open_project(project), "vllm")
    model: ModelConfig = systems["base"].model
    assert (model.input_price, model.output_price, model.temperature) == (0, 0, 0)


MAIN = (
    "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from arf_programs.cli.app import main\nmain()"
)


def served_by(project, *options):
    """What `arf serve` prints, what its server lists, and all that both write, until Ctrl-C ends them."""
    port = str(free_port())
    program = project / "serve.py"
    program.write_text(MAIN)
    command = [str(program), "serve", str(project / "run"), "--port", port, "--json", *options]
    read, write = os.pipe()
    with os.fdopen(read, encoding="utf-8") as output, (project / "log").open("w+", encoding="utf-8") as log:
        server = start_python(command, os.environ, write, log.fileno())
        os.close(write)
        try:
            said = "".join(until_object_ends(iter(output.readline, "")))
            with urlopen(f"http://127.0.0.1:{port}/v1/models") as answer:
                listed = [item["id"] for item in json.load(answer)["data"]]
        finally:
            os.kill(server.pid, signal.SIGINT)
            server.join(60)
            log.seek(0)
            written = log.read()
    assert server.exitcode == 0, written
    return json.loads(said), listed, said + written


def test_arf_serve_gives_all_students_and_their_base_by_one_vllm(project, vllm_here, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-1234567890")
    said, listed, written = served_by(project, "--all-arms", "--base")
    assert listed == ["base", "student_arf", "student_teacher"]
    entry = {"model": "hosted_vllm/student_arf", "json_schema": True}
    assert said["served"]["student_arf"].items() >= entry.items()
    assert set(said["served"]) == set(OURS)
    assert "sk-planted" not in written + vllm_here.read_text()
    assert not (project / "run" / "merged").exists()
    assert_ended(vllm_here)


def test_arf_serve_lists_its_student(project, vllm_here, monkeypatch):
    monkeypatch.setenv("EDITOR_TOKEN", "planted-token-987")
    said, listed, written = served_by(project)
    assert listed == ["student_arf"]
    assert said["model"] == "hosted_vllm/student_arf"
    assert "planted-token" not in written + vllm_here.read_text()


def test_a_student_that_cannot_share_its_base_is_named(project, vllm_here):
    config = project / "run" / "student" / "arf" / "adapter_config.json"
    config.write_text(config.read_text().replace('"use_dora": false', '"use_dora": true'))
    options = ["serve", str(project / "run"), "--all-arms", "--port", str(free_port())]
    result = CliRunner().invoke(app, options)
    assert result.exit_code == 2
    assert "student/arf cannot share its base" in result.output
