"""Preference training with TRL's real DPOTrainer and PEFT, of a tiny model with random weights."""

import io
import json
import math

import pytest
import torch
from datasets import Dataset
from safetensors.torch import load_file
from tiny_model import save_tiny_model
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from trl.data_utils import is_conversational

from arf_programs.runs.jsonl import read_jsonl, write_jsonl_atomic
from signatures.records import Message, PreferencePair, TrainingExample
from training import preference, sft
from training.settings import TrainSettings

CHOSEN, REJECTED = "It came on Monday.", "It came on Friday. The agent also gave back 95 euros."
STEPS = 4


def messages(number):
    return (Message(role="user", content=f"Customer {number}: it came on Monday. " * (number + 1)),)


def pair(number):
    return PreferencePair(
        conversation_id=f"c{number}",
        prompt=messages(number),
        chosen=(Message(role="assistant", content=CHOSEN),),
        rejected=(Message(role="assistant", content=REJECTED),),
        provenance={"errors": ["e1"]},
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "preference.jsonl"
    write_jsonl_atomic(path, [pair(number) for number in range(4)])
    return path


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def student(tmp_path_factory, base):
    """A fine-tuned student to go on from."""
    folder = tmp_path_factory.mktemp("student")
    rows = [
        TrainingExample(conversation_id=f"c{n}", messages=messages(n), completion=CHOSEN, arm="arf") for n in range(4)
    ]
    write_jsonl_atomic(folder / "arf.jsonl", rows)
    sft.train(folder / "arf.jsonl", folder / "arf", settings(base, "none"), io.StringIO())
    return folder / "arf"


def settings(base, method="sigmoid", **more):
    return TrainSettings(
        base=base, arm=None if method == "none" else "arf_dpo", batch_size=2, learning_rate=0.01, epochs=1,
        save_steps=1, lora={"r": 2, "alpha": 4},
        preference={"method": method, "learning_rate": 0.01, "epochs": 2, **more},
    )  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"edit_weight": 3, "beta": 5}])
def test_frozen_layers_are_computed_once_for_each_pair_with_the_same_result(base, data, tmp_path, monkeypatch, more):
    """The adapter is on the last layer: neither reference nor later epochs need the layer below again."""
    ran = []
    forward = LlamaDecoderLayer.forward

    def counted(*given, **named):
        ran.append(1)
        return forward(*given, **named)

    monkeypatch.setattr(LlamaDecoderLayer, "forward", counted)
    few = settings(base, **more)
    few = few.model_copy(update={"lora": few.lora.model_copy(update={"last_layers": 1})})
    for name in ("spared", "full"):
        ran.clear()
        preference.train(data, tmp_path / name, few, io.StringIO())
        passes = len(ran)
        if name == "spared":
            monkeypatch.setattr("training.loop.assemble.can_remember", lambda layers: False)
            spared = passes
    assert spared == passes - 12, "of 4 pairs, 2 epochs, student and reference: 16 passes through a frozen layer"
    first, second = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("spared", "full"))
    assert all(torch.equal(first[key], second[key]) for key in second)


@pytest.mark.parametrize("more", [{}, {"edit_weight": 3, "beta": 5}])
def test_completions_that_are_scored_alone_have_the_scores_of_trl(base, data, student, tmp_path, monkeypatch, more):
    """TRL scores the prompt's tokens too on a CPU, and throws the result away."""
    logs = []
    for name in ("alone", "trl"):
        output = tmp_path / name
        preference.train(data, output, settings(base, **more), io.StringIO(), adapter=student)
        logs.append((read_log(output)["losses"], load_file(output / "adapter_model.safetensors")))
        monkeypatch.setattr("training.loop.trainer.is_cpu_alone", lambda accelerator: False)
    (losses, weights), (of_trl, weights_of_trl) = logs
    assert [step["loss"] for step in losses] == pytest.approx([step["loss"] for step in of_trl], abs=1e-4)
    assert all(torch.allclose(weights[key], weights_of_trl[key], atol=1e-4) for key in weights)


def read_log(folder):
    return json.loads((folder / "training_log.json").read_text())


def log_probability(base, adapter, completion):
    from peft import PeftModel

    from training.loop.base_model import load_base

    model, tokenizer = load_base(base, torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    prompt = [message.model_dump() for message in messages(1)]
    head = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False)
    ids = tokenizer.apply_chat_template([*prompt, {"role": "assistant", "content": completion}], return_dict=False)
    logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    return sum(logits[place - 1, ids[place]].item() for place in range(len(head), len(ids)))


def test_the_rows_are_trls_conversational_preference_format(data):
    row = json.loads(data.read_text().splitlines()[0])
    assert is_conversational(row)
    assert Dataset.from_json(str(data)).column_names[:4] == ["conversation_id", "prompt", "chosen", "rejected"]


@pytest.mark.parametrize(("method", "first"), [("sigmoid", math.log(2)), ("apo_zero", 1.0)])
def test_a_student_comes_to_prefer_the_revision(base, data, student, tmp_path, method, first):
    """The first loss is that of a policy equal to its reference: the student, not the base, is where it starts."""
    output = tmp_path / "dpo"
    preference.train(data, output, settings(base, method), io.StringIO(), adapter=student)
    log = read_log(output)
    assert log["losses"][0]["loss"] == pytest.approx(first, abs=1e-4)
    assert log["loss_last"] < log["loss_first"]
    margins = [
        log_probability(base, path, CHOSEN) - log_probability(base, path, REJECTED) for path in (student, output)
    ]
    assert margins[1] > margins[0] + 0.1


def test_the_folder_is_that_of_a_student_and_its_log_says_how_it_was_trained(base, data, student, tmp_path):
    output = tmp_path / "dpo"
    machine = io.StringIO()
    preference.train(data, output, settings(base, beta=0.2), machine, adapter=student)
    names = {path.name for path in output.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json", "training_log.json"} <= names
    assert not {"checkpoints", "training_args.bin", "README.md", "ref"} & names
    ours, theirs = (load_file(path / "adapter_model.safetensors") for path in (output, student))
    assert set(ours) == set(theirs)
    log, before = read_log(output), read_log(student)
    assert (log["arm"], log["examples"], log["steps"], log["epochs"]) == ("arf_dpo", 4, STEPS, 2)
    assert log["trainable_parameters"] == before["trainable_parameters"]
    assert log["settings"]["preference"] | {"beta": 0.2, "method": "sigmoid"} == log["settings"]["preference"]
    assert log["settings"]["learning_rate"] == 0.01
    assert log["tokens"] > 2 * before["tokens"]
    lines = [json.loads(line) for line in machine.getvalue().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert {frozenset(line) for line in lines} == {frozenset(("step", "total", "loss", "seconds"))}


def test_it_goes_on_from_the_students_own_adapter(base, data, student, tmp_path):
    preference.train(data, tmp_path / "dpo", settings(base, learning_rate=1e-12), io.StringIO(), adapter=student)
    ours, theirs = (load_file(path / "adapter_model.safetensors") for path in (tmp_path / "dpo", student))
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, rtol=0, atol=1e-9)


def test_instead_of_fine_tuning_it_starts_from_the_base(base, data, tmp_path):
    output = tmp_path / "dpo"
    preference.train(data, output, settings(base, after="base"), io.StringIO())
    log = read_log(output)
    assert log["losses"][0]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert log["loss_last"] < log["loss_first"]


def full(base, after="sft", **more):
    return settings(base, after=after).model_copy(update={"method": "full", **more})


def test_with_method_full_every_weight_of_a_whole_model_is_trained(base, data, tmp_path):
    """The reference is the student that it goes on from, so the first loss is that of a policy equal to it."""
    rows = [
        TrainingExample(conversation_id=f"c{n}", messages=messages(n), completion=CHOSEN, arm="arf") for n in (1, 2)
    ]
    write_jsonl_atomic(tmp_path / "arf.jsonl", rows)
    student, output = tmp_path / "arf", tmp_path / "dpo"
    sft.train(tmp_path / "arf.jsonl", student, TrainSettings(base=base, method="full", epochs=1), io.StringIO())
    preference.train(data, output, full(base), io.StringIO(), adapter=student)
    log, before = read_log(output), read_log(student)
    assert log["losses"][0]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert log["loss_last"] < log["loss_first"]
    assert log["trainable_parameters"] == before["trainable_parameters"]
    names = {path.name for path in output.iterdir()}
    assert {"config.json", "model.safetensors"} <= names and "adapter_config.json" not in names
    ours, theirs = (load_file(path / "model.safetensors") for path in (output, student))
    assert set(ours) == set(theirs) and any(not torch.equal(ours[name], theirs[name]) for name in theirs)


def test_a_schedule_that_needs_more_than_its_name_is_told_it(base, data, tmp_path):
    told = settings(base, after="base").model_copy(update={"scheduler": "cosine_with_min_lr"})
    preference.train(data, tmp_path / "dpo", told, io.StringIO())
    assert read_log(tmp_path / "dpo")["steps"] == STEPS


class Interrupts(io.StringIO):
    """A parent process that presses Ctrl-C once the second step is reported."""

    def write(self, text):
        if '"step": 3' in text:
            raise KeyboardInterrupt
        return super().write(text)


def test_an_interrupted_run_goes_on_and_ends_as_if_nothing_had_happened(base, data, student, tmp_path, capsys):
    whole, output = tmp_path / "whole", tmp_path / "dpo"
    preference.train(data, whole, settings(base), io.StringIO(), adapter=student)
    with pytest.raises(KeyboardInterrupt):
        preference.train(data, output, settings(base), Interrupts(), adapter=student)
    assert not (output / "training_log.json").exists()
    preference.train(data, output, settings(base), io.StringIO(), adapter=student)
    assert "resuming after step 2" in capsys.readouterr().err
    assert read_log(output)["losses"] == read_log(whole)["losses"]
    adapters = [load_file(folder / "adapter_model.safetensors") for folder in (output, whole)]
    assert all(torch.equal(adapters[0][name], adapters[1][name]) for name in adapters[1])


def test_what_is_whole_is_left_alone_and_another_loss_is_trained_anew(base, data, tmp_path, capsys):
    output = tmp_path / "dpo"
    preference.train(data, output, settings(base), io.StringIO())
    preference.train(data, output, settings(base), io.StringIO())
    assert "nothing to do" in capsys.readouterr().err
    preference.train(data, output, settings(base, beta=0.3), io.StringIO())
    assert "nothing to do" not in capsys.readouterr().err


def test_what_cannot_be_trained_on_is_told(base, data, tmp_path, capsys):
    config = tmp_path / "train.json"

    def run(told, rows=data, adapter=(), **changed):
        document = settings(base).model_dump(mode="json") | changed
        config.write_text(json.dumps(document))
        files = ["--data", str(rows), "--output", str(tmp_path / "s"), "--config", str(config), *adapter]
        assert preference.main(files) == 2
        assert told in capsys.readouterr().err

    run("method is none", preference={"method": "none"})
    run("is no adapter", adapter=("--adapter", base))
    run("is no whole model", adapter=("--adapter", str(tmp_path)), method="full")
    run("c3 (", max_length=150)
    (tmp_path / "empty.jsonl").write_text("")
    run("nothing to train on", rows=tmp_path / "empty.jsonl")
    assert len(list(read_jsonl(data, PreferencePair))) == 4
    assert not (tmp_path / "s").exists()
