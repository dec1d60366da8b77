"""`arf export` and `arf push`: what is published, where, and what is left alone."""

import base64
import json
import os
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from typer.testing import CliRunner
from warm_python import run_python

from arf_programs.cli.app import app
from arf_programs.cli.student import is_repository
from arf_programs.models.local.weights import load_model
from arf_programs.runs.folder import RunFolder
from arf_programs.tools.serving.server import merged_student
from signatures.exceptions import DataError
from training.export import export_student, main

TOKEN = "hf_secretsecretsecret"


def arf(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_an_exported_adapter_is_weights_tokenizer_and_card(project, tmp_path):
    result = arf("export", project / "run", "--to", tmp_path / "out", "--json")
    assert json.loads(result.stdout) == {"ok": True, "arm": "arf", "target": str(tmp_path / "out")}
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert "training_log.json" not in names
    for path in (tmp_path / "out").iterdir():
        content = path.read_bytes()
        assert str(project.parent).encode() not in content, path.name
        assert b"/finished/" not in content, path.name
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_a_merged_export_answers_as_the_student(project, tmp_path):
    folder = RunFolder(project / "run")
    export_student(folder, "arf", tmp_path / "out", merged=True)
    merged, tokenizer = (cls.from_pretrained(tmp_path / "out") for cls in (AutoModelForCausalLM, AutoTokenizer))
    student, _ = load_model(str(folder.student / "arf"))
    ids = torch.tensor([tokenizer("The order was late.")["input_ids"]])
    torch.testing.assert_close(merged(ids).logits, student(ids).logits)
    assert "merged model over" in (tmp_path / "out" / "README.md").read_text()
    assert not (tmp_path / "out" / "adapter_config.json").exists()


def set_base(student, base):
    for name, key in (("adapter_config.json", "base_model_name_or_path"), ("training_log.json", "base")):
        content = json.loads((student / name).read_text())
        (student / name).write_text(json.dumps({**content, key: base}))


def test_an_adapter_names_the_built_in_base_as_the_hub_does(project, tmp_path):
    folder = RunFolder(project / "run")
    set_base(folder.student / "arf", "smollm2-135m")
    export_student(folder, "arf", tmp_path / "out", merged=False)
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "base_model: HuggingFaceTB/SmolLM2-135M-Instruct\n" in card
    assert "license: apache-2.0\n" in card


def test_a_student_that_is_a_whole_model_is_exported_as_it_is(project, tmp_path):
    folder = RunFolder(project / "run")
    student = folder.student / "arf"
    merged_student(folder, "arf")
    log = (student / "training_log.json").read_bytes()
    shutil.rmtree(student)
    shutil.copytree(folder.merged / "student_arf", student)
    (student / "training_log.json").write_bytes(log)
    (student / "optimizer.pt").write_bytes(b"pickle")
    export_student(folder, "arf", tmp_path / "out", merged=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= names
    assert not names & {"optimizer.pt", "training_log.json"}
    assert "library_name: transformers" in (tmp_path / "out" / "README.md").read_text()


def test_a_push_to_a_folder_copies_and_replaces_an_earlier_one_only(project, tmp_path):
    target = tmp_path / "deep" / "student"
    for _ in range(2):
        assert arf("push", project / "arf.yaml", target, "--run-dir", project / "run").exit_code == 0
        assert (target / "README.md").is_file()
        (target / "stale.json").write_text("{}")
    assert arf("push", project / "run", target, "--arm", "teacher").exit_code == 0
    assert not (target / "stale.json").exists()
    assert "arm `teacher`" in (target / "README.md").read_text()


def test_a_folder_that_holds_something_else_is_left_alone(project, tmp_path):
    (tmp_path / "README.md").write_text("# mine")
    with pytest.raises(DataError, match="is not empty and is no export"):
        export_student(RunFolder(project / "run"), "arf", tmp_path, merged=False)
    assert [path.name for path in tmp_path.iterdir() if path.name != "project"] == ["README.md"]


def test_what_cannot_be_exported_is_named(project, tmp_path):
    missing = arf("push", project / "run", tmp_path / "out", "--arm", "rewrite")
    assert missing.exit_code == 2
    assert "no student of arm 'rewrite'; trained are arf, teacher." in missing.stderr
    (tmp_path / "empty").mkdir()
    no_run = arf("export", tmp_path / "empty", "--to", tmp_path / "out")
    assert no_run.exit_code == 2
    assert "is no run" in no_run.stderr
    assert not (tmp_path / "out").exists()


def test_a_repository_is_owner_and_name_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_repository("me/student")
    assert not any(is_repository(target) for target in ("./me/student", "student", "/me/student", "a/b/c"))
    (tmp_path / "me" / "student").mkdir(parents=True)
    assert not is_repository("me/student")


class HubServer(ThreadingHTTPServer):
    """A server on a free port that keeps every request."""

    def __init__(self, *, refuse: bool) -> None:
        super().__init__(("127.0.0.1", 0), Hub)
        self.asked: list[tuple[str, str | None, bytes]] = []
        self.refuse = refuse


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload asks for."""

    server: HubServer

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, self.headers.get("Authorization"), body))
        self._answer(401, {"error": "no"}) if self.server.refuse else self._answer(200, self._reply(body))

    def do_GET(self):
        self._answer(200, {"id": "me/student", "sha": "0" * 40, "siblings": []})

    def _reply(self, body):
        if self.path.startswith("/api/repos/create"):
            return {"url": f"http://127.0.0.1:{self.server.server_port}/me/student", "name": "me/student"}
        if "/preupload/" in self.path:
            paths = [item["path"] for item in json.loads(body)["files"]]
            return {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths]}
        if "/commit/" in self.path:
            return {
                "commitUrl": f"http://127.0.0.1:{self.server.server_port}/me/student/commit/{'1' * 40}",
                "commitOid": "1" * 40,
                "success": True,
            }
        return {}

    def _answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def hub(*, refuse=False):
    server = HubServer(refuse=refuse)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def push_to(server, project, *more):
    """`python -m training.export`, since its process reads the address of the Hub anew."""
    environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_TOKEN": TOKEN}
    environment = {**environment, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    command = ["training.export", "--run-dir", str(project / "run"), "--repo", "me/student", *more]
    return run_python("-m", *command, env=environment)


def test_a_push_to_the_hub_makes_the_repository_and_uploads_the_export(project):
    with hub() as server:
        done = push_to(server, project, "--private")
    assert done.returncode == 0, done.stderr
    assert {token for _, token, _ in server.asked} == {f"Bearer {TOKEN}"}
    (created,) = [json.loads(body) for path, _, body in server.asked if path.startswith("/api/repos/create")]
    assert (created["name"], created["organization"], created["visibility"]) == ("student", "me", "private")
    (commit,) = [body for path, _, body in server.asked if "/commit/" in path]
    files = {
        item["value"]["path"]: item["value"] for item in map(json.loads, commit.splitlines()) if item["key"] == "file"
    }
    assert {"README.md", "adapter_model.safetensors", "adapter_config.json"} <= files.keys()
    assert b"made by arf export" in base64.b64decode(files["README.md"]["content"])
    assert TOKEN not in done.stdout + done.stderr
    assert all(TOKEN.encode() not in body for _, _, body in server.asked)


def test_a_refusal_of_the_hub_is_told_without_the_token(project):
    with hub(refuse=True) as server:
        done = push_to(server, project)
    assert done.returncode == 1
    assert "error: me/student: the Hub did not take the upload:" in done.stderr
    assert "401" in done.stderr
    assert TOKEN not in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_token_nothing_is_made(project, capsys, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert main(["--run-dir", str(project / "run"), "--repo", "me/student"]) == 2
    assert "HF_TOKEN is not set" in capsys.readouterr().err
