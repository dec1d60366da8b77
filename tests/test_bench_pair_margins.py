"""`bench/pair_margins.py` tells what differs between the sides of a pair from what they share."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from reviewed_run import write_run
from tiny_model import save_tiny_model

from arf_programs.runs import SplitConversation, read_jsonl, write_jsonl_atomic
from training.loop.base_model import load_base

PATH = Path(__file__).parent.parent / "bench" / "pair_margins.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("pair_margins", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["pair_margins"] = module
    spec.loader.exec_module(module)
    return module


def test_the_margin_is_that_of_the_differing_tokens_and_the_drift_that_of_the_others(bench):
    before = ([(-1.0, False), (-2.0, True)], [(-1.0, False), (-1.5, True)])
    after = ([(-1.1, False), (-1.0, True)], [(-1.3, False), (-2.5, True)])
    found = bench.compare([before], [after], ["c1"])
    assert (found["right_before"], found["right_after"]) == (0, 1)
    assert found["margin"]["value"] == pytest.approx(1.5 - -0.5)
    assert found["drift"] == pytest.approx(0.2)


def test_a_side_without_differing_tokens_counts_for_the_drift_alone(bench):
    left_out = ([(-1.0, False), (-2.0, True)], [(-1.0, False)])
    mended = ([(-1.0, False), (-2.0, True)], [(-1.0, False), (-2.0, True)])
    found = bench.compare([left_out, mended], [left_out, mended], ["c1", "c2"])
    assert found["pairs"] == 1 and found["drift"] == 0


def test_pairs_are_planted_in_the_references_of_the_holdout(bench, tmp_path):
    folder = write_run(tmp_path / "run")
    rows = list(read_jsonl(folder.conversations, SplitConversation))
    reference = "The kettle leaked on Monday. A new kettle comes by Thursday."
    referred = [row.conversation.model_copy(update={"references": (reference,)}) for row in rows]
    with_references = [row.model_copy(update={"conversation": talk}) for row, talk in zip(rows, referred, strict=True)]
    write_jsonl_atomic(folder.conversations, with_references)
    pairs = bench.held_out_pairs(folder, 17, 3)
    held = {row.conversation.id for row in rows if row.split == "holdout"}
    assert {pair.conversation_id for pair in pairs} == held
    assert all(pair.chosen[0].content == reference != pair.rejected[0].content for pair in pairs)

    torch.manual_seed(0)
    model, tokenizer = load_base(str(save_tiny_model(tmp_path / "tiny")), torch.float32)
    measured = [bench.side_logps(model, tokenizer, pair) for pair in pairs]
    replaced = next(sides for sides in measured if bench.preference(sides) is not None)
    for side in replaced:
        assert any(changed for _, changed in side) and not all(changed for _, changed in side)
        assert all(logp < 0 for logp, _ in side)
