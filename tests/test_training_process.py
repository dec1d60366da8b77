"""A module of `training/` run as a process: its output, its log, and what the user is told when it fails."""

import subprocess

import pytest

from arf_programs.stages import train as starter
from arf_programs.stages.train import run_training_module, training_process
from signatures.exceptions import DataError, StageError

# Modules that stand in for those of `training/`: they need no torch.
MODULES = {
    "good": "import sys\nsys.stderr.write('loss 1.0\\n')\nprint('one')\nprint(sys.argv[1])",
    "mistake": "import sys\nsys.stderr.write('step 1\\nerror: rows.jsonl has no rows:\\nadd some.\\n')\nsys.exit(2)",
    "crash": "raise RuntimeError('CUDA error: lost')",
    "endless": "import time\nprint('begun', flush=True)\ntime.sleep(600)",
}


@pytest.fixture(autouse=True)
def modules(tmp_path, monkeypatch):
    monkeypatch.setattr(starter, "subprocess", subprocess)  # other tests begin in a process that has imported much
    for name, code in MODULES.items():
        (tmp_path / f"{name}_module.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_the_output_of_a_module_is_returned():
    assert run_training_module("good_module", "two") == "one\ntwo\n"


def test_a_mistake_of_the_user_is_told_in_the_words_of_the_module():
    with pytest.raises(DataError) as caught:
        run_training_module("mistake_module")
    assert str(caught.value) == "rows.jsonl has no rows:\nadd some."


def test_a_crash_is_told_with_its_last_lines_and_the_log_goes_on(tmp_path):
    log = tmp_path / "log.txt"
    with training_process("good_module", "two", log=log) as lines:
        assert list(lines) == ["one\n", "two\n"]
    with pytest.raises(StageError) as caught, training_process("crash_module", log=log) as lines:
        assert list(lines) == []
    assert f"`python -m crash_module` failed (exit code 1); see {log}:\nTraceback" in str(caught.value)
    assert str(caught.value).endswith("RuntimeError: CUDA error: lost")
    assert "loss 1.0" not in str(caught.value)
    assert log.read_text().startswith("loss 1.0\nTraceback")


def test_an_interrupt_ends_the_process():
    with pytest.raises(KeyboardInterrupt), training_process("endless_module") as lines:
        assert next(iter(lines)) == "begun\n"
        raise KeyboardInterrupt
