"""The example with models of the hub, run offline from a local cache of tiny random models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_model import save_tiny_model
from typer.testing import CliRunner, Result

from arf_programs.cli.app import app
from arf_programs.config.load import load_config

EXAMPLE = Path(__file__).parent.parent / "examples" / "hub" / "arf.yaml"
CONFIG = load_config(EXAMPLE)
TEACHER, EDITOR = (CONFIG.models.of(role).model.removeprefix("embedded/") for role in ("teacher", "editor"))
BASE = CONFIG.train.base


@pytest.fixture(scope="module")
def hub_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of the hub's client with the models of the example, as a download leaves them."""
    home = tmp_path_factory.mktemp("hub")
    for name in (TEACHER, EDITOR, BASE):
        repository = home / "hub" / f"models--{name.replace('/', '--')}"
        save_tiny_model(repository / "snapshots" / "0a1b", context=8192)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("0a1b", encoding="utf-8")
    return home


@pytest.fixture
def arf(hub_home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command with that home. The hub's client reads its home when it is imported, which was earlier."""
    monkeypatch.setenv("HF_HOME", str(hub_home))  # for the processes that train
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub_home / "hub"))
    return lambda *arguments: CliRunner().invoke(app, arguments)


def test_the_models_are_open_and_small():
    assert (TEACHER, EDITOR) == ("Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B-Instruct")
    assert CONFIG.models.of("analyst") == CONFIG.models.of("editor")
    assert BASE.startswith("HuggingFaceTB/SmolLM2-")
    assert all(CONFIG.models.writers(role)[0].license == "Apache-2.0" for role in ("teacher", "editor"))


def test_arf_check_finds_the_models_in_the_cache_and_names_one_that_is_missing(arf, tmp_path):
    missing = "embedded/Qwen/Qwen2.5-7B-Instruct"
    short = [word for role in ("teacher", "editor") for word in ("--set", f"models.{role}.max_tokens=16")]
    settings = ["--run-dir", str(tmp_path / "run"), "--set", f"models.judge={missing}", *short]
    told = arf("check", str(EXAMPLE), *settings)
    for answers in (f"models.teacher: embedded/{TEACHER} answers", f"embedded/{EDITOR} answers", f"train.base: {BASE}"):
        assert answers in told.stdout
    assert f"models.judge: {missing} does not answer" in told.stdout
    assert "1 problem to mend" in told.stdout
    assert told.exit_code == 2
    assert isinstance(told.exception, SystemExit)
    assert "Traceback" not in told.stderr


def test_the_run_trains_and_scores_a_student_of_the_hub(arf, tmp_path):
    """The analyst is scripted, since random weights say neither yes nor no."""
    answers = tmp_path / "answers.jsonl"
    answers.write_text(json.dumps({"match": "", "answer": {"errors": []}}) + "\n", encoding="utf-8")
    short = [
        "evaluate.reviser=false",
        "models.teacher.max_tokens=24",
        "evaluate.max_tokens=24",
        "train.epochs=1",
        "corpus.limit=4",
    ]
    fitting = [
        "train.max_length=8192",
        "corpus.max_tokens=1500",
        "revise.candidates=1",
        "revise.attempts=1",
        "revise.on_reject=keep_draft",
    ]
    scripted = [
        f"models.analyst=scripted/{answers}",
        "analyze.strategy=holistic",
        "analyze.notes_sample=0",
        "train.arms=[arf]",
    ]
    overrides = [word for value in (*short, *fitting, *scripted) for word in ("--set", value)]
    run = tmp_path / "run"
    told = arf("run", str(EXAMPLE), "--run-dir", str(run), *overrides)
    assert told.exit_code == 0, told.stdout + told.stderr
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    assert {"base", "teacher", "student_arf"} <= summary["evaluate"]["systems"].keys()
    made_by = {json.loads(line)["model"] for line in (run / "drafts.jsonl").read_text(encoding="utf-8").splitlines()}
    assert made_by == {f"embedded/{TEACHER}"}
    assert json.loads((run / "student" / "arf" / "adapter_config.json").read_text())["base_model_name_or_path"] == BASE
