"""Compare ways of asking whether a conversation supports a sentence, by the area under the ROC curve.

    python bench/questions.py --planted examples/quickstart/conversations.jsonl --model smollm2-135m --limit 100
    python bench/questions.py --labelled sales_calls.jsonl --model smollm2-135m --limit 100

`--planted` reads conversations with references, which are believed right, and plants errors in their sentences.
`--labelled` reads rows with conversation, summary, errors ([] for a right one) and revised, as `analysts.py` does; a
summary is as suspect as its worst sentence. `--limit` counts the sentences or the summaries. Intervals draw whole
conversations. Prints a table, and as the last line JSON.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from first_words import FirstWords
from labelled_places import Case, read_cases
from question_forms import FORMS, Sentence, means

from arf_programs.config.schema import ColumnsConfig
from arf_programs.corpus.read import hash_turns
from arf_programs.corpus.turns import read_turns
from arf_programs.metrics.detectors.separation import Scored, measure_separation
from arf_programs.planting.choose import RightSummary
from arf_programs.planting.pairs import plant_sentences
from arf_programs.text.sentences import find_sentences
from signatures.records import Conversation


@dataclass(frozen=True)
class Item:
    """What is scored: one sentence, or all sentences of a summary. `kind` is that of the planted error."""

    name: str
    sentences: tuple[Sentence, ...]
    wrong: bool
    kind: str = ""

    @property
    def conversation(self) -> Conversation:
        """The conversation, which is also the cluster."""
        return self.sentences[0].conversation


def planted_items(path: Path, limit: int) -> list[Item]:
    """Sentences of references, right and with a planted error."""
    summaries = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        turns = read_turns(row["conversation"], ColumnsConfig())
        talk = Conversation(id=hash_turns(turns), turns=turns)
        summaries += [RightSummary(talk, text, "references") for text in row.get("references") or ()]
    talks = plant_sentences(summaries, seed=17, most=limit)
    return [
        Item(f"{n} {m}", (Sentence(talk.summary.conversation, text, 0, len(text)),), kind is not None, kind or "")
        for n, talk in enumerate(talks)
        for m, (text, kind) in enumerate(talk.sentences)
    ]


def labelled_items(path: Path, limit: int) -> list[Item]:
    """Summaries, with the conversations taking turns."""
    return [_of_case(case) for case in read_cases(path, limit)]


def _of_case(case: Case) -> Item:
    spans = find_sentences(case.summary)
    sentences = tuple(Sentence(case.conversation, case.summary, start, end) for start, end in spans)
    return Item(case.name, sentences, case.flawed)


def figures(name: str, items: Sequence[Item], scores: Sequence[float]) -> dict[str, Any]:
    """The area under the curve, the recall at 5% false alarms, and the balanced accuracy on other conversations."""
    scored = [
        Scored(item.conversation.id, score, (item.kind or "wrong",) if item.wrong else ())
        for item, score in zip(items, scores, strict=True)
    ]
    found = measure_separation(scored, threshold=0.5)
    assert found.auc is not None
    assert found.recall is not None
    return {
        "form": name,
        "auc": found.auc.value,
        "low": found.auc.low,
        "high": found.auc.high,
        "balanced_accuracy": found.balanced_accuracy,
        "recall": {"all": found.recall.value, **{kind: share.value for kind, share in found.recall_by_kind.items()}},
    }


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table."""
    lines = ["| form | AUC (95%) | balanced accuracy | recall at 5% false alarms | questions a sentence |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for row in rows:
        area = f"{row['auc']:.2f} ({row['low']:.2f}-{row['high']:.2f})"
        calls = f"{row['calls']:.1f}" if "calls" in row else ""
        lines.append(
            f"| {row['form']} | {area} | {row['balanced_accuracy']:.2f} | {row['recall']['all']:.2f} | {calls} |"
        )
    return "\n".join(lines)


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows of the table."""
    planted, labelled, limit = options.planted, options.labelled, options.limit
    items = planted_items(planted, limit) if planted else labelled_items(labelled, limit)
    model = FirstWords(options.model, options.store)
    scores, calls = {}, {}
    for name in options.forms:
        form, start, before = FORMS[name], time.monotonic(), model.read
        prompts = [[form.prompts(sentence) for sentence in item.sentences] for item in items]
        asked = [prompt for each in prompts for one in each for prompt in one]
        odds = model.odds(asked)
        scores[name] = [max(form.suspicion([odds[prompt] for prompt in one]) for one in each) for each in prompts]
        calls[name] = len(asked) / sum(map(len, prompts))
        print(f"{name}: {time.monotonic() - start:.0f} s, {model.read - before} tokens", flush=True)
    rows = [figures(name, items, values) for name, values in {**scores, **means(scores)}.items()]
    return [{**row, **({"calls": calls[row["form"]]} if row["form"] in calls else {})} for row in rows]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--planted", type=Path)
    source.add_argument("--labelled", type=Path)
    parser.add_argument("--model", default="smollm2-135m", help="a folder of weights, or the built-in model")
    parser.add_argument("--forms", nargs="*", default=list(FORMS))
    parser.add_argument("--limit", type=int, default=200, help="sentences (planted) or summaries (labelled)")
    parser.add_argument("--store", type=Path, help="file for answers, so that a repeated run asks nothing again")
    options = parser.parse_args()
    rows = run(options)
    print(as_table(rows))
    print(json.dumps({"model": options.model, "limit": options.limit, "rows": rows}))


if __name__ == "__main__":
    main()
