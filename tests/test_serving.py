"""`arf serve`: the command, the life of the server, and a real one where the packages for it are installed."""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from conftest import open_project
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.cli.student import model_entry
from arf_programs.config.models import ModelConfig
from arf_programs.runs.fingerprint import digest_file
from arf_programs.runs.jsonl import read_jsonl
from arf_programs.tools.serving import server as engines
from arf_programs.tools.serving.server import (
    Engine,
    find_engine,
    merged_student,
    refuse_taken_port,
    running,
    serve_command,
    wait_for_end,
    wait_until_ready,
)
from signatures.exceptions import ConfigError, MissingExtra, StageError
from signatures.records import Summary

ROOT = Path(__file__).parent.parent
# A server with a child of its own; both tell their process ids. It answers only after a second look.
STUB = """
import http.server, os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.DEVNULL)
open("pids", "w").write(f"{os.getpid()} {child.pid}")
looks = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global looks
        looks += 1
        self.send_response(503 if looks == 1 else 200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, bound=60.0):
    end = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_vllm_serves_under_a_name_of_ours():
    command = serve_command(Engine("vllm", ("vllm", "serve")), Path("run/merged/student_arf"), host="::1", port=80)
    assert command == [
        "vllm", "serve", "student_arf", "--served-model-name", "student_arf", "--host", "::1", "--port", "80",
    ]  # fmt: skip


def test_transformers_serves_by_the_name_of_the_folder():
    engine = Engine("transformers", ("python", "serve"))
    command = serve_command(engine, Path("run/merged/student_arf"), host="127.0.0.1", port=8000)
    assert command == ["python", "serve", "student_arf", "--host", "127.0.0.1", "--port", "8000"]


def test_vllm_is_taken_where_it_is_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    assert find_engine().name == "transformers"
    with pytest.raises(MissingExtra, match="pip install vllm"):
        find_engine("vllm")
    (tmp_path / "vllm").touch(mode=0o755)
    assert find_engine() == Engine("vllm", (str(tmp_path / "vllm"), "serve"))
    assert find_engine("transformers").name == "transformers"


def test_a_missing_package_is_named_with_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "fastapi" else name)
    with pytest.raises(MissingExtra, match=r"needs fastapi: pip install 'arf-programs\[serve\]'"):
        find_engine()


def test_what_is_printed_is_a_model_of_a_configuration():
    for engine in ("vllm", "transformers"):
        model = ModelConfig.model_validate(model_entry(engine, "student_arf", "http://127.0.0.1:8000/v1"))
        assert model.model == "hosted_vllm/student_arf"
        assert model.json_schema is (engine == "vllm")


def test_a_port_in_use_is_a_clear_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on .*--port"):
            refuse_taken_port("127.0.0.1", port)
    refuse_taken_port("127.0.0.1", port)


def test_a_server_is_waited_for_and_ends_with_its_children(tmp_path):
    port = free_port()
    with pytest.raises(KeyboardInterrupt), running([sys.executable, "-c", STUB, str(port)], tmp_path) as process:
        wait_until_ready(process, f"http://127.0.0.1:{port}/health")
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(is_running(pid) for pid in pids)
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for_end(process)
    wait_until(lambda: not any(is_running(pid) for pid in pids))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_server_that_cannot_start_is_an_error(tmp_path):
    with pytest.raises(StageError, match="exit code 3"), running(["sh", "-c", "exit 3"], tmp_path) as process:
        wait_until_ready(process, f"http://127.0.0.1:{free_port()}/health")


def test_a_server_that_ends_by_itself_is_an_error(tmp_path):
    with pytest.raises(StageError, match="ended by itself"), running(["true"], tmp_path) as process:
        wait_for_end(process)


def test_a_student_is_merged_again_only_when_it_was_trained_anew(project):
    folder = open_project(project).folder
    student, merged = folder.student / "arf", folder.merged / "student_arf"
    merged.mkdir(parents=True)
    (merged / "README.md").write_text("made by arf export")
    (merged / "made_from.json").write_text(json.dumps({"student": digest_file(student)}))
    assert merged_student(folder, "arf") == merged
    assert not (merged / "model.safetensors").exists()
    config = student / "adapter_config.json"
    config.write_text(config.read_text() + "\n")
    assert merged_student(folder, "arf") == merged
    assert (merged / "model.safetensors").is_file()
    assert json.loads((merged / "made_from.json").read_text()) == {"student": digest_file(student)}


def test_an_arm_without_a_student_is_named_before_any_server_starts(project, monkeypatch):
    monkeypatch.setattr(engines, "find_engine", lambda wanted=None: Engine("vllm", ("false",)))
    result = CliRunner().invoke(app, ["serve", str(project / "run"), "--arm", "rewrite", "--port", str(free_port())])
    assert result.exit_code == 2
    assert "no student of arm 'rewrite'" in result.stderr


@pytest.mark.skipif(
    any(find_spec(name) is None for name in ("fastapi", "uvicorn")), reason="needs pip install 'arf-programs[serve]'"
)
def test_a_student_is_really_served_and_teaches(project):
    """The string that `arf serve` prints drafts summaries in another run; Ctrl-C ends server and command."""
    command = [sys.executable, "-c", "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
               "from arf_programs.cli.app import main\nmain()"]  # fmt: skip
    options = ["serve", str(project / "run"), "--port", str(free_port()), "--engine", "transformers", "--json"]
    new_machine = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    new_machine["HF_HOME"] = str(project / "nothing")
    secrets = {name: f"planted-{name}-4f1c9e27" for name in ("OPENAI_API_KEY", "HF_TOKEN", "SOME_SECRET", "PGPASSWORD")}
    new_machine |= secrets
    with subprocess.Popen(
        [*command, *options], cwd=ROOT, env=new_machine, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as server:
        try:
            lines = iter(server.stdout.readline, b"")
            entry = json.loads(b"".join(until_object_ends(lines)))
            given = json.dumps({key: entry[key] for key in ("model", "api_base", "json_schema", "logprobs")})
            run = open_project(
                project, f"run_dir={project / 'other'}", f"models.teacher={given}", "models.teacher.max_tokens=16"
            )
            from arf_programs import pipeline

            pipeline.run_until(run, "draft")
            bearer = {"Authorization": "Bearer planted-caller-4f1c9e27", "Content-Type": "application/json"}
            for body in (b'{"model": "none"}', b"no JSON"):  # refused, so the server may say why
                with suppress(HTTPError):
                    urlopen(Request(f"{entry['api_base']}/chat/completions", body, bearer)).close()
            with urlopen(f"{entry['api_base']}/models") as answer:
                assert [model["id"] for model in json.load(answer)["data"]] == ["student_arf"]
        finally:
            server.send_signal(signal.SIGINT)
            said, log = server.communicate(timeout=60)
    assert server.returncode == 0, log.decode()
    assert b"planted" not in b"".join([said, log])
    assert b"running on" not in log, "the address behind ours is nothing for callers"
    assert b"Aborted" not in log
    assert b"The server has ended." in log
    files = [path for path in (project / "run").rglob("*") if path.is_file()]
    assert not [path for path in files if b"4f1c9e27" in path.read_bytes()]
    drafts = list(read_jsonl(project / "other" / "drafts.jsonl", Summary))
    assert len(drafts) == 16
    assert {draft.model for draft in drafts} == {"hosted_vllm/student_arf"}


def until_object_ends(lines):
    for line in lines:
        yield line
        if line.rstrip() in ("}", b"}"):
            return
