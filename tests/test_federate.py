"""`arf federate`: averages of adapters, sites, the pull in a training, and the whole command with tiny real models.

Flower is not among the packages of the project. Where it is not installed, a stand-in does the rounds of the command.
"""

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import scripted_team
from conftest import open_project
from safetensors.numpy import load_file, save_file
from tiny_model import save_tiny_model
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.runs import RunFolder, read_jsonl, remove_conversations, write_jsonl_atomic
from arf_programs.tools.federate.averaging import METHODS, combine_products, project
from arf_programs.tools.federate.sites import rows_by_site, value_of
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Message, TrainingExample, Turn
from training import sft

HAS_FLOWER = importlib.util.find_spec("flwr") is not None
A, B = "layer.q_proj.lora_A.weight", "layer.q_proj.lora_B.weight"
RNG = np.random.default_rng(3)


def adapter(rank=2, inputs=7, outputs=5):
    """An adapter of one layer."""
    return {
        A: RNG.normal(size=(rank, inputs)).astype(np.float32),
        B: RNG.normal(size=(outputs, rank)).astype(np.float32),
    }


def product(weights):
    return weights[B].astype(float) @ weights[A].astype(float)


def test_the_average_of_products_is_the_nearest_of_its_rank():
    sites, shares = [adapter(), adapter(), adapter()], [0.5, 0.3, 0.2]
    exact = sum(share * product(site) for share, site in zip(shares, sites, strict=True))
    average = combine_products(sites, shares)
    assert {name: (array.shape, array.dtype) for name, array in average.items()} == {
        name: (array.shape, array.dtype) for name, array in sites[0].items()
    }
    u, values, v = np.linalg.svd(exact)
    best = u[:, :2] * values[:2] @ v[:2]
    assert product(average) == pytest.approx(best, abs=1e-5)
    by_factors = {name: sum(s * site[name] for s, site in zip(shares, sites, strict=True)) for name in sites[0]}
    assert np.linalg.norm(product(average) - exact) < np.linalg.norm(product(by_factors) - exact)


def test_the_average_of_equal_sites_is_each_of_them_and_the_shares_count():
    site = adapter()
    assert product(combine_products([site, site], [0.25, 0.75])) == pytest.approx(product(site), abs=1e-5)
    other = adapter(rank=1)
    one = adapter(rank=1)
    both = combine_products([one, other], [1.0, 0.0])
    assert product(both) == pytest.approx(product(one), abs=1e-5)


def test_a_rank_above_the_size_of_a_layer_and_other_weights_are_averaged_too():
    sites = [adapter(rank=6, inputs=4, outputs=3) | {"layer.magnitude": np.array([n, 2], np.float32)} for n in (1, 3)]
    average = combine_products(sites, [0.5, 0.5])
    assert product(average) == pytest.approx((product(sites[0]) + product(sites[1])) / 2, abs=1e-5)
    assert average[A].shape == (6, 4) and average["layer.magnitude"].tolist() == [2, 2]


def test_the_projection_goes_one_step_on_in_the_factors_of_the_average():
    start, step = adapter(rank=1), adapter(rank=1)
    before = combine_products([start, start], [1.0, 0.0])
    wide = {A: np.concatenate([start[A], step[A]]), B: np.concatenate([start[B], step[B]], 1)}
    wide_before = {A: np.concatenate([before[A], 0 * step[A]]), B: np.concatenate([before[B], step[B]], 1)}
    ahead = project(wide, wide_before)
    assert product(ahead) == pytest.approx(product(start) + 2 * product(step), abs=1e-4)
    # From the base on, the step is the average itself. The factors are turned to those of the average.
    first = project(wide, None)
    assert product(first) == pytest.approx(2 * product(wide), abs=1e-4)
    turned = combine_products([wide], [1.0])
    again = project(turned, turned)
    assert again[A] == pytest.approx(turned[A], abs=1e-4) and again[B] == pytest.approx(turned[B], abs=1e-4)


def talk(name, region=None, channel="email"):
    metadata = {} if region is None else {"region": region}
    turn = Turn(speaker="Customer", text="My lamp broke.")
    return Conversation(id=name, channel=channel, turns=(turn,), metadata=metadata)


def row(name):
    messages = (Message(role="user", content=f"Customer {name}: my order is late."),)
    return TrainingExample(conversation_id=name, messages=messages, completion=f"Order {name} was late.", arm="arf")


def split(regions, by="metadata.region", fewest=1):
    talks = {f"c{n}": talk(f"c{n}", region) for n, region in enumerate(regions)}
    return rows_by_site([row(name) for name in talks], talks, by, fewest)


def test_rows_lie_at_the_site_that_their_conversation_names():
    sites = split(["South-East", "north", "South-East"])
    assert {name: [item.conversation_id for item in part] for name, part in sites.items()} == {
        "north": ["c1"],
        "south_east": ["c0", "c2"],
    }
    assert value_of(talk("a", 3), "metadata.region") == "3"
    assert value_of(talk("a", channel="email"), "channel") == "email"
    assert value_of(talk("a", ""), "metadata.region") is None


@pytest.mark.parametrize(
    ("regions", "options", "told"),
    [
        (["n", None, "s", None], {}, r"2 of 4 training rows have none \(the first: c1\)"),
        (["n", "n"], {}, "all 2 training rows have the same value"),
        (["n"] * 3 + ["s"], {"fewest": 2}, r"a site needs 2 training rows.*\(s has 1\)"),
        (["a b", "a-b"], {}, "'a b' and 'a-b' would both be called a_b"),
        ([], {}, "all 0 training rows"),
    ],
)
def test_rows_that_make_no_federation_are_refused(regions, options, told):
    with pytest.raises(DataError, match=told):
        split(regions, **options)


@pytest.mark.parametrize("by", ["region", "metadata.", "channels", ""])
def test_a_key_of_another_form_is_refused(by):
    with pytest.raises(ConfigError, match=r"write metadata\.KEY"):
        split(["n", "s"], by=by)


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Trains the tiny model on four rows with further options, and returns the weights of its adapter."""
    folder = tmp_path_factory.mktemp("pulled")
    base = save_tiny_model(folder / "tiny")
    write_jsonl_atomic(folder / "arf.jsonl", [row(f"{n}") for n in range(4)])
    flags = ["--epochs", "2", "--batch-size", "2", "--learning-rate", "0.01", "--lora-r", "2", "--seed", "1"]

    def trained(name, *more, code=0):
        words = ["--data", folder / "arf.jsonl", "--output", folder / name, "--base", base, *flags, *more]
        assert sft.main([str(word) for word in words]) == code
        return folder / name / "adapter_model.safetensors"

    return trained


def far(weights, target):
    mine, other = load_file(weights), load_file(target)
    return float(np.sqrt(sum(((mine[name] - other[name]) ** 2).sum() for name in other)))


def test_a_training_goes_on_from_weights_and_is_pulled_to_them_or_to_others(train, tmp_path):
    first = train("first")
    on = train("on", "--start", first)
    held = train("held", "--start", first, "--pull", 1000)
    assert far(on, first) > 2 * far(held, first) > 0
    assert far(on, train("new")) > 0 == far(train("new"), first)
    target = tmp_path / "target.safetensors"
    save_file({name: array + np.float32(0.3) for name, array in load_file(first).items()}, target)
    pulled = train("pulled", "--start", first, "--pull", 1000, "--towards", target)
    assert far(pulled, target) < min(far(on, target), far(first, target))
    # Another start is another student, and the same one is whole.
    written = on.stat().st_mtime_ns
    assert train("on", "--start", first).stat().st_mtime_ns == written
    assert train("on").stat().st_mtime_ns != written


def test_weights_of_another_adapter_are_refused(train, tmp_path, capsys):
    wrong = tmp_path / "wrong.safetensors"
    save_file({A: np.ones((2, 3), np.float32)}, wrong)
    train("wrong", "--start", wrong, code=2)
    assert "the weights of another adapter" in capsys.readouterr().err


class _Rounds:
    """Stands in for `flower`: the same rounds, without Flower."""

    @staticmethod
    def LocalGrid(train, sites):  # noqa: N802 - the name of the class that it stands in for
        return train, sites

    @staticmethod
    def run_rounds(grid, method, rounds, pull, count):
        train, sites = grid
        now: dict = {}
        before = None
        for _ in range(rounds):
            pulled = method.pull == "start" or (method.pull == "projection" and bool(now))
            towards = project(now, before) if method.pull == "projection" and now else {}
            contexts = [SimpleNamespace(node_config={"site": site}) for site in sites]
            replies = [train(context, now, towards, pull if pulled else 0.0) for context in contexts]
            total = sum(rows for _, rows in replies)
            shares = [rows / total for _, rows in replies]
            before, adapters = now or None, [weights for weights, _ in replies]
            if method.products:
                now = combine_products(adapters, shares)
            else:
                now = {
                    name: np.asarray(sum(s * one[name] for s, one in zip(shares, adapters, strict=True)), np.float32)
                    for name in adapters[0]
                }
        return now


@pytest.fixture(scope="module", autouse=True)
def flower():
    """Flower, or what stands in for it."""
    if HAS_FLOWER:
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        stand_in = ModuleType("arf_programs.tools.federate.flower")
        vars(stand_in).update(LocalGrid=_Rounds.LocalGrid, run_rounds=_Rounds.run_rounds)
        patch.setitem(sys.modules, stand_in.__name__, stand_in)
        patch.setattr("arf_programs.tools.federate.job.find_spec", lambda name: name)
        yield


def arf(*words, code=0):
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exc_info)
    return result


@pytest.fixture(scope="module")
def federated(finished_project, tmp_path_factory):
    """A finished run whose sites, the channels, were federated: its folder, and what was printed as JSON."""
    folder = tmp_path_factory.mktemp("federate") / "project"
    shutil.copytree(finished_project, folder, ignore=shutil.ignore_patterns("tiny"))
    scripted_team.join_troubled()
    result = arf("federate", folder / "arf.yaml", "--by", "channel", "--run-dir", folder / "run", *MORE, "--json")
    return folder, json.loads(result.stdout)


# Several steps a round: the pull is nothing at the first.
MORE = ["--set", "train.batch_size=1", "--set", "train.gradient_accumulation=1", "--set", "train.arms=[arf]"]


@pytest.mark.slow
def test_every_student_is_scored_on_the_holdout_as_evaluate_scores(federated):
    folder, told = federated
    alone = [f"alone_{site}" for site in told["sites"]]
    assert set(told["systems"]) == {"base", "teacher", "student_arf", *METHODS, *alone}
    holdout = len(open_project(folder).conversations("holdout"))
    for figures in told["systems"].values():
        assert figures["error_rate"]["n"] == holdout
    assert (RunFolder(folder / "run").report).is_file()


@pytest.mark.slow
def test_no_site_trains_on_a_conversation_of_the_holdout_or_of_another_site(federated):
    folder, told = federated
    run = open_project(folder)
    channels = {name: item.channel for name, item in run.conversations("train").items()}
    rows = {item.conversation_id for item in read_jsonl(run.folder.train / "arf.jsonl", TrainingExample)}
    seen = set()
    for site, count in told["sites"].items():
        files = list((run.folder.federated / "sites" / site).glob("*/rows.jsonl"))
        assert len(files) > 2
        for path in files:
            names = {item.conversation_id for item in read_jsonl(path, TrainingExample)}
            assert {channels[name] for name in names} == {site} and len(names) == count
            seen |= names
    assert seen == rows
    assert not seen & set(run.conversations("holdout"))


@pytest.mark.slow
def test_the_methods_differ_and_share_what_they_have_in_common(federated):
    folder, told = federated
    students = RunFolder(Path(told["run_dir"])).path / "students"
    weights = {name: load_file(students / name / "adapter_model.safetensors") for name in METHODS}
    first, *others = weights.values()
    for other in others:
        assert any(not np.array_equal(first[name], other[name]) for name in first)
    # Alone; the first round, which three methods share; fedprox twice; and the second rounds of the three.
    for site in told["sites"]:
        assert len(list((folder / "run/federated/sites" / site).glob("*/student/training_log.json"))) == 7


@pytest.mark.slow
def test_what_is_whole_is_not_done_again_and_a_lost_round_is_the_only_one(federated):
    folder, told = federated
    logs = sorted((folder / "run/federated").rglob("training_log.json"))
    times = {path: path.stat().st_mtime_ns for path in logs}
    team = scripted_team.join_troubled()
    words = ["federate", folder / "arf.yaml", "--by", "channel", "--run-dir", folder / "run", *MORE]
    again = arf(*words)
    assert "student_arf is trained on the rows of all sites together" in " ".join(again.output.split())
    assert "no privacy guarantee" in again.output
    assert not team.asked
    assert {path: path.stat().st_mtime_ns for path in logs} == times
    lost = next(path for path in logs if "/sites/" in str(path))
    shutil.rmtree(lost.parent)
    shutil.rmtree(Path(told["run_dir"]) / "students")
    assert json.loads(arf(*words, "--json").stdout)["systems"] == told["systems"]
    kept = [path for path in logs if "/sites/" in str(path) and path != lost]
    assert {path: path.stat().st_mtime_ns for path in kept} == {path: times[path] for path in kept}
    assert lost.stat().st_mtime_ns != times[lost]


@pytest.mark.slow
def test_purging_the_conversations_takes_the_sites_too(federated, tmp_path):
    folder = shutil.copytree(federated[0], tmp_path / "project", symlinks=True)
    assert (folder / "run/federated").is_dir()
    remove_conversations(RunFolder(folder / "run"))
    assert not (folder / "run/federated").exists()


@pytest.mark.slow
def test_a_property_that_no_conversation_has_is_refused(federated):
    folder, _ = federated
    words = ("federate", folder / "arf.yaml", "--run-dir", folder / "run", *MORE)
    assert "training rows have none" in arf(*words, "--by", "metadata.region", code=2).output
    assert "write metadata.KEY" in " ".join(arf(*words, "--by", "region", code=2).output.split())


def test_what_has_no_adapter_or_no_arm_is_refused_before_work(make_run):
    from arf_programs.tools.federate import federate

    run = make_run("train.method=full")
    with pytest.raises(ConfigError, match="set it to lora"):
        federate(run, "channel", 2, 0.1)
    run = make_run("train.arms=[teacher]")
    with pytest.raises(ConfigError, match="add arf"):
        federate(run, "channel", 2, 0.1)
    assert not run.folder.path.exists()


def test_without_flower_the_command_says_how_to_install_it(make_run, monkeypatch):
    from arf_programs.tools.federate import federate
    from signatures.exceptions import MissingExtra

    monkeypatch.setattr("arf_programs.tools.federate.job.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"an environment of its own, pip install 'arf-programs\[federate\]'"):
        federate(make_run(), "channel", 2, 0.1)


def test_flower_does_the_rounds_of_each_method():
    """With Flower: what its strategy and its apps make of a site's training is what the stand-in makes of it."""
    pytest.importorskip("flwr")
    from arf_programs.tools.federate.flower import LocalGrid, run_rounds

    calls: list[tuple] = []

    def train(context, start, towards, pull):
        calls.append((context.node_config["site"], bool(start), bool(towards), pull))
        shift = np.float32({"a": 0.1, "b": 0.4}[context.node_config["site"]])
        begun = start or {A: np.ones((2, 3), np.float32), B: np.zeros((3, 2), np.float32)}
        aim = towards or begun
        moved = {name: array + shift * np.arange(array.size).reshape(array.shape) for name, array in begun.items()}
        return {name: np.asarray(array + pull * (aim[name] - array), np.float32) for name, array in moved.items()}, int(
            shift * 20
        )

    for method in METHODS.values():
        calls.clear()
        made = run_rounds(LocalGrid(train, ["a", "b"]), method, 3, 0.5, 2)
        wanted = _Rounds.run_rounds((train, ["a", "b"]), method, 3, 0.5, 2)
        assert calls[:6] == calls[6:] and len(calls) == 12
        for name in (A, B):
            assert made[name] == pytest.approx(wanted[name], abs=1e-4)
