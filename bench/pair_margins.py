"""Measure how much a student prefers a right detail to a wrong one, before and after training on pairs.

    python bench/pair_margins.py ablation/drafts-17 ablation/planted-17 ...

Errors are planted in the references of the holdout, so nobody trained on these pairs. The log-probability of each token
under the student is compared with that under the student before the preference stage: of tokens that differ between the
right and the wrong text, and of the others.

It prints a line for each run folder, and JSON last:

- right: share of the pairs whose differing tokens are more likely on the right side, before and after (a mean a token)
- margin: by how much training has moved the mean log-probability of the right side's differing tokens above that of the
  wrong side's (nats a token, with an interval)
- drift: the mean size of the change of the other tokens' log-probabilities (nats a token)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from peft import PeftModel

from arf_programs.config import PREFERENCE_STUDENTS, load_config
from arf_programs.metrics import Interval, Resampling
from arf_programs.planting import RightSummary, draw_errors
from arf_programs.runs import RunFolder, SplitConversation, read_jsonl
from arf_programs.text import build_messages
from signatures.records import Message, PreferencePair
from training.loop.adapter import FrozenLayers
from training.loop.base_model import load_base
from training.loop.loss_weights import pair_weights

SIDES = ("chosen", "rejected")
_CHANGED = 2.0  # the weight that marks the tokens that differ
Side = list[tuple[float, bool]]  # each completion token: its log-probability, and whether the other side has another


def held_out_pairs(folder: RunFolder, seed: int, draws: int) -> list[PreferencePair]:
    """Plant errors in the references of the holdout, of each kind equally often: `draws` for each text."""
    instruction = load_config(folder.config).summarize.instruction
    rows = [row.conversation for row in read_jsonl(folder.conversations, SplitConversation) if row.split == "holdout"]
    right = [RightSummary(row, row.references[0].strip(), "references") for row in rows if row.references]
    drawn = [error for draw in range(draws) for error in draw_errors(right, "uniform", {}, seed + draw) if error]
    distinct = {(error.summary.conversation.id, error.text): error for error in drawn}
    return [
        PreferencePair(
            conversation_id=error.summary.conversation.id,
            prompt=build_messages(instruction, error.summary.conversation),
            chosen=(Message(role="assistant", content=error.summary.text),),
            rejected=(Message(role="assistant", content=error.text),),
        )
        for error in distinct.values()
    ]


@torch.no_grad()
def side_logps(model: Any, tokenizer: Any, pair: PreferencePair) -> tuple[Side, Side]:
    """Measure the tokens of both sides of a pair, the right one first."""
    weights = pair_weights(tokenizer, pair, _CHANGED)
    measured = []
    for side, marks in zip(SIDES, weights.values(), strict=True):
        messages = [message.model_dump() for message in (*pair.prompt, *getattr(pair, side))]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        head = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        start = len(tokenizer(head, add_special_tokens=False)["input_ids"])
        positions = torch.arange(start - 1, ids.shape[1] - 1)
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=positions).logits[0].float()
        found = logits.log_softmax(dim=-1).gather(1, ids[0, start:, None]).flatten().tolist()
        measured.append([(logp, mark == _CHANGED) for logp, mark in zip(found, marks[start:], strict=True)])
    return measured[0], measured[1]


def changed_mean(side: Side) -> float | None:
    """The mean log-probability of the tokens that differ; None if none does, as where words are only left out."""
    values = [logp for logp, changed in side if changed]
    return fmean(values) if values else None


def preference(sides: tuple[Side, Side]) -> float | None:
    """The mean of the right side's differing tokens less that of the wrong side's; None if one has none."""
    right, wrong = changed_mean(sides[0]), changed_mean(sides[1])
    return None if right is None or wrong is None else right - wrong


def drift(before: tuple[Side, Side], after: tuple[Side, Side]) -> float:
    """The mean size of the change of the tokens that both sides share."""
    moved = [
        abs(new - old)
        for was, now in zip(before, after, strict=True)
        for (old, changed), (new, _) in zip(was, now, strict=True)
        if not changed
    ]
    return fmean(moved)


def compare(
    before: Sequence[tuple[Side, Side]], after: Sequence[tuple[Side, Side]], names: Sequence[str]
) -> dict[str, Any]:
    """Return the figures of a run; `names` are the conversations of the pairs, which the bootstrap draws."""
    moved, clusters, was, now = {}, {}, [], []
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        first, second = preference(old), preference(new)
        if first is not None and second is not None:
            moved[str(number)], clusters[str(number)] = second - first, names[number]
            was.append(first > 0)
            now.append(second > 0)
    interval = Resampling(clusters=clusters).mean(moved)
    return {
        "pairs": len(moved),
        "right_before": fmean(was),
        "right_after": fmean(now),
        "margin": interval.model_dump() if interval else None,
        "drift": fmean(drift(old, new) for old, new in zip(before, after, strict=True)),
    }


def measure(student: Path, model: Any, tokenizer: Any, pairs: Sequence[PreferencePair]) -> list[tuple[Side, Side]]:
    """Measure all pairs under a student; the adapter is taken off again."""
    adapted = PeftModel.from_pretrained(model, student).eval()
    try:
        return [side_logps(adapted, tokenizer, pair) for pair in pairs]
    finally:
        adapted.unload()


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, measure the students of each run, and print what they prefer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("runs", type=Path, nargs="+", help="folders of runs with a preference stage")
    add("--draws", type=int, default=1, help="errors planted in each reference")
    options = parser.parse_args(argv)
    model, tokenizer = load_base(load_config(RunFolder(options.runs[0]).config).train.base, torch.bfloat16)
    last = load_config(RunFolder(options.runs[0]).config).train.lora.last_layers
    if last:  # the students share the layers below
        FrozenLayers(model.base_model.layers[:-last], limit=2**30)
    known: dict[tuple[int, bytes], list[tuple[Side, Side]]] = {}
    figures: dict[str, Mapping[str, Any]] = {}
    for path in options.runs:
        folder = RunFolder(path)
        config = load_config(folder.config)
        pairs = held_out_pairs(folder, config.seed, options.draws)
        start, end = (folder.student / name for name in ("arf", PREFERENCE_STUDENTS[config.train.preference.method]))
        key = (config.seed, (start / "adapter_model.safetensors").read_bytes())
        if key not in known:
            known[key] = measure(start, model, tokenizer, pairs)
        after = measure(end, model, tokenizer, pairs)
        found = compare(known[key], after, [pair.conversation_id for pair in pairs])
        figures[path.name] = found
        margin = Interval.model_validate(found["margin"]).text("+.3f") if found["margin"] else "-"
        print(
            f"{path.name}: {found['pairs']} pairs, "
            f"right {found['right_before']:.0%} -> {found['right_after']:.0%}, "
            f"margin {margin}, drift {found['drift']:.3f}",
            flush=True,
        )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
