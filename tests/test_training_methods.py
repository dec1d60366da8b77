"""Each method and option of training, shown to have taken effect on a tiny model, by the real TRL, PEFT, accelerate."""

import json
import math
from dataclasses import replace
from typing import get_args

import pytest
import torch
from conftest import stored_calls
from peft.tuners.lora.layer import Linear as LoraLinear
from safetensors.torch import load_file
from test_training_sft import Interrupts, make_rows, read_log
from tiny_model import save_tiny_model

from arf_programs.config.models import ModelConfig
from arf_programs.config.train import Scheduler, TrainConfig
from arf_programs.models import EMBEDDED, build_lm
from arf_programs.models.local.weights import is_adapter, load_model
from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import ConfigError, DataError, MissingExtra
from training import sft
from training.export import export
from training.loop.assemble import assemble
from training.loop.base_model import load_base
from training.loop.hardware import Hardware, base_dtype, check_hardware, find_hardware, is_bf16, is_checkpointed
from training.loop.records import Tally
from training.settings import TrainSettings

GPU = Hardware("cuda", "some GPU", 24 * 2**30, bf16=True)
OLD_GPU = Hardware("cuda", "an old GPU", 16 * 2**30, bf16=False)
CPU = Hardware("cpu", "CPU", 8 * 2**30, bf16=True)


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


def make_trainer(base, folder, *, rows=5, lora=None, **options):
    """A trainer that is ready, on the tiny model, for five rows two at a time: six steps in two epochs."""
    lora = {"r": 4, "alpha": 8, "dropout": 0, **(lora or {})}
    settings = TrainSettings(**{"base": base, "batch_size": 2, "learning_rate": 0.01, **options, "lora": lora})
    hardware = find_hardware()
    model, tokenizer = load_base(base, base_dtype(settings, hardware))
    return assemble(
        settings, make_rows(rows), model, tokenizer, hardware=hardware, folder=folder, tally=Tally(), callbacks=[]
    )


def history(trainer, name):
    trainer.train()
    return [row[name] for row in trainer.state.log_history if name in row]


# Full fine-tuning


@pytest.fixture(scope="module")
def whole_settings(base):
    return TrainSettings(base=base, method="full", epochs=2, batch_size=2, learning_rate=0.001, save_steps=1)


@pytest.fixture(scope="module")
def whole_student(data, whole_settings, tmp_path_factory):
    output = tmp_path_factory.mktemp("full") / "arf"
    output.mkdir()
    (output / "adapter_config.json").write_text("{}")  # of an earlier training with another method
    with (output.parent / "steps").open("w") as machine:
        sft.train(data, output, whole_settings, machine)
    return output


def test_full_fine_tuning_changes_every_weight_and_leaves_a_whole_model_in_safetensors(whole_student, base):
    names = {path.name for path in whole_student.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "training_log.json"} <= names
    assert not any(name.startswith("adapter") or name.endswith(".bin") for name in names)
    before, after = load_file(f"{base}/model.safetensors"), load_file(whole_student / "model.safetensors")
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[name], after[name]) for name in before)
    log = read_log(whole_student)
    assert log["trainable_parameters"] == sum(weight.numel() for weight in before.values())
    assert log["loss_last"] < log["loss_first"]


def test_evaluation_loads_a_whole_student_and_it_answers_as_it_was_trained(whole_student, base):
    """The folder is what `embedded/FOLDER` resolves, with the tokenizer and the template of its base."""
    assert not is_adapter(whole_student)
    student, tokenizer = load_model(str(whole_student))
    prompt = tokenizer.apply_chat_template(
        [{"role": message.role, "content": message.content} for message in make_rows()[0].messages],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=False,
    )
    base_model, _ = load_model(base)
    with torch.no_grad():
        assert not torch.allclose(student(prompt).logits, base_model(prompt).logits, atol=0.01)


def test_a_whole_student_answers_as_the_systems_of_the_evaluation_do(whole_student, base, tmp_path):
    answers = []
    for name in (str(whole_student), base):
        lm = build_lm(ModelConfig(model=f"{EMBEDDED}{name}", max_tokens=8), seed=1)
        with stored_calls(tmp_path):
            answers.append(lm("My order is late.")[0])
    assert answers[0] != answers[1]


def test_a_whole_student_needs_no_export_and_the_command_says_so(whole_student, tmp_path):
    with pytest.raises(DataError, match="is a whole model already"):
        export(whole_student, tmp_path / "merged")


def test_an_interrupted_full_fine_tuning_ends_with_the_same_weights(data, whole_settings, whole_student, tmp_path):
    output = tmp_path / "s"
    with pytest.raises(KeyboardInterrupt):
        sft.train(data, output, whole_settings, Interrupts())
    with (tmp_path / "steps").open("w") as machine:
        sft.train(data, output, whole_settings, machine)
    assert read_log(output)["losses"] == read_log(whole_student)["losses"]
    weights = [load_file(folder / "model.safetensors") for folder in (output, whole_student)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_full_fine_tuning_has_no_last_layers():
    with pytest.raises(ValueError, match=r"leave lora\.last_layers at null"):
        TrainConfig(method="full", lora={"last_layers": 2})


# Adapters


def adapted(trainer):
    return [module for module in trainer.model.modules() if isinstance(module, LoraLinear)]


def test_rslora_scales_by_the_root_of_the_rank(base, tmp_path):
    usual = adapted(make_trainer(base, tmp_path))
    rooted = adapted(make_trainer(base, tmp_path, lora={"rslora": True}))
    assert {module.scaling["default"] for module in usual} == {8 / 4}
    assert {module.scaling["default"] for module in rooted} == {8 / math.sqrt(4)}


def test_dora_learns_a_magnitude_for_each_output_of_each_adapted_layer(data, base, tmp_path):
    config = tmp_path / "train.json"
    config.write_text(json.dumps({"lora": {"r": 2, "dora": True}, "learning_rate": 0.01, "epochs": 1}))
    assert (
        sft.main(["--data", str(data), "--output", str(tmp_path / "s"), "--base", base, "--config", str(config)]) == 0
    )
    saved = load_file(tmp_path / "s" / "adapter_model.safetensors")
    magnitudes = {name: value for name, value in saved.items() if name.endswith("lora_magnitude_vector")}
    weights = load_file(f"{base}/model.safetensors")
    assert len(magnitudes) == 2 * 7
    for name, magnitude in magnitudes.items():
        layer = name.removeprefix("base_model.model.").removesuffix(".lora_magnitude_vector")
        norms = weights[f"{layer}.weight"].norm(dim=1)  # where they start: Liu et al. 2024, section 4.1
        assert magnitude.shape == norms.shape
        assert not torch.equal(magnitude, norms)
        torch.testing.assert_close(magnitude, norms, rtol=0.5, atol=0.1)
    load_model(str(tmp_path / "s"))


def test_the_head_is_no_target(data, base, tmp_path, capsys):
    config = tmp_path / "train.json"
    config.write_text('{"lora": {"targets": ["q_proj", "lm_head"]}}')
    flags = ["--data", str(data), "--base", base, "--config", str(config)]
    assert sft.main([*flags, "--output", str(tmp_path / "s")]) == 2
    assert sft.main([*flags, "--dry-run"]) == 2
    assert "".join(capsys.readouterr()).count("the head cannot be adapted") == 2


# The rate


def expected_rate(name, step, *, steps, warmup):
    """The share of the peak rate at a step from 0, as transformers documents its schedules."""
    if name != "constant" and step < warmup:
        return step / warmup
    done = (step - warmup) / (steps - warmup)
    decay = round(0.2 * steps)
    return {
        "linear": 1 - done,
        "polynomial": (1 - done) + done * 1e-7 / 0.01,
        "cosine": (1 + math.cos(math.pi * done)) / 2,
        "cosine_with_restarts": (1 + math.cos(math.pi * done)) / 2,
        "cosine_with_min_lr": 0.1 + 0.9 * (1 + math.cos(math.pi * done)) / 2,
        "inverse_sqrt": math.sqrt(warmup / step) if step else 0,
        "constant": 1,
        "constant_with_warmup": 1,
        "warmup_stable_decay": 1
        if step < steps - decay
        else (1 + math.cos(math.pi * (step - steps + decay) / decay)) / 2,
    }[name]


@pytest.mark.parametrize("name", get_args(Scheduler))
def test_the_rate_follows_the_schedule_that_is_named(base, tmp_path, name):
    trainer = make_trainer(base, tmp_path, scheduler=name, warmup_ratio=0.2, epochs=10, batch_size=5)
    trainer.create_optimizer_and_scheduler(num_training_steps=10)
    rates = []
    for _ in range(10):
        rates.append(trainer.lr_scheduler.get_last_lr()[0])
        trainer.optimizer.step()
        trainer.lr_scheduler.step()
    assert rates == pytest.approx([0.01 * expected_rate(name, step, steps=10, warmup=2) for step in range(10)])


def test_a_longer_warm_up_makes_the_first_steps_smaller(base, tmp_path):
    rates = history(make_trainer(base, tmp_path / "a", epochs=2, warmup_ratio=0.5), "learning_rate")
    assert rates == pytest.approx([0.01 * share for share in (0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3)])


# What goes through the model


def test_neftune_puts_noise_on_the_embeddings_while_training_alone(base, tmp_path):
    plain = history(make_trainer(base, tmp_path / "a"), "loss")
    noisy = make_trainer(base, tmp_path / "b", neftune_alpha=20)
    losses = history(noisy, "loss")
    assert losses[0] != pytest.approx(plain[0], abs=1e-3)
    assert not noisy.model.get_input_embeddings()._forward_hooks


def test_noise_is_never_remembered_by_the_frozen_layers(base, tmp_path):
    plain = make_trainer(base, tmp_path / "a", lora={"last_layers": 1})
    noisy = make_trainer(base, tmp_path / "b", neftune_alpha=5, lora={"last_layers": 1})
    first = [trainer.model.get_base_model().model.layers[0] for trainer in (plain, noisy)]
    assert ["forward" in vars(layer) for layer in first] == [True, False]


def test_checkpointing_computes_layers_again_and_changes_no_loss(base, tmp_path):
    losses, calls = [], []
    for number, wanted in enumerate((False, True)):
        trainer = make_trainer(base, tmp_path / str(number), gradient_checkpointing=wanted)
        called: list[int] = []
        mlp = trainer.model.get_base_model().model.layers[0].mlp
        mlp.register_forward_pre_hook(lambda module, args, called=called: called.append(1))
        losses.append(history(trainer, "loss"))
        calls.append(len(called))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert calls == [10, 20]  # five rows in two epochs


def test_bf16_holds_the_frozen_base_in_two_bytes_and_the_adapter_in_four(base, tmp_path):
    trainer = make_trainer(base, tmp_path, precision="bf16", lora={"last_layers": 1})
    types = {parameter.requires_grad: parameter.dtype for parameter in trainer.model.parameters()}
    assert types == {False: torch.bfloat16, True: torch.float32}
    losses = history(trainer, "loss")
    assert losses[-1] < losses[0]
    exact = history(make_trainer(base, tmp_path / "b", precision="fp32", lora={"last_layers": 1}), "loss")
    assert losses[0] == pytest.approx(exact[0], rel=0.02)
    assert losses[0] != exact[0]


def test_full_fine_tuning_computes_in_bf16_and_keeps_its_weights_in_four_bytes(base, tmp_path):
    trainer = make_trainer(base, tmp_path / "a", method="full", precision="bf16", learning_rate=0.001)
    assert {parameter.dtype for parameter in trainer.model.parameters()} == {torch.float32}
    exact = make_trainer(base, tmp_path / "b", method="full", precision="fp32", learning_rate=0.001)
    losses = [history(item, "loss")[0] for item in (trainer, exact)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]


def test_packed_rows_do_not_see_each_other(base, tmp_path):
    """One update on all rows: packed into few rows or apart, the loss and the adapter that results are the same."""
    apart = make_trainer(base, tmp_path / "a", batch_size=5, epochs=1, warmup_ratio=0)
    packed = make_trainer(base, tmp_path / "b", batch_size=5, epochs=1, warmup_ratio=0, packing=True, max_length=800)
    assert len(packed.train_dataset) < len(apart.train_dataset) == 5
    assert history(packed, "loss") == pytest.approx(history(apart, "loss"), rel=1e-5)
    assert packed.tally.tokens == apart.tally.tokens
    assert packed.tally.padding == 0
    for (name, one), (_, other) in zip(packed.model.named_parameters(), apart.model.named_parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4, msg=name)


# Hardware


def test_qlora_is_refused_at_once_where_there_is_no_gpu(data, base, tmp_path, capsys):
    output = tmp_path / "s"
    assert sft.main(["--data", str(data), "--output", str(output), "--base", "/no/such", "--method", "qlora"]) == 2
    assert "qlora needs a CUDA device" in capsys.readouterr().err
    assert not output.exists()


def test_qlora_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'arf-programs\[qlora\]'"):
        check_hardware(TrainSettings(method="qlora"), GPU)


def test_several_gpus_in_one_process_are_refused_before_anything_is_loaded():
    several = replace(GPU, visible=4)
    with pytest.raises(ConfigError, match="CUDA_VISIBLE_DEVICES=0"):
        check_hardware(TrainSettings(), several)
    check_hardware(TrainSettings(), replace(several, launched=True))
    with pytest.raises(ConfigError, match="qlora trains in one process"):
        check_hardware(TrainSettings(method="qlora"), replace(several, launched=True))


def test_bfloat16_is_refused_where_the_device_lacks_it():
    with pytest.raises(ConfigError, match="an old GPU has no bfloat16"):
        check_hardware(TrainSettings(precision="bf16"), OLD_GPU)


@pytest.mark.parametrize(
    ("hardware", "options", "expected"),
    [
        (GPU, {}, (True, torch.bfloat16, True)),
        (GPU, {"method": "full"}, (True, torch.float32, True)),
        (GPU, {"precision": "fp32", "gradient_checkpointing": False}, (False, torch.float32, False)),
        (OLD_GPU, {}, (False, torch.float32, True)),
        (CPU, {}, (False, torch.float32, False)),
        (CPU, {"precision": "bf16", "gradient_checkpointing": True}, (True, torch.bfloat16, True)),
    ],
)
def test_what_is_left_open_follows_the_hardware(hardware, options, expected):
    settings = TrainSettings(**options)
    assert (
        is_bf16(settings, hardware),
        base_dtype(settings, hardware),
        is_checkpointed(settings, hardware),
    ) == expected


def test_qlora_trains_an_adapter_on_four_bits(base, tmp_path):
    """On a CPU, which bitsandbytes can do too, though too slowly for anything but this."""
    bitsandbytes = pytest.importorskip("bitsandbytes")
    settings = TrainSettings(
        base=base, method="qlora", batch_size=2, learning_rate=0.01, precision="bf16", lora={"r": 2, "dropout": 0}
    )
    model, tokenizer = load_base(base, torch.bfloat16, four_bit=True)
    trainer = assemble(
        settings, make_rows(), model, tokenizer, hardware=CPU, folder=tmp_path, tally=Tally(), callbacks=[]
    )
    held = [item for item in trainer.model.modules() if isinstance(item, bitsandbytes.nn.Linear4bit)]
    assert len(held) == 2 * 7
    assert {item.weight.quant_type for item in held} == {"nf4"}
    losses = history(trainer, "loss")
    assert losses[-1] < losses[0]
