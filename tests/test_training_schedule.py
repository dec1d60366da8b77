"""Which rows an epoch shows, and the file with the losses of the rows; trained with a tiny model of random weights."""

import io
import json
from collections import Counter

import pytest
import torch
from safetensors.torch import load_file
from test_training_sft import make_rows
from tiny_model import save_tiny_model

from arf_programs.config import ScheduleConfig
from arf_programs.runs.jsonl import write_jsonl_atomic
from signatures.exceptions import ConfigError
from training import sft
from training.loop.schedule import cluster_rows, rows_of_epoch
from training.settings import TrainSettings, load_settings

FIRST = [1.0, 1.1, 3.0, 0.9, 1.2, 2.9]  # rows 2 and 5 are late


def epochs(count, losses=None, **schedule):
    known = losses or dict.fromkeys(range(count), FIRST)
    return [rows_of_epoch(ScheduleConfig(**schedule), known, epoch, 6, seed=17) for epoch in range(count)]


def test_the_first_epoch_shows_each_row_once_whatever_the_kind():
    for kind in ("uniform", "upsample", "lfr"):
        assert sorted(epochs(1, kind=kind)[0]) == list(range(6))


def test_upsample_shows_late_rows_twice_as_often_and_takes_no_more_steps():
    """Rows: 6, and 2 of them twice. So 4 epochs after the first are 3 passes over the 8."""
    later = epochs(5, kind="upsample")[1:]
    assert {len(rows) for rows in later} == {6}
    assert Counter(row for rows in later for row in rows) == {0: 3, 1: 3, 2: 6, 3: 3, 4: 3, 5: 6}


def test_random_duplicates_are_as_many_as_the_late_rows():
    later = Counter(row for rows in epochs(5, kind="upsample", rows="random")[1:] for row in rows)
    assert sorted(later.values()) == [3, 3, 3, 3, 6, 6]
    assert epochs(5, kind="upsample", rows="random") == epochs(5, kind="upsample", rows="random")


def test_learn_focus_review_shows_the_hardest_rows_in_every_second_epoch():
    losses = {0: FIRST, 1: FIRST, 2: FIRST[::-1], 3: FIRST}
    learn, focus, review, again = epochs(4, losses, kind="lfr", focus=0.34)
    assert sorted(learn) == sorted(review) == list(range(6))
    assert Counter(focus) == {2: 3, 5: 3}, "the hardest after the epoch before"
    assert Counter(again) == {0: 3, 3: 3}


def test_the_cluster_with_the_higher_losses_is_late():
    assert cluster_rows([[2.0, 0.1], [2.1, 0.2], [2.0, 1.9]], 17) == ["early", "early", "late"]
    assert cluster_rows([[2.0], [2.0]], 17) == ["early", "early"], "the same losses are no two clusters"
    assert cluster_rows([[2.0]], 17) == ["early"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return str(save_tiny_model(tmp_path_factory.mktemp("base") / "tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Five rows, of which the third says what none of the others says."""
    path = tmp_path_factory.mktemp("data") / "arf.jsonl"
    rows = make_rows()
    rows[2] = rows[2].model_copy(update={"completion": "Zebras? Quartz! Jinxed vows."})
    write_jsonl_atomic(path, rows)
    return path


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def settings(base, schedule, **more):
    return TrainSettings(
        base=base, batch_size=2, learning_rate=0.01, epochs=3, save_steps=1, lora={"r": 2, "alpha": 4},
        schedule=schedule, **more,
    )  # fmt: skip


def train(base, data, folder, schedule, machine=None, **more):
    sft.train(data, folder, settings(base, schedule, **more), machine or io.StringIO())
    log = json.loads((folder / "training_log.json").read_text())
    return [step["loss"] for step in log["losses"]], load_file(folder / "adapter_model.safetensors")


def difficulty(data):
    path = data.with_name("arf_difficulty.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(base, data, tmp_path_factory):
    return train(base, data, tmp_path_factory.mktemp("plain") / "s", {})


def test_measuring_changes_no_step_and_names_the_row_that_is_learnt_late(base, data, plain, tmp_path):
    losses, weights = train(base, data, tmp_path / "s", {"difficulty": True})
    assert losses == plain[0]
    assert all(torch.equal(weights[name], plain[1][name]) for name in weights)
    rows = difficulty(data)
    assert {len(row["losses"]) for row in rows} == {3}
    assert sorted(row["row"] for row in rows) == [1, 2, 3, 4, 5]
    assert (rows[0]["conversation_id"], rows[0]["row"], rows[0]["cluster"]) == ("c2", 3, "late")
    assert {row["cluster"] for row in rows[1:]} == {"early"}
    assert all(row["losses"][2] < row["losses"][0] for row in rows[1:])


def test_a_training_that_does_not_measure_leaves_no_file_of_an_earlier_one(base, data, tmp_path):
    stale = data.with_name("arf_difficulty.jsonl")
    stale.write_text("")
    short = settings(base, {}).model_copy(update={"epochs": 0.3})
    sft.train(data, tmp_path / "s", short, io.StringIO())
    assert not stale.exists()


@pytest.mark.parametrize("kind", ["upsample", "lfr"])
def test_a_schedule_takes_as_many_steps_and_shows_other_rows(base, data, plain, tmp_path, kind):
    losses, _ = train(base, data, tmp_path / "s", {"kind": kind})
    assert len(losses) == len(plain[0])
    assert losses[3:] != plain[0][3:]
    assert difficulty(data)[0]["row"] == 3


class Interrupts(io.StringIO):
    """A parent process that presses Ctrl-C once a step is reported."""

    def __init__(self, step):
        super().__init__()
        self.step = step

    def write(self, text):
        if f'"step": {self.step},' in text:
            raise KeyboardInterrupt
        return super().write(text)


@pytest.mark.parametrize(("step", "measured"), [(4, False), (6, True)], ids=["between epochs", "in an epoch"])
def test_an_interrupted_schedule_goes_on_with_the_same_rows(base, data, tmp_path, step, measured):
    """It was stopped after 3 steps, which are an epoch, and after 5."""
    whole = train(base, data, tmp_path / "whole", {"kind": "upsample"})
    of_whole = difficulty(data)
    with pytest.raises(KeyboardInterrupt):
        train(base, data, tmp_path / "s", {"kind": "upsample"}, Interrupts(step))
    if not measured:  # as if it was killed between the checkpoint and the measurement
        (tmp_path / "s" / "checkpoints" / "difficulty.json").unlink()
    again = train(base, data, tmp_path / "s", {"kind": "upsample"})
    assert again[0] == whole[0]
    assert all(torch.equal(again[1][name], whole[1][name]) for name in whole[1])
    assert difficulty(data) == of_whole


def test_losses_of_other_settings_are_not_gone_on_with(base, data, tmp_path):
    whole = train(base, data, tmp_path / "whole", {"kind": "lfr"})
    with pytest.raises(KeyboardInterrupt):
        train(base, data, tmp_path / "s", {"kind": "lfr"}, Interrupts(5), seed=3)
    assert train(base, data, tmp_path / "s", {"kind": "lfr"})[0] == whole[0]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedule": {"kind": "hardest"}}, "'uniform', 'upsample' or 'lfr'"),
        ({"schedule": {"kind": "lfr", "focus": 1.0}}, "schedule.focus: input should be less than 1"),
        ({"schedule": {"kind": "lfr"}, "packing": True}, "schedule does not go with packing"),
    ],
)
def test_what_a_schedule_cannot_be_is_told(given, said):
    with pytest.raises(ConfigError) as caught:
        load_settings(None, given)
    assert said.lower() in str(caught.value).lower()
