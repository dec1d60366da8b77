"""Measure how well an analyst detects, and an editor mends, errors of summaries with human-checked labels.

    python bench/analysts.py sales_calls.jsonl --model embedded/smollm2-135m --limit 40 --fix 8

Reads JSONL rows with conversation, summary, errors ([] for a right one) and revised (the corrected summary). Without a
path it reads `sales_calls_dev.jsonl` in the folder that ARF_DATA_DIR names. Summaries of one conversation are one
cluster: thresholds are fitted on the other conversations (leave one out). Prints a table, and as the last line JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arms import Arm, Bench, all_arms, revise_all
from labelled_places import Case, kept_share, labelled_notes, place_counts, read_cases, repairs
from sklearn.metrics import roc_auc_score

from arf_programs.config.models import ModelConfig
from arf_programs.metrics.detection import balanced_accuracy
from arf_programs.metrics.detectors.calibration import best_threshold

COLUMNS = {
    "arm": "arm",
    "balanced_accuracy": "balanced accuracy",
    "balanced_accuracy_fitted": "at the fitted threshold",
    "auc": "AUC",
    "f1_error": "F1 error",
    "f1_places": "F1 places",
    "gone": "wrong words gone",
    "fixed": "fixed",
    "kept": "right words kept",
    "calls": "calls",
    "tokens": "tokens",
}


def measures(bench: Bench, arm: Arm) -> dict[str, Any]:
    """The figures of an analyst.

    `balanced_accuracy` and `f1_error` compare "has an error" with whether an error was reported.
    `balanced_accuracy_fitted` uses a threshold on the summary's score. `f1_places` counts changed words that a quote
    overlaps, and quotes that overlap no changed word.
    """
    cases = [case for case in bench.cases if case.name in arm.notes]
    labels, called = [case.flawed for case in cases], [bool(arm.notes[case.name]) for case in cases]
    calls, tokens = bench.usage(arm.stages, len(cases))
    figures: dict[str, Any] = {"arm": arm.name, "summaries": len(cases), "flawed": sum(labels)}
    if len(set(labels)) == 2:
        scores = [arm.scores[case.name] for case in cases]
        figures |= {
            "balanced_accuracy": balanced_accuracy(called, labels),
            "balanced_accuracy_fitted": balanced_accuracy(_called_by_score(cases, scores), labels),
            "auc": float(roc_auc_score(labels, scores)),
        }
    right = sum(a and b for a, b in zip(called, labels, strict=True))
    counts = [place_counts(case, arm.notes[case.name]) for case in cases if case.places or not case.flawed]
    found, missed, false = (sum(column) for column in zip(*counts, strict=True))
    figures |= {
        "f1_error": _f1(right, sum(labels) - right, sum(called) - right),
        "f1_places": _f1(found, missed, false),
    }
    return {**figures, "calls": calls, "tokens": tokens}


def mended(bench: Bench, arm: Arm, form: str, cases: Sequence[Case]) -> dict[str, Any]:
    """The figures of the reviser on flawed summaries, given the arm's errors.

    `gone` is the share of changed places whose wrong words are gone, `fixed` the share that reads as in the correction.
    `kept` is the share kept of the words that the correction leaves alone. Calls and tokens that an earlier row of the
    table paid for are not counted again.
    """
    after = revise_all(bench, arm, form, cases)
    done = [(case, after[case.name]) for case in cases if case.name in after]
    places = max(1, sum(len(case.places) for case, _ in done))
    counts = [repairs(case, text) for case, text in done]
    calls, tokens = bench.usage([f"fix {arm.name} {form}"], len(done))
    return {
        "arm": f"{arm.name}: {form}",
        "summaries": len(done),
        "gone": sum(gone for gone, _ in counts) / places,
        "fixed": sum(fixed for _, fixed in counts) / places,
        "kept": sum(kept_share(case, text) for case, text in done) / max(1, len(done)),
        "calls": calls,
        "tokens": tokens,
    }


def _called_by_score(cases: Sequence[Case], scores: Sequence[float]) -> list[bool]:
    """Whether each case is called flawed, by the threshold that is best on the other conversations."""
    called = []
    rows = list(zip(cases, scores, strict=True))
    for case, score in rows:
        others = [(value, other.flawed) for other, value in rows if other.conversation.id != case.conversation.id]
        values, labels = [value for value, _ in others], [flawed for _, flawed in others]
        called.append(len(set(labels)) == 2 and score >= best_threshold(values, labels)[0])
    return called


def _f1(found: int, missed: int, false: int) -> float:
    return 2 * found / (2 * found + missed + false) if found else 0.0


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table. Columns that no row has are left out."""
    names = [name for name in COLUMNS if any(name in row for row in rows)]
    lines = [" | ".join(COLUMNS[name] for name in names), " | ".join("---" if n == "arm" else "---:" for n in names)]
    lines += [" | ".join(_shown(name, row.get(name)) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _shown(name: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.{ {'tokens': 0, 'calls': 1}.get(name, 2) }f}"


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(os.environ.get("ARF_DATA_DIR", "."))
    parser.add_argument("path", nargs="?", type=Path, default=folder / "sales_calls_dev.jsonl")
    parser.add_argument("--model", default="embedded/smollm2-135m", help="analyst and editor, a LiteLLM string")
    parser.add_argument("--strategies", nargs="*", default=["holistic", "sentencewise"])
    parser.add_argument("--limit", type=int, help="so many summaries, spread over the conversations")
    parser.add_argument("--fix", type=int, default=0, help="revise so many of the flawed summaries with each arm")
    parser.add_argument("--forms", nargs="*", default=["one_by_one"], help="one_by_one, together")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--store", type=Path, help="folder for answers, so that a repeated run asks nothing again")
    return parser.parse_args()


def run(options: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """The rows of the table: the analysts, then the reviser with their errors and with the labelled errors."""
    config = ModelConfig(model=options.model, concurrency=options.concurrency, max_tokens=options.max_tokens)
    bench = Bench(config, read_cases(options.path, options.limit), folder)
    arms = all_arms(bench, options.strategies)
    rows = [measures(bench, arm) for arm in arms]
    flawed = [case for case in bench.cases if case.places][: options.fix]
    if flawed:
        labelled = Arm("labelled errors", {case.name: labelled_notes(case) for case in flawed})
        rows += [mended(bench, arm, form, flawed) for arm in [*arms, labelled] for form in options.forms]
    return rows


def main() -> None:
    """Measure and print."""
    options = read_options()
    logging.getLogger("dspy.clients.lm").setLevel(logging.ERROR)  # a one-word answer is cut off on purpose
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        rows = run(options, options.store or Path(temporary))
    print(as_table(rows))
    print(json.dumps({"model": options.model, "seconds": round(time.monotonic() - start), "arms": rows}))


if __name__ == "__main__":
    main()
