"""What a dry run says comes true when the training is done."""

import json

import pytest
import scripted_team
import torch
from safetensors.torch import load_file
from test_training_preference import pair
from test_training_sft import make_rows, read_log
from tiny_model import save_tiny_model
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.cli.check import preflight
from arf_programs.pipeline import run_until
from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import ConfigError
from training import preference, sft
from training.loop.hardware import Hardware
from training.settings import TrainSettings
from training.sizing import dry_run as module
from training.sizing.cost import GIB, USABLE, Mode, count_operations, measure_shape
from training.sizing.dry_run import dry_run


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "arf.jsonl"
    write_jsonl_atomic(path, make_rows())
    return path


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_foretells_the_training(method, data, base, tmp_path, capsys):
    flags = ["--data", str(data), "--base", base, "--epochs", "3", "--batch-size", "2", "--method", method]
    assert sft.main([*flags, "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["figures"]
    assert sft.main([*flags, "--output", str(tmp_path / "s")]) == 0
    log = read_log(tmp_path / "s")
    assert (said["rows"], said["steps"], said["tokens"]) == (log["examples"], log["steps"], log["tokens"])
    assert said["padding_share"] == log["padding_share"] == 0
    assert said["trainable"] == log["trainable_parameters"]
    assert said["parameters"] == sum(weight.numel() for weight in load_file(f"{base}/model.safetensors").values())
    assert said["memory"]["total"] >= said["memory"]["weights"] >= 4 * said["parameters"]
    assert said["seconds"] > 0
    assert said["problems"] == []


@pytest.mark.parametrize("method", ["lora", "full"])
def test_it_foretells_the_preference_stage(method, base, tmp_path, capsys):
    path, config = tmp_path / "preference.jsonl", tmp_path / "settings.json"
    write_jsonl_atomic(path, [pair(number) for number in range(4)])
    config.write_text(json.dumps({
        "base": base, "method": method, "batch_size": 2, "packing": True, "max_length": 1024,
        "preference": {"method": "sigmoid", "epochs": 3},
    }))  # fmt: skip
    flags = ["--data", str(path), "--config", str(config)]
    assert preference.main([*flags, "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)["figures"]
    assert preference.main([*flags, "--output", str(tmp_path / "s")]) == 0
    log = read_log(tmp_path / "s")
    assert (said["rows"], said["steps"], said["tokens"]) == (log["examples"], log["steps"], log["tokens"])
    assert said["padding_share"] == log["padding_share"] > 0
    assert said["trainable"] == log["trainable_parameters"]
    learning = said["parameters"] if method == "full" else said["trainable"]
    assert said["memory"]["weights"] == 4 * (said["parameters"] + (2 if method == "lora" else 1) * learning)
    assert preference.main([*flags, "--dry-run"]) == 0
    assert "\npairs       4; 6 steps\n" in capsys.readouterr().out


def test_people_read_lines_and_nothing_is_written(data, base, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sft.main(["--dry-run", "--data", str(data), "--base", base]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert list(lines) == ["base", "device", "method", "parameters", "rows", "tokens", "GiB", "time"]
    assert lines["rows"] == "5; 4 steps"
    assert list(tmp_path.iterdir()) == []


def test_without_rows_it_says_what_it_can(base, tmp_path, capsys):
    assert sft.main(["--dry-run", "--json", "--base", base, "--data", str(tmp_path / "none.jsonl")]) == 0
    said = json.loads(capsys.readouterr().out)["figures"]
    assert [said[name] for name in ("rows", "tokens", "steps", "padding_share", "seconds")] == [None] * 5
    assert said["trainable"] > 0
    assert said["memory"]["activations"] > 0


def test_all_problems_are_named_at_once_and_the_exit_code_is_2(data, base, capsys):
    flags = ["--dry-run", "--data", str(data), "--base", base]
    assert sft.main([*flags, "--method", "qlora", "--max-length", "150"]) == 2
    said = capsys.readouterr().out
    assert "needs a CUDA device" in said
    assert "of 5 training rows have more than 150 tokens" in said
    assert "trainable" in said
    assert sft.main(["--dry-run", "--base", "/no/such folder"]) == 2
    assert "No model at" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "size", "mend"),
    [
        ({}, 200_000, "set train.method to qlora"),
        ({"method": "full"}, 200_000, "set train.method to lora"),
        ({"batch_size": 4}, 200_000, "set train.method to qlora"),
    ],
)
def test_what_does_not_fit_is_told_with_a_mend(options, size, mend, base, monkeypatch):
    # The meta device needs no GPU: that of the machine is described, not used.
    monkeypatch.setattr(module, "find_hardware", lambda: Hardware("cuda", "a tiny GPU", size, bf16=True))
    monkeypatch.setattr(module, "measured_speed", lambda hardware, *, bf16: 1e12)
    (problem,) = dry_run(TrainSettings(base=base, **options), [make_rows()]).problems
    assert "of a tiny GPU" in problem
    assert mend in problem


def test_a_batch_that_does_not_fit_is_no_problem_where_a_smaller_one_fits(base, monkeypatch):
    monkeypatch.setattr(module, "measured_speed", lambda hardware, *, bf16: 1e12)

    def look(rows, memory, *, launched=False):
        gpu = Hardware("cuda", "a GPU", memory, bf16=True, launched=launched)
        monkeypatch.setattr(module, "find_hardware", lambda: gpu)
        settings = TrainSettings(base=base, batch_size=rows, gradient_checkpointing=True)
        return dry_run(settings, [make_rows()])

    one, four = (look(rows, 2**40).memory["total"] for rows in (1, 4))
    size = int((one + four) / 2 / USABLE)
    found = look(4, size)
    assert found.problems == ()
    assert found.smaller_batch.startswith("4 rows at once do not fit the memory")
    assert found.memory["total"] <= USABLE * size
    assert found.smaller_batch in module.as_text(found)
    assert look(4, 2**40).smaller_batch is None
    (problem,) = look(4, size, launched=True).problems
    assert "lower train.batch_size" in problem


def test_memory_that_others_use_now_is_a_problem_now_and_a_warning_for_later(base, monkeypatch):
    def look(free, *, later):
        gpu = Hardware("cuda", "a GPU", GIB, bf16=True, free=free)
        monkeypatch.setattr(module, "find_hardware", lambda: gpu)
        monkeypatch.setattr(module, "measured_speed", lambda hardware, *, bf16: 1e12)
        return dry_run(TrainSettings(base=base), [make_rows()], later=later)

    (problem,) = look(200_000, later=False).problems
    assert "GiB of a GPU are free now: end what else uses it" in problem
    found = look(200_000, later=True)
    assert found.problems == ()
    assert "free the rest before `arf train`" in found.warnings[0]
    assert found.warnings[0] in module.as_text(found)
    assert "1.0 GiB, 0.5 free now" in module.as_text(look(GIB // 2, later=False))
    for later in (False, True):
        roomy = look(GIB // 2, later=later)
        assert (roomy.problems, roomy.warnings) == ((), ())


def test_a_gpu_pads_rows_of_like_length_and_a_packed_run_does_not(base, monkeypatch):
    monkeypatch.setattr(module, "find_hardware", lambda: Hardware("cuda", "GPU", 24 * GIB, bf16=True))
    monkeypatch.setattr(module, "measured_speed", lambda hardware, *, bf16: 1e12)
    padded = dry_run(TrainSettings(base=base, batch_size=2, epochs=1), [make_rows(5)])
    assert 0 < padded.padding_share < 0.2
    assert padded.steps == 3
    packed = dry_run(TrainSettings(base=base, batch_size=1, epochs=1, packing=True, max_length=400), [make_rows(5)])
    assert packed.padding_share == 0
    assert packed.steps == 2


def test_memory_of_the_machine_that_is_unknown_stops_nothing(base, monkeypatch):
    monkeypatch.setattr(module, "find_hardware", lambda: Hardware("cpu", "CPU", 0, bf16=True))
    assert dry_run(TrainSettings(base=base), [make_rows(1)]).problems == ()


def test_operations_by_hand(base):
    """Forwards two a weight, backwards two for activations and two for weights that learn."""
    from training.loop.base_model import saved_architecture, without_weights

    def counted(**options):
        settings = TrainSettings(base=base, **options)
        shape = measure_shape(without_weights(saved_architecture(base)), settings)
        mode = Mode(settings.method, False, bool(settings.gradient_checkpointing), False, False)
        return shape, count_operations(shape, mode, tokens=300, distinct=100)

    shape, full = counted(method="full")
    assert full == 6 * shape.linear * 300
    assert counted(method="full", gradient_checkpointing=True)[1] == 8 * shape.linear * 300
    shape, lora = counted()
    assert lora == 4 * shape.linear * 300 + 6 * shape.trainable * 300
    shape, last = counted(lora={"last_layers": 1})
    assert last == (4 * 300 + 2 * 100) * shape.linear / 2 + 6 * shape.trainable * 300


@pytest.fixture
def project(tmp_path, base):
    write_jsonl_atomic(tmp_path / "rows.jsonl", [])
    config = tmp_path / "arf.yaml"
    config.write_text(
        f"corpus: {{path: rows.jsonl}}\nrun_dir: {tmp_path / 'run'}\nmodels: {{teacher: scripted/none.jsonl}}\n"
        f"train: {{base: {base}, epochs: 3, batch_size: 2}}\n"
    )
    return config


def test_arf_train_dry_run_looks_at_every_arm_and_at_the_rows_that_are_there(project, tmp_path):
    (tmp_path / "run" / "train").mkdir(parents=True)
    write_jsonl_atomic(tmp_path / "run" / "train" / "arf.jsonl", make_rows())
    done = CliRunner().invoke(app, ["train", str(project), "--dry-run", "--json"])
    assert done.exit_code == 0, done.output
    arms = json.loads(done.stdout)["arms"]
    assert {arm: figures["rows"] for arm, figures in arms.items()} == {"arf": 5, "teacher": None}
    assert arms["arf"]["steps"] == 9
    assert not (tmp_path / "run" / "student").exists()


def test_arf_train_dry_run_looks_at_the_preference_stage_too(project, tmp_path):
    (tmp_path / "run" / "train").mkdir(parents=True)
    write_jsonl_atomic(tmp_path / "run" / "train" / "preference.jsonl", [pair(number) for number in range(4)])
    options = ["--dry-run", "--set", "train.preference.method=apo_zero", "--set", "train.arms=[arf]"]
    done = CliRunner().invoke(app, ["train", str(project), *options, "--json"])
    assert done.exit_code == 0, done.output
    ((name, figures),) = json.loads(done.stdout)["preference"].items()
    assert (name, figures["rows"], figures["steps"]) == ("arf_apo", 4, 2)


def test_arf_train_dry_run_ends_with_2_when_something_does_not_fit(project):
    if torch.cuda.is_available():
        pytest.skip("qlora would be possible")
    done = CliRunner().invoke(
        app, ["train", str(project), "--dry-run", "--set", "train.method=qlora", "--set", "train.arms=[arf]"]
    )
    assert done.exit_code == 2
    assert done.stdout.startswith("student_arf\nbase ")
    assert "qlora needs a CUDA device" in done.stdout


def test_a_base_that_does_not_fit_the_machine_stops_check_and_run_before_a_model_is_asked(make_run, tmp_path):
    team = scripted_team.join()
    huge = save_tiny_model(tmp_path / "huge", context=8192)
    shape = json.loads((huge / "config.json").read_text())
    shape |= {"hidden_size": 48_000, "intermediate_size": 96_000, "num_hidden_layers": 60}
    (huge / "config.json").write_text(json.dumps(shape))
    run = make_run(f"train.base={huge}")
    (problem,) = preflight(run, offline=True).problems
    assert problem.startswith("train: Training takes about ")
    assert "choose a smaller base" in problem
    with pytest.raises(ConfigError, match="Training takes about"):
        run_until(run, "report")
    assert team.asked == {}


def test_check_says_what_memory_a_student_takes_and_which_rows_are_too_long(make_run, base):
    scripted_team.join()
    findings = preflight(make_run(f"train.base={base}"), offline=True)
    assert findings.problems == []
    assert any(line.startswith("train: a student takes about 0.0 of ") for line in findings.good)
    (problem,) = preflight(make_run(f"train.base={base}", "train.max_length=64"), offline=True).problems
    assert "of 9 training rows have more than 64 tokens" in problem
