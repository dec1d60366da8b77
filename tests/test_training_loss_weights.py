"""Edit weights: places of edits become tokens, and the loss a weighted mean, with TRL's real trainer."""

import json

import pytest
import torch
from tiny_model import save_tiny_model
from transformers import AutoTokenizer
from trl.trainer.sft_config import SFTConfig

from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import ConfigError
from signatures.records import Message, TrainingExample
from training import sft
from training.loop.assemble import assemble
from training.loop.base_model import load_base
from training.loop.hardware import find_hardware
from training.loop.loss_weights import COLUMN, WeightedTrainer, are_weighted, token_weights, weights_of
from training.loop.records import Tally
from training.loop.trainer import StudentTrainer
from training.settings import TrainSettings

TEXT = "It came on Monday."
MONDAY = (11, 17)


def example(number=1, edited=(MONDAY,), weight=1.0):
    messages = (Message(role="user", content="Monday, it came. " * number),)
    return TrainingExample(
        conversation_id=f"c{number}", messages=messages, completion=TEXT, arm="arf", edited=edited, weight=weight
    )


ROWS = [example(1), example(3), example(2, edited=(), weight=0.5)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_trainer(base, tmp_path, rows, edit_weight):
    settings = TrainSettings(base=base, batch_size=3, edit_weight=edit_weight, lora={"r": 2, "dropout": 0})
    model, tokenizer = load_base(base, torch.float32)
    return assemble(
        settings, rows, model, tokenizer, hardware=find_hardware(), folder=tmp_path, tally=Tally(), callbacks=[]
    )


def test_a_token_weighs_more_where_it_shares_a_character_with_an_edit():
    tokens = [(0, 2), (2, 5), (5, 5), (5, 8), (8, 9)]
    assert weights_of(tokens, [(4, 6)], 3.0) == [1.0, 3.0, 1.0, 3.0, 1.0]
    assert weights_of(tokens, [(2, 5)], 3.0) == [1.0, 3.0, 1.0, 1.0, 1.0]
    assert weights_of(tokens, [], 3.0) == [1.0] * 5
    assert weights_of(tokens, [(0, 1), (8, 9)], 3.0) == [3.0, 1.0, 1.0, 1.0, 3.0]


def test_the_edited_words_of_the_completion_weigh_more_and_the_same_words_of_the_prompt_do_not(tokenizer):
    weights = token_weights(tokenizer, example(2), 4.0)
    chat = [{"role": "user", "content": "Monday, it came. " * 2}, {"role": "assistant", "content": TEXT}]
    ids = tokenizer.apply_chat_template(chat, return_dict=False)
    assert len(weights) == len(ids)
    assert tokenizer.decode([token for token, weight in zip(ids, weights, strict=True) if weight == 4.0]) == "Monday"
    assert {weight for weight in weights if weight != 4.0} == {1.0}


def test_a_whole_example_has_a_weight_too(tokenizer):
    assert set(token_weights(tokenizer, example(weight=0.5), 4.0)) == {0.5, 2.0}


def test_rows_are_weighted_only_where_weights_differ():
    assert not are_weighted([example(), example(2)], 1.0)
    assert not are_weighted([example(edited=()), example(2, edited=())], 5.0)
    assert not are_weighted([example(weight=2.0, edited=())], 5.0)
    assert are_weighted([example()], 5.0)
    assert are_weighted(ROWS, 1.0)


def test_a_template_that_changes_the_summary_is_refused(tokenizer):
    shouting = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    shouting.chat_template = "{% for m in messages %}{{ m['content'] | upper }}</s>{% endfor %}"
    with pytest.raises(ConfigError, match="changes the summary"):
        token_weights(shouting, example(), 2.0)


@pytest.mark.parametrize("count", [1, 3])
def test_the_loss_is_the_weighted_mean_of_what_the_tokens_cost(base, tmp_path, count):
    """Against the formula, token by token, over rows of different lengths that are padded."""
    trainer = make_trainer(base, tmp_path, ROWS, 4.0)
    assert isinstance(trainer, WeightedTrainer)
    rows = [trainer.train_dataset[number] for number in range(count)]
    batch = trainer.data_collator(rows)
    assert batch[COLUMN].shape == batch["labels"].shape
    wanted, weights = 0.0, 0.0
    for row in rows:
        logits = trainer.model(input_ids=torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
        for place, label in enumerate(row["labels"]):
            if label != -100:
                wanted -= row[COLUMN][place] * logits[place - 1, label].item()
                weights += row[COLUMN][place]
    loss = trainer.compute_loss(trainer.model, dict(batch))
    assert loss.item() == pytest.approx(wanted / weights, rel=1e-4)
    (same,), total = trainer.get_batch_samples(iter([batch]), 1, torch.device("cpu"))
    assert total.item() == pytest.approx(weights)
    assert trainer.compute_loss(trainer.model, same, num_items_in_batch=total).item() == pytest.approx(loss.item())


def test_equal_weights_give_the_plain_loss_and_gradients(base, tmp_path):
    plain = make_trainer(base, tmp_path, ROWS[:2], 1.0)
    assert type(plain) is StudentTrainer
    weighted = make_trainer(base, tmp_path, ROWS[:2], 4.0)
    batch = plain.data_collator(list(plain.train_dataset))
    items = (batch["labels"] != -100).sum()
    ones = {**batch, COLUMN: torch.full(batch["labels"].shape, 2.0)}
    losses, gradients = [], []
    for trainer, inputs, total in ((plain, batch, items), (weighted, ones, 2 * items)):
        loss = trainer.compute_loss(trainer.model, dict(inputs), num_items_in_batch=total)
        loss.backward()
        losses.append(loss.detach())
        gradients.append([p.grad for p in trainer.model.parameters() if p.requires_grad])
    torch.testing.assert_close(losses[0], losses[1])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-6)


def test_weights_that_a_trainer_would_lose_are_refused(base, tmp_path):
    with pytest.raises(ConfigError, match="packed rows"):
        WeightedTrainer(
            model=load_base(base, torch.float32)[0],
            args=SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none"),
            train_dataset=make_trainer(base, tmp_path, ROWS[:2], 1.0).train_dataset,
            processing_class=AutoTokenizer.from_pretrained(base),
        )


def test_a_student_learns_the_edited_words_first(base, tmp_path, capsys):
    """Trained with a large weight, the tokens of the edit end with a lower loss than without it."""

    def loss_of_edit(edit_weight):
        output = tmp_path / f"student-{edit_weight}"
        write_jsonl_atomic(tmp_path / "arf.jsonl", [example(1), example(2)])
        config = tmp_path / "train.json"
        config.write_text(json.dumps({
            "base": base, "epochs": 4, "batch_size": 2, "learning_rate": 0.01, "edit_weight": edit_weight,
            "lora": {"r": 2, "alpha": 4, "dropout": 0},
        }))  # fmt: skip
        files = ["--data", str(tmp_path / "arf.jsonl"), "--output", str(output), "--config", str(config)]
        assert sft.main(files) == 0
        from peft import PeftModel

        student = PeftModel.from_pretrained(load_base(base, torch.float32)[0], output).eval()
        trainer = make_trainer(base, tmp_path, [example(1)], 4.0)
        row = trainer.train_dataset[0]
        logits = student(input_ids=torch.tensor([row["input_ids"]])).logits[0].log_softmax(-1)
        return -sum(logits[n - 1, row["input_ids"][n]].item() for n, w in enumerate(row[COLUMN]) if w == 4.0)

    assert loss_of_edit(50.0) < loss_of_edit(1.0)
