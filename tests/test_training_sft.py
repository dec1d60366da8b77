"""Real training with TRL and PEFT of a tiny model with random weights."""

import io
import json

import pytest
import torch
from safetensors.torch import load_file
from tiny_model import save_tiny_model
from transformers import AutoTokenizer

from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.records import Message, TrainingExample
from training import sft
from training.settings import TrainSettings

FLAGS = ["--epochs", "2", "--batch-size", "2", "--learning-rate", "0.01", "--lora-r", "2", "--lora-alpha", "4"]
STEPS = 6


def make_rows(count=5, arm="arf"):
    return [
        TrainingExample(
            conversation_id=f"c{n}",
            messages=(
                Message(role="system", content="Summarize."),
                Message(role="user", content="Customer: my order is late. " * (n + 1)),
            ),
            completion=f"The order of customer {n} was late.",
            arm=arm,
        )
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "arf.jsonl"
    write_jsonl_atomic(path, make_rows())
    return path


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def command(data, base, output, *more):
    return ["--data", str(data), "--output", str(output), "--base", base, *FLAGS, *more]


@pytest.fixture(scope="module")
def student(tmp_path_factory, data, base):
    output = tmp_path_factory.mktemp("student") / "arf"
    assert sft.main(command(data, base, output)) == 0
    return output


def read_log(folder):
    return json.loads((folder / "training_log.json").read_text())


def test_a_whole_student_is_adapter_tokenizer_and_log(student, base):
    names = {path.name for path in student.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "training_log.json"} <= names
    assert not {"checkpoints", "training_args.bin", "README.md"} & names
    assert json.loads((student / "adapter_config.json").read_text())["base_model_name_or_path"] == base


def test_the_log_holds_the_figures_of_the_report(student, base):
    log = read_log(student)
    assert (log["base"], log["arm"], log["examples"], log["steps"], log["dropped"]) == (base, "arf", 5, STEPS, [])
    assert [step["step"] for step in log["losses"]] == list(range(1, STEPS + 1))
    assert log["losses"][-1]["epoch"] == 2
    assert log["loss_first"] == pytest.approx(log["losses"][0]["loss"], abs=1e-4)
    assert log["loss_last"] == pytest.approx(log["losses"][-1]["loss"], abs=1e-4)
    assert log["loss_last"] < log["loss_first"]
    assert log["padding_share"] == 0
    assert log["seconds"] > 0


def test_the_tokens_of_every_epoch_are_counted(student, base):
    tokenizer = AutoTokenizer.from_pretrained(base)
    chats = [
        [
            *({"role": m.role, "content": m.content} for m in row.messages),
            {"role": "assistant", "content": row.completion},
        ]
        for row in make_rows()
    ]
    each = [len(tokenizer.apply_chat_template(chat, return_dict=False)) for chat in chats]
    assert read_log(student)["tokens"] == 2 * sum(each)


def test_the_same_command_again_does_nothing(student, data, base, capfd):
    before = (student / "training_log.json").stat().st_mtime_ns
    assert sft.main(command(data, base, student)) == 0
    assert "nothing to do" in capfd.readouterr().err
    assert (student / "training_log.json").stat().st_mtime_ns == before


def test_each_step_is_a_line_for_the_parent_and_one_for_people(data, base, tmp_path, capsys):
    assert sft.main(command(data, base, tmp_path / "s", "--last-layers", "1")) == 0
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {frozenset(line) for line in lines} == {frozenset(("step", "total", "loss", "seconds"))}
    assert lines[0]["total"] == STEPS
    assert f"step {STEPS}/{STEPS} loss {lines[-1]['loss']:.3f} 0 s left" in err
    adapter = load_file(tmp_path / "s" / "adapter_model.safetensors")
    assert adapter
    assert not any("layers.0." in name for name in adapter)


class Interrupts(io.StringIO):
    """A parent process that presses Ctrl-C once the third step is reported."""

    def write(self, text):
        if '"step": 4' in text:
            raise KeyboardInterrupt
        return super().write(text)


def settings(base):
    lora = {"r": 2, "alpha": 4}
    return TrainSettings(base=base, epochs=2, batch_size=2, learning_rate=0.01, lora=lora, save_steps=1)


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(data, base, student, tmp_path, capsys):
    """Dropout, order of rows, optimizer and counts all go on where they were."""
    output = tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        sft.train(data, output, settings(base), Interrupts())
    assert not (output / "training_log.json").exists()
    half_written = output / "checkpoints" / "checkpoint-5"
    half_written.mkdir()
    (half_written / "trainer_state.json").write_text('{"global_step": 5')

    machine = io.StringIO()
    sft.train(data, output, settings(base), machine)
    assert "resuming after step 3" in capsys.readouterr().err
    assert [json.loads(line)["step"] for line in machine.getvalue().splitlines()] == [4, 5, 6]
    resumed, whole = read_log(output), read_log(student)
    assert resumed["losses"] == whole["losses"]
    assert resumed["tokens"] == whole["tokens"]
    adapters = [load_file(folder / "adapter_model.safetensors") for folder in (output, student)]
    assert all(torch.equal(adapters[0][name], adapters[1][name]) for name in adapters[1])
    assert not (output / "checkpoints").exists()


def test_a_folder_loses_its_mark_before_it_is_trained_anew(data, base, student, tmp_path):
    output = tmp_path / "s"
    output.mkdir()
    (output / "training_log.json").write_text('{"fingerprint": "of other settings"}')
    with pytest.raises(KeyboardInterrupt):
        sft.train(data, output, settings(base), Interrupts())
    assert not (output / "training_log.json").exists()


def test_rows_that_are_too_long_fail_or_are_dropped_and_named(data, base, tmp_path, capsys):
    output = tmp_path / "s"
    assert sft.main(command(data, base, output, "--max-length", "180")) == 2
    assert "c4 (" in capsys.readouterr().err
    assert not output.exists()
    assert sft.main(command(data, base, output, "--max-length", "180", "--on-overflow", "drop")) == 0
    log = read_log(output)
    assert log["examples"] + len(log["dropped"]) == 5
    assert log["dropped"][-1]["conversation_id"] == "c4"
    assert log["dropped"][-1]["prompt"] > 0


def test_no_row_may_exceed_what_the_base_reads(base, tmp_path, capsys):
    (row,) = make_rows(1)
    long = row.model_copy(update={"messages": (Message(role="user", content="word " * 400),)})
    write_jsonl_atomic(tmp_path / "rows.jsonl", [row, long])
    assert sft.main(command(tmp_path / "rows.jsonl", base, tmp_path / "s")) == 2
    assert "have more than 1024 tokens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "has no rows"),
        ('{"conversation_id": "a"}\n', "line 1"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(content, message, base, tmp_path, capsys):
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_text(content)
    assert sft.main(command(path, base, tmp_path / "s")) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--arm", "teacher"], "row 1: its arm is 'arf', not 'teacher'"),
        (["--epochs", "0"], "epochs: "),
        (["--base", "/no/such folder"], "No model at"),
        (["--config", "/no/such.json"], "/no/such.json: cannot be read"),
    ],
)
def test_a_users_mistake_is_told_and_gives_exit_code_2(more, message, data, base, tmp_path, capsys):
    assert sft.main(command(data, base, tmp_path / "s", *more)) == 2
    assert message in capsys.readouterr().err


def test_arms_are_not_mixed(base, tmp_path, capsys):
    write_jsonl_atomic(tmp_path / "rows.jsonl", [*make_rows(1), *make_rows(1, arm="teacher")])
    assert sft.main(command(tmp_path / "rows.jsonl", base, tmp_path / "s")) == 2
    assert "row 2" in capsys.readouterr().err


def test_targets_that_the_base_does_not_have_are_a_users_mistake(data, base, tmp_path, capsys):
    config = tmp_path / "train.json"
    config.write_text('{"lora": {"targets": ["no_such_module"]}}')
    assert sft.main(command(data, base, tmp_path / "s", "--config", str(config))) == 2
    assert "train.lora: Target modules" in capsys.readouterr().err


def test_a_loss_that_is_not_a_number_stops_the_run(data, base, tmp_path, capsys):
    assert sft.main(command(data, base, tmp_path / "s", "--learning-rate", "1e30")) == 1
    assert "lower train.learning_rate" in capsys.readouterr().err
    assert not (tmp_path / "s" / "training_log.json").exists()


def test_ctrl_c_gives_exit_code_130(data, base, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Interrupts())
    assert sft.main(command(data, base, tmp_path / "s")) == 130
