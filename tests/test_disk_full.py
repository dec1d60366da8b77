"""A disk that is full, read-only or gone: a message that names the folder, and a run that goes on later."""

import errno
import json
import os
import resource
import shutil
import sqlite3
import tempfile
from pathlib import Path

import pytest
import scripted_team
import served_team
from conftest import write_corpus
from model_server import running_server
from model_server_faults import Faults
from served_team import serving, write_project
from test_training_sft import FLAGS, make_rows
from tiny_model import save_tiny_model
from typer.testing import CliRunner
from warm_python import run_python

from arf_programs.cli.app import app
from arf_programs.models.answers.files import AnswerFiles
from arf_programs.models.local import weights
from arf_programs.models.providers.litellm import import_litellm
from arf_programs.runs.jsonl import JsonlAppender, write_jsonl_atomic, write_text_atomic
from arf_programs.runs.ledger import Call
from arf_programs.runs.storage import is_of_the_disk, storage_error, storing
from signatures.exceptions import StorageError
from training import sft

ROOT = Path(__file__).parents[1]


def arf(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def config(tmp_path):
    write_corpus(tmp_path / "conversations.jsonl")
    path = tmp_path / "arf.yaml"
    path.write_text(
        f"name: test\nrun_dir: {tmp_path / 'run'}\ncorpus: {{path: conversations.jsonl}}\n"
        "models: {teacher: scripted/model}\n"
    )
    return path


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "Make room"),
        (errno.EDQUOT, "within your quota"),
        (errno.EFBIG, "`ulimit -f`"),
        (errno.EROFS, "Make it writable"),
        (errno.EACCES, "Make it writable"),
        (errno.EMFILE, "`ulimit -n`"),
        (errno.ENOENT, "put it back"),
        (errno.EISDIR, "move it away"),
        (errno.ENOTDIR, "move it away"),
        (errno.EIO, "Look at the disk"),
    ],
)
def test_the_message_names_the_folder_what_is_free_and_the_mend(number, mend, tmp_path):
    message = str(storage_error(OSError(number, "x", str(tmp_path / "run" / "file.jsonl"))))
    assert str(tmp_path / "run" / "file.jsonl") in message
    assert os.strerror(number) in message
    assert f"{tmp_path} has " in message
    assert "MiB free" in message
    assert mend in message


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("database or disk is full", errno.ENOSPC),
        ("attempt to write a readonly database", errno.EROFS),
        ("disk I/O error", errno.EIO),
        ("unable to open database file", errno.EMFILE),
    ],
)
def test_what_sqlite_says_is_understood(words, number, tmp_path):
    assert os.strerror(number) in str(storage_error(sqlite3.OperationalError(words), tmp_path))


@pytest.mark.parametrize("words", ["file is not a database", "database disk image is malformed"])
def test_a_damaged_store_is_said(words, tmp_path):
    message = str(storage_error(sqlite3.DatabaseError(words), tmp_path / "calls", instead="set calls_dir"))
    assert f"calls: the disk refuses it ({words})" in message
    assert "A file is damaged: put a copy back, or move it away, or set calls_dir." in message


def test_a_path_that_is_too_long_is_said(tmp_path):
    place = tmp_path / ("x" * 300) / "config.yaml"
    with (
        pytest.raises(StorageError, match=r"File name too long.*has .* MiB free\. Give it a shorter path"),
        storing(place),
    ):
        place.write_text("x")


def test_a_store_that_vanished_is_said(tmp_path):
    error = sqlite3.OperationalError("unable to open database file")
    assert os.strerror(errno.ENOENT) in str(storage_error(error, tmp_path / "gone"))


@pytest.mark.parametrize(
    "words", ["Error while serializing: I/O error: No space left on device (os error 28)", "PytorchStreamWriter failed"]
)
def test_errors_of_weights_are_those_of_the_disk(words):
    assert is_of_the_disk(RuntimeError(words))
    assert not is_of_the_disk(RuntimeError("shapes do not match"))


LIMITED = """
import resource, sys
from arf_programs.cli.app import app
if __name__ == "__main__":  # workers import this file
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
    app(sys.argv[2:])
"""


def limited(folder, size, *arguments):
    """A command whose files cannot grow beyond `size` bytes, as on a disk that fills up."""
    (folder / "limited.py").write_text(LIMITED)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return run_python(str(folder / "limited.py"), str(size), *map(str, arguments), env=environment)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_stops_a_stage_with_a_message_and_the_same_command_goes_on(workers, tmp_path):
    with serving() as server:
        config = write_project(tmp_path, server.base_url, 60, model=", concurrency: 4")
        command = ("draft", config, "--set", f"workers={workers}")
        stopped = limited(tmp_path, 400_000, *command)
        first = sum(server.requests().values())
        assert stopped.returncode == 1, stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert "the disk refuses it (" in stopped.stderr
        assert "`ulimit -f`" in stopped.stderr
        assert "MiB free" in stopped.stderr
        assert str(tmp_path / "run") in stopped.stderr
        whole = arf(*command)
        assert whole.exit_code == 0, whole.output
        assert "60 drafts, 0 failed" in whole.stderr
        asked = sum(server.requests().values())
    assert 0 < first < 60 + 8
    assert asked <= 60 + 2 * 4


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOSPC])
def test_no_row_fails_because_a_call_could_not_begin_here(number, tmp_path, monkeypatch):
    async def send(*_):
        try:
            raise OSError(number, os.strerror(number))
        except OSError as error:
            raise import_litellm().APIConnectionError(os.strerror(number), "hosted_vllm", "m") from error

    monkeypatch.setattr("arf_programs.models.calls.sender.send_by_litellm", send)
    config = write_project(tmp_path, "http://127.0.0.1:9/v1", 30, model=", concurrency: 4, retries: 1")
    stopped = arf("draft", config)
    assert stopped.exit_code == 1
    assert f"a file or a connection of this command: the disk refuses it ({os.strerror(number)})" in stopped.stderr
    failures = tmp_path / "run" / "failures.jsonl"
    assert not failures.exists() or not failures.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EMFILE, errno.EDQUOT])
@pytest.mark.parametrize("command", ["draft", "analyze", "revise"])
def test_no_row_fails_because_of_the_disk(command, number, config, tmp_path, monkeypatch):
    team = scripted_team.join()
    store = AnswerFiles.keep
    kept: list[str] = []

    def keep(self, key, answer):
        with self._storing():
            if len(kept) == 10:
                raise OSError(number, os.strerror(number))
        kept.append(key)
        store(self, key, answer)

    monkeypatch.setattr(AnswerFiles, "keep", keep)
    result = arf(command, config)
    assert result.exit_code == 1
    assert f"{tmp_path / 'run' / 'calls'}: the disk refuses it ({os.strerror(number)})" in result.stderr
    failures = tmp_path / "run" / "failures.jsonl"
    assert not failures.exists() or not failures.read_text()
    before = dict(team.asked)
    monkeypatch.setattr(AnswerFiles, "keep", store)
    again = arf(command, config)
    assert again.exit_code == 0, again.output
    assert before
    assert ", 0 failed" in again.stderr


@pytest.mark.parametrize("command", ["check", "draft", "status", "run", "compile summarize", "plant", "calibrate"])
def test_whatever_file_a_command_cannot_write_there_is_no_traceback(command, config, monkeypatch):
    scripted_team.join()
    opened = Path.open

    def read_only(self, mode="r", *arguments, **named):
        if set(mode) & set("wax+"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))
        return opened(self, mode, *arguments, **named)

    monkeypatch.setattr(Path, "open", read_only)
    result = arf(*command.split(), config, "--json")
    if result.exit_code != 0:
        problems = json.loads(result.stdout)["problems"]
        assert result.exit_code in (1, 2)
        assert "Read-only file system" in " ".join(problems) or result.exit_code == 2


@pytest.mark.parametrize(("command", "kind"), [("draft", "summary"), ("analyze", "find"), ("revise", "edits")])
def test_a_run_folder_that_vanishes_is_said(command, kind, config, tmp_path):
    answers = scripted_team.Team().answers

    def vanish(fields):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return answers[kind](fields)

    scripted_team.join("model", **{kind: vanish})
    result = arf(command, config, "--set", "models.teacher.concurrency=2")
    assert result.exit_code == 1
    assert str(tmp_path / "run") in result.stderr
    assert "it was removed or moved while it was in use" in result.stderr or "refuses it" in result.stderr
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    scripted_team.join()
    assert arf(command, config).exit_code == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_run_folder_that_cannot_be_made_is_said_with_what_is_free(number, config, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("arf_programs.runs.run.make_private_folder", refuse)
    result = arf("draft", config)
    assert result.exit_code == 1
    assert f"{tmp_path / 'run'}: the disk refuses it ({os.strerror(number)}); {tmp_path} has " in result.stderr
    assert "or give another --run-dir" in result.stderr


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO])
def test_a_corpus_that_the_disk_does_not_give_is_no_mistake_of_the_user(number, config, monkeypatch):
    opened = Path.open

    def refuse(self, *arguments, **named):
        if self.name == "conversations.jsonl":
            raise OSError(number, os.strerror(number), str(self))
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    result = arf("draft", config)
    assert result.exit_code == 1
    assert f"conversations.jsonl: the disk refuses it ({os.strerror(number)})" in result.stderr


@pytest.mark.parametrize("key", ["run_dir", "calls_dir"])
def test_check_finds_a_folder_that_cannot_be_written_to(key, config, tmp_path, monkeypatch):
    scripted_team.join()
    (tmp_path / "shut").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / "shut" and access(path, mode))
    result = arf("check", config, "--set", f"{key}={tmp_path / 'shut' / 'new'}")
    assert result.exit_code == 2
    assert f"problem: {tmp_path / 'shut' / 'new'}: the disk refuses it (Permission denied); " in result.stdout


def test_no_folder_for_temporary_files_is_said(config, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: [str(tmp_path / "nowhere")])
    result = arf("check", config)
    assert result.exit_code == 1
    assert f"No usable temporary directory found in ['{tmp_path / 'nowhere'}']: set TMPDIR" in result.stderr


def test_no_worker_waits_for_a_row_that_the_disk_has_stopped(tmp_path):
    conversations = tmp_path / "run" / "conversations.jsonl"

    def answer(body):
        if scripted_team.read_question(body["messages"])[0] != "summary":
            conversations.unlink(missing_ok=True)
        return served_team.answer(body)

    with running_server(Faults(), answer) as server:
        config = write_project(tmp_path, server.base_url, 30, model=", concurrency: 8")
        assert arf("draft", config).exit_code == 0
        stopped = arf("analyze", config, "--set", "workers=2")
    assert stopped.exit_code == 1
    assert str(conversations) in stopped.stderr


def test_a_line_that_did_not_fit_is_cut_off_later(tmp_path):
    path = tmp_path / "calls.jsonl"
    call = Call(stage="s", model="m", cached=False)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    appender = JsonlAppender(path)
    appender.append(call)
    size = path.stat().st_size
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
        with pytest.raises(StorageError, match=r"calls\.jsonl: the disk refuses it \(File too large\)"):
            appender.append(call)
        with pytest.raises(StorageError):
            write_text_atomic(tmp_path / "new.txt", "x" * 1000)
        appender.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "new.txt").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["calls.jsonl"]
    with JsonlAppender(path) as healed:
        healed.append(call)
    assert len(path.read_text().splitlines()) == 2


def test_training_says_that_the_disk_is_full_and_goes_on(tmp_path, monkeypatch, capsys):
    base = save_tiny_model(tmp_path / "tiny")
    write_jsonl_atomic(tmp_path / "arf.jsonl", make_rows(2))
    student = tmp_path / "student"
    command = ["--data", str(tmp_path / "arf.jsonl"), "--output", str(student), "--base", str(base), *FLAGS]

    def full(*_, **__):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patch:
        patch.setattr("peft.peft_model.safe_save_file", full)
        assert sft.main(command) == 1
    assert f"error: {student}: the disk refuses it (No space left on device)" in capsys.readouterr().err
    assert sft.main(command) == 0
    assert (student / "training_log.json").exists()


def test_a_cache_folder_that_takes_no_weights_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("ARF_CACHE_DIR", str(tmp_path / "file" / "cache"))
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="or set ARF_CACHE_DIR to another folder") as caught:
        weights.resolve_weights("smollm2-135m")
    assert str(tmp_path / "file" / "cache") in str(caught.value)


def test_a_store_that_cannot_be_made_is_said(config, tmp_path):
    scripted_team.join()
    (tmp_path / "file").touch()
    result = arf("draft", config, "--set", f"calls_dir={tmp_path / 'file' / 'calls'}")
    assert result.exit_code == 2
    assert f"calls_dir: {tmp_path / 'file'} is no folder" in result.stderr
