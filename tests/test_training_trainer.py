"""What training on a CPU adds to TRL's trainer: it must change the speed and nothing else."""

import pytest
import torch
from tiny_model import save_tiny_model
from trl.trainer.sft_trainer import SFTTrainer

from arf_programs.programs.summarize import PlainAdapter
from arf_programs.text.student_prompt import build_messages
from signatures.records import Conversation, TrainingExample, Turn
from signatures.summarize import Summarize
from training.loop.adapter import FrozenLayers, can_remember
from training.loop.assemble import assemble
from training.loop.base_model import load_base, stop_ids
from training.loop.hardware import find_hardware
from training.loop.records import Tally
from training.settings import TrainSettings

INSTRUCTION = "\n  Summarize.\n"
CONVERSATIONS = [
    Conversation(id=f"c{n}", turns=(Turn(speaker="Customer", text="Where is my order? " * (n + 1)),)) for n in range(4)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_trainer(base, tmp_path, **lora):
    rows = [
        TrainingExample(
            conversation_id=item.id,
            messages=build_messages(INSTRUCTION, item),
            completion=f"{item.id} is late.",
            arm="arf",
        )
        for item in CONVERSATIONS
    ]
    settings = TrainSettings(base=base, batch_size=2, epochs=2, lora={"r": 2, "dropout": 0, **lora})
    model, tokenizer = load_base(base, torch.float32)
    hardware = find_hardware()
    trainer = assemble(
        settings, rows, model, tokenizer, hardware=hardware, folder=tmp_path, tally=Tally(), callbacks=[]
    )
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02, generator=torch.Generator().manual_seed(1))
    return trainer


def loss_and_gradients(trainer, compute_loss, inputs):
    trainer.model.zero_grad()
    loss = compute_loss(trainer, trainer.model, dict(inputs), num_items_in_batch=torch.tensor(7))
    loss.backward()
    return loss.detach(), [p.grad.clone() for p in trainer.model.parameters() if p.requires_grad]


def assert_same(first, second):
    torch.testing.assert_close(first[0], second[0])
    torch.testing.assert_close(first[1], second[1], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 3])
def test_completion_logits_alone_give_trls_own_loss_and_gradients(base, tmp_path, rows):
    trainer = make_trainer(base, tmp_path)
    inputs = trainer.data_collator([trainer.train_dataset[n] for n in range(rows)])
    ours = loss_and_gradients(trainer, type(trainer).compute_loss, inputs)
    assert_same(ours, loss_and_gradients(trainer, SFTTrainer.compute_loss, inputs))


def test_tokens_and_padding_are_counted(base, tmp_path):
    trainer = make_trainer(base, tmp_path)
    inputs = trainer.data_collator(list(trainer.train_dataset))
    trainer.compute_loss(trainer.model, dict(inputs), num_items_in_batch=torch.tensor(7))
    lengths = [len(row["input_ids"]) for row in trainer.train_dataset]
    assert trainer.tally.tokens == sum(lengths)
    assert trainer.tally.padding == 4 * max(lengths) - sum(lengths)


def test_a_student_is_trained_on_the_very_tokens_that_it_is_served_with(base, tmp_path):
    trainer = make_trainer(base, tmp_path)
    tokenizer = trainer.processing_class
    asked = PlainAdapter().format(
        Summarize.with_instructions(INSTRUCTION), [], {"conversation": CONVERSATIONS[1].as_text()}
    )
    served = tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=False)
    row = trainer.train_dataset[1]
    assert row["input_ids"][: len(served)] == served
    assert row["labels"][: len(served)] == [-100] * len(served)
    assert row["labels"][len(served) :] == row["input_ids"][len(served) :]
    assert tokenizer.decode(row["input_ids"][len(served) :]) == "c1 is late.</s>\n"


def test_a_student_learns_to_stop(base, tmp_path):
    trainer = make_trainer(base, tmp_path)
    stops = stop_ids(trainer.model.get_base_model().generation_config, trainer.processing_class)
    assert stops == {trainer.processing_class.eos_token_id}
    assert all(stops & set(row["labels"]) for row in trainer.train_dataset)


def test_nothing_is_recorded_for_the_way_back_below_the_adapted_layers(base, tmp_path):
    trainer = make_trainer(base, tmp_path, last_layers=1)
    recorded = []
    for layer in trainer.model.get_base_model().model.layers:
        layer.register_forward_hook(lambda module, args, output: recorded.append(output.requires_grad))
    inputs = trainer.data_collator([trainer.train_dataset[0]])
    trainer.compute_loss(trainer.model, inputs, num_items_in_batch=torch.tensor(7))
    assert recorded == [False, True]


def test_remembered_layers_give_the_same_loss_and_gradients(base, tmp_path):
    trainer = make_trainer(base, tmp_path, last_layers=1)
    every_layer = make_trainer(base, tmp_path, last_layers=1)
    del every_layer.model.get_base_model().model.layers[0].forward
    for number in (0, 1, 0, 1):
        inputs = trainer.data_collator([trainer.train_dataset[number]])
        ours = loss_and_gradients(trainer, type(trainer).compute_loss, inputs)
        assert_same(ours, loss_and_gradients(every_layer, type(trainer).compute_loss, inputs))


class Counted(torch.nn.Module):
    """A layer that counts how often it computes, and is told something beside its input as real ones are."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, hidden_states, scale):
        self.calls += 1
        return hidden_states * scale + 1


def stack(limit):
    layers = torch.nn.ModuleList([Counted(), Counted()])
    FrozenLayers(layers, limit=limit)

    def run(hidden_states):
        for layer in layers:
            hidden_states = layer(hidden_states, scale=2)
        return hidden_states

    return layers, run


def test_each_row_goes_through_the_frozen_layers_once():
    layers, run = stack(limit=1000)
    rows = [torch.ones(1, 3, 2), torch.zeros(1, 3, 2), torch.ones(1, 4, 2)]
    for _ in range(3):
        for row in rows:
            torch.testing.assert_close(run(row), row * 4 + 3)
    assert [layer.calls for layer in layers] == [3, 3]


def test_rows_beyond_the_memory_are_computed_each_time():
    layers, run = stack(limit=24)
    rows = [torch.ones(1, 3, 2), torch.zeros(1, 3, 2)]
    for _ in range(3):
        for row in rows:
            torch.testing.assert_close(run(row), row * 4 + 3)
    assert [layer.calls for layer in layers] == [4, 4]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (torch.nn.Linear(2, 2).requires_grad_(False), True),
        (torch.nn.Linear(2, 2), False),
        (torch.nn.Dropout(0.1), False),
        (torch.nn.Dropout(0.0), True),
    ],
)
def test_layers_that_learn_or_draw_at_random_are_not_remembered(layer, expected):
    assert can_remember(torch.nn.ModuleList([layer])) is expected
