"""The dense preference (`train.preference.edit_weight`) beside TRL's DPO, of a tiny model with random weights."""

import io
import json

import pytest
import torch
from test_training_preference import pair, settings
from tiny_model import save_tiny_model
from trl.trainer.dpo_trainer import DPOTrainer

from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import ConfigError
from signatures.records import Message
from training import preference
from training.loop.assemble import assemble_preference
from training.loop.base_model import load_base
from training.loop.hardware import find_hardware
from training.loop.loss_weights import WeightedPreferenceTrainer, pair_weights
from training.loop.records import Tally
from training.loop.trainer import PreferenceTrainer

OTHER = "It came on Sunday. Nobody knows why."


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pairs():
    second = pair(2).model_copy(update={"rejected": (Message(role="assistant", content=OTHER),)})
    return [pair(1), second]


def make_trainer(base, folder, method="sigmoid", rows=None, **more):
    told = preference._with_preference(settings(base, method, after="base", **more))
    model, tokenizer = load_base(base, torch.float32)
    trainer = assemble_preference(
        told, rows or pairs(), model, tokenizer, hardware=find_hardware(), folder=folder, tally=Tally(), callbacks=[],
        adapter=None,
    )  # fmt: skip
    torch.manual_seed(3)
    for name, weights in trainer.model.named_parameters():
        if "lora_B.default" in name:  # so that the policy differs from its reference
            torch.nn.init.normal_(weights.data, std=0.3)
    return trainer


def loss_and_metrics(trainer):
    batch = trainer.data_collator([trainer.train_dataset[number] for number in range(2)])
    trainer.model.eval()
    loss = trainer.compute_loss(trainer.model, dict(batch))
    return loss, {name: values[-1] for name, values in trainer._metrics["eval"].items()}, batch


def log_probabilities(model, row, side):
    """(log-probability, text of the token) of each token of a side."""
    ids = row["prompt_ids"] + row[f"{side}_ids"]
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
    first = len(row["prompt_ids"])
    return [(logits[place - 1, ids[place]].item(), ids[place]) for place in range(first, len(ids))]


def test_without_a_weight_it_is_trls_dpo(base, tmp_path):
    ours = make_trainer(base, tmp_path)
    assert type(ours) is PreferenceTrainer
    loss, *_ = loss_and_metrics(ours)
    batch = ours.data_collator([ours.train_dataset[number] for number in range(2)])
    assert torch.equal(loss, DPOTrainer._compute_loss(ours, ours.model, batch, False))


@pytest.mark.parametrize("number", [0, 1])
def test_weight_1_is_trls_dpo_to_the_last_digit_but_for_the_length(base, tmp_path, number):
    """The mean log-probability of a side is TRL's sum over the number of its tokens."""
    rows = [pairs()[number]] * 2
    plain, weighted = make_trainer(base, tmp_path, rows=rows), make_trainer(base, tmp_path, rows=rows, edit_weight=1.0)
    assert isinstance(weighted, WeightedPreferenceTrainer)
    _, sums, _ = loss_and_metrics(plain)
    _, means, batch = loss_and_metrics(weighted)
    lengths = batch["completion_mask"].sum(dim=1)
    for side, length in (("chosen", lengths[0]), ("rejected", lengths[2])):
        assert means[f"logps/{side}"] == (torch.tensor(sums[f"logps/{side}"]) / length).item()


def test_weight_1_is_trls_loss_of_normalised_lengths(base, tmp_path):
    weighted, plain = make_trainer(base, tmp_path, edit_weight=1.0), make_trainer(base, tmp_path)
    plain.loss_types = ["sigmoid_norm"]
    ours, theirs = loss_and_metrics(weighted)[0], loss_and_metrics(plain)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    for loss in (ours, theirs):
        loss.backward()
    gradients = [[p.grad for p in trainer.model.parameters() if p.requires_grad] for trainer in (weighted, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("method", ["sigmoid", "apo_zero"])
def test_the_loss_is_that_of_weighted_means_of_policy_and_reference(base, tmp_path, method):
    """Token by token, against the formula; the changed tokens are those of the words that the other side lacks."""
    trainer = make_trainer(base, tmp_path, method, rows=[pair(1)] * 2, edit_weight=5.0)
    loss, metrics, _ = loss_and_metrics(trainer)
    row, tokenizer = trainer.train_dataset[0], trainer.processing_class
    ratios = {}
    for side, changed in (("chosen", "Monday."), ("rejected", "Friday. The agent also gave back 95 euros.")):
        weights = row[f"{side}_weights"][len(row["prompt_ids"]) :]
        heavy = [token for token, weight in zip(row[f"{side}_ids"], weights, strict=True) if weight == 5.0]
        assert tokenizer.decode(heavy).strip() == changed

        def mean(side=side, weights=weights):
            values = [value for value, _ in log_probabilities(trainer.model, row, side)]
            return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

        policy = mean()
        with trainer.model.disable_adapter():
            ratios[side] = policy - mean()
        assert metrics[f"logps/{side}"] == pytest.approx(policy, rel=1e-5)
    chosen, rejected = (torch.tensor(0.1 * ratios[side]) for side in ("chosen", "rejected"))
    wanted = (
        -torch.nn.functional.logsigmoid(chosen - rejected)
        if method == "sigmoid"
        else 1 - torch.sigmoid(chosen) + torch.sigmoid(rejected)
    )
    assert loss.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_with_method_full_the_copy_that_is_the_reference_is_weighted_too(base, tmp_path):
    """Policy and reference are equal before the first step, so the margin is zero."""
    told = preference._with_preference(settings(base, after="base", edit_weight=3.0))
    model, tokenizer = load_base(base, torch.float32)
    trainer = assemble_preference(
        told.model_copy(update={"method": "full"}), pairs(), model, tokenizer, hardware=find_hardware(),
        folder=tmp_path, tally=Tally(), callbacks=[], adapter=None,
    )  # fmt: skip
    assert trainer.ref_model is not None
    assert loss_and_metrics(trainer)[1]["rewards/margins"] == 0


def test_a_student_is_trained_with_it_and_the_weight_is_part_of_what_it_was_made_from(base, tmp_path, capsys):
    data, output = tmp_path / "preference.jsonl", tmp_path / "dpo"
    write_jsonl_atomic(data, [pair(number) for number in range(4)])
    for _ in range(2):
        preference.train(data, output, settings(base, after="base", edit_weight=4.0, beta=5.0), io.StringIO())
    assert "nothing to do" in capsys.readouterr().err
    log = json.loads((output / "training_log.json").read_text())
    assert log["settings"]["preference"]["edit_weight"] == 4.0
    assert log["loss_last"] < log["loss_first"]
    preference.train(data, output, settings(base, after="base", edit_weight=5.0, beta=5.0), io.StringIO())
    assert "nothing to do" not in capsys.readouterr().err


def test_weights_that_do_not_fit_the_tokens_are_refused(base, tmp_path, monkeypatch):
    def one_less(*given):
        return {column: weights[:-1] for column, weights in pair_weights(*given).items()}

    monkeypatch.setattr("training.loop.assemble.pair_weights", one_less)
    with pytest.raises(ConfigError, match=r"train.preference.edit_weight: the tokens .* leave it out"):
        make_trainer(base, tmp_path, edit_weight=2.0)


def test_a_weight_of_zero_is_refused(base):
    with pytest.raises(ValueError, match="greater than 0"):
        settings(base, edit_weight=0)
