"""Compare labelled examples shown to an analyst: none, random ones, and those that are nearest to the question.

    python bench/nearest.py tweetsumm.jsonl --model smollm2-135m --limit 40

Reads JSONL rows with conversation and references, which are believed right. Errors are planted in their sentences, and
the support question is asked about right and wrong ones. The examples come from the other conversations (leave one
out), as many with "yes" as with "no". Random ones are drawn with several seeds. Prints a table, and as the last line
JSON.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from first_words import FirstWords
from question_forms import Prompt
from questions import Item, figures, planted_items

from arf_programs.metrics import EmbeddingRanking, find_model, load_embedder
from arf_programs.programs.analysis.support import support_text
from arf_programs.text import WordRanking
from signatures.support_sentence import SupportSentence

Pick = Callable[[int], list[int]]
"""Gives the order in which the others are taken as examples of an item."""


def shown_text(item: Item) -> str:
    """The question as it is shown, by which the nearest are found."""
    return support_text(item.conversation.as_numbered_text(), item.sentences[0].text)


def examples_of(items: Sequence[Item], number: int, order: Sequence[int], k: int) -> list[Item]:
    """The first `k` of other conversations, right and wrong ones in equal number, the nearest last."""
    room = {True: k - k // 2, False: k // 2}
    chosen = []
    for other in order:
        item = items[other]
        if item.conversation.id != items[number].conversation.id and room[item.wrong]:
            room[item.wrong] -= 1
            chosen.append(item)
    return chosen[::-1]


def prompt_of(item: Item, examples: Sequence[Item]) -> Prompt:
    """The support question after its examples, as a run asks it."""
    shown = [
        message
        for example in examples
        for message in (("user", shown_text(example)), ("assistant", "no" if example.wrong else "yes"))
    ]
    return Prompt((("system", SupportSentence.instructions), *shown, ("user", shown_text(item))))


def picks_of(items: Sequence[Item], seeds: int) -> dict[str, Pick]:
    """The ways of choosing examples. Each random one has its own seed."""
    texts = [shown_text(item) for item in items]
    words = WordRanking(texts)
    meaning = EmbeddingRanking(load_embedder(find_model("auto", Path())), texts)

    def drawn(seed: int) -> Pick:
        return lambda number: random.Random(f"{seed} {number}").sample(range(len(items)), len(items))

    return {
        **{f"random {seed}": drawn(seed) for seed in range(seeds)},
        "nearest by BM25": lambda number: words.order(texts[number]),
        "nearest by MiniLM": lambda number: meaning.order(texts[number]),
    }


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of the table."""
    items = planted_items(options.path, options.limit)
    model = FirstWords(options.model, options.store)
    prompts = {"none": [prompt_of(item, ()) for item in items]}
    for name, pick in picks_of(items, options.seeds).items():
        prompts[name] = [
            prompt_of(item, examples_of(items, number, pick(number), options.k)) for number, item in enumerate(items)
        ]
    rows = []
    for name, asked in prompts.items():
        odds = model.odds(asked)
        rows.append(figures(name, items, [-odds[prompt] for prompt in asked]))
        print(f"{name}: {model.read} tokens read so far", flush=True)
    return rows


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table, with the random ones in one row."""
    lines = ["| examples shown | AUC (95%) | recall at 5% false alarms |", "| --- | --- | --- |"]
    drawn = [row for row in rows if row["form"].startswith("random")]
    for row in rows:
        if row not in drawn:
            area = f"{row['auc']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
            lines.append(f"| {row['form']} | {area} | {row['recall']['all']:.2f} |")
    areas, recalls = [row["auc"] for row in drawn], [row["recall"]["all"] for row in drawn]
    spread = f"{fmean(areas):.2f} (of {len(drawn)} seeds {min(areas):.2f}-{max(areas):.2f})"
    lines.insert(3, f"| random | {spread} | {fmean(recalls):.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", default="smollm2-135m", help="a folder of weights, or the built-in model")
    parser.add_argument("--limit", type=int, default=40, help="sentences that are asked about")
    parser.add_argument("--k", type=int, default=2, help="examples shown")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the random examples")
    parser.add_argument("--store", type=Path, help="file for answers, so that a repeated run asks nothing again")
    options = parser.parse_args()
    rows = run(options)
    print(as_table(rows))
    print(json.dumps({"model": options.model, "limit": options.limit, "k": options.k, "rows": rows}))


if __name__ == "__main__":
    main()
