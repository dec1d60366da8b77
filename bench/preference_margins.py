"""Measure what training on pairs changed: the margin on wrong words, and the drift of all other words.

    python bench/preference_margins.py ablation --arm drafts --arm planted --seeds 17 18 19 --student arf_dpo

The folder is one that `bench/ablate.py` has filled. The pairs are references of the holdout (chosen), and the same with
one error planted (rejected); nobody trained on them. With r the log-probability of a token under the trained student,
less that under the student of arm `arf` where the training began, in nats:

- margin: the sum of r over the tokens that the error replaced, less the sum of r over the wrong tokens;
- drift: the mean of |r| over all other tokens of the two summaries.

It prints a table with 95% intervals, and the differences from the first arm, paired by seed and conversation; the
bootstrap draws conversations. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ablate import Outcome, clustered
from peft import PeftModel

from arf_programs.config import load_config
from arf_programs.metrics import Resampling
from arf_programs.planting import RightSummary, draw_errors
from arf_programs.runs import RunFolder, SplitConversation, read_jsonl
from arf_programs.text import build_messages
from signatures.records import Message, PreferencePair
from training.loop.base_model import load_base
from training.loop.lengths import render
from training.loop.loss_weights import PAIR_COLUMNS, pair_weights

METRICS = ("margin", "drift")
_CHANGED = 2.0  # any weight but 1 marks the changed tokens
Values = dict[str, dict[str, float]]  # {metric: {seed and conversation: value}}


def held_pairs(folder: RunFolder, seed: int) -> Iterator[PreferencePair]:
    """The references of the holdout, each with one planted error, whose kind is drawn uniformly."""
    instruction = load_config(folder.config).summarize.instruction
    held = [row.conversation for row in read_jsonl(folder.conversations, SplitConversation) if row.split == "holdout"]
    right = [RightSummary(talk, talk.references[0], "references") for talk in held if talk.references]
    for error in draw_errors(right, "uniform", {}, seed):
        if error is not None:
            talk = error.summary.conversation
            yield PreferencePair(
                conversation_id=talk.id,
                prompt=build_messages(instruction, talk),
                chosen=(Message(role="assistant", content=error.summary.text),),
                rejected=(Message(role="assistant", content=error.text),),
            )


def log_probabilities(model: Any, ids: Sequence[int], start: int) -> torch.Tensor:
    """The log-probability of each token from `start` on, in nats."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, start - 1 : -1]
    return logits.float().log_softmax(-1).gather(1, torch.tensor(ids[start:])[:, None])[:, 0]


def measure(folder: RunFolder, student: str, seed: int, dtype: torch.dtype) -> Values:
    """{metric: {seed and conversation: value}} of the student of a run."""
    base, tokenizer = load_base(load_config(folder.config).train.base, dtype)
    model = PeftModel.from_pretrained(base, folder.student / "arf", adapter_name="before").eval()
    model.load_adapter(folder.student / student, adapter_name="after")
    values: Values = {name: {} for name in METRICS}
    for pair in held_pairs(folder, seed):
        weights = pair_weights(tokenizer, pair, _CHANGED)
        prompt = [message.model_dump() for message in pair.prompt]
        start = len(render(tokenizer, prompt, for_answer=True))
        changed, kept = [], []
        for column, message in zip(PAIR_COLUMNS, (pair.chosen[0], pair.rejected[0]), strict=True):
            ids = render(tokenizer, [*prompt, message.model_dump()], for_answer=False)
            sides = []
            for name in ("before", "after"):
                model.set_adapter(name)
                sides.append(log_probabilities(model, ids, start))
            ratio, is_changed = sides[1] - sides[0], torch.tensor(weights[column][start:]) == _CHANGED
            changed.append(ratio[is_changed].sum().item())
            kept.append(ratio[~is_changed].abs())
        key = f"{seed} {pair.conversation_id}"
        values["margin"][key] = changed[0] - changed[1]
        values["drift"][key] = torch.cat(kept).mean().item()
    return values


def table(arms: Mapping[str, Values], by: Resampling) -> tuple[str, dict[str, Any]]:
    """Return a Markdown table, and its figures for machines."""
    base = next(iter(arms))
    lines = [f"| metric | arm | mean | less `{base}` |", "| --- | --- | --- | --- |"]
    figures: dict[str, Any] = {}
    for metric in METRICS:
        for name, values in arms.items():
            first, own = arms[base][metric], values[metric]
            mean = by.mean(own)
            less = by.mean({key: own[key] - first[key] for key in own if key in first}) if name != base else None
            lines.append(f"| {metric} | `{name}` | {mean.text('.3f')} | {less.text('+.3f') if less else ''} |")
            both = {"mean": mean.model_dump(), "less": less and less.model_dump()}
            figures.setdefault(name, {})[metric] = both
    return "\n".join(lines), figures


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, measure the students and print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("folder", type=Path, help="the --out of bench/ablate.py")
    add("--arm", action="append", required=True, help="again for another; the first is the baseline")
    add("--seeds", type=int, nargs="+", default=[17, 18, 19])
    add("--student", default="arf_dpo", choices=["arf_dpo", "arf_apo"])
    add("--dtype", default="float32", choices=["float32", "bfloat16"])
    options = parser.parse_args(argv)
    arms: dict[str, Values] = {}
    outcome = Outcome()
    for name in options.arm:
        arms[name] = {metric: {} for metric in METRICS}
        for seed in options.seeds:
            folder = RunFolder(options.folder / f"{name}-{seed}")
            for metric, values in measure(folder, options.student, seed, getattr(torch, options.dtype)).items():
                arms[name][metric] |= values
                outcome.clusters |= {key: key.split(" ", 1)[1] for key in values}
    text, figures = table(arms, clustered(Resampling(), outcome))
    print(text)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
