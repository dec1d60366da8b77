"""Print the tables of a finished run in Markdown, as the documentation shows them.

    python bench/run_tables.py runs/quickstart

The first table has the systems with their metrics and 95% intervals, the second what each stage asked and how long it
took, the third what a reader wants to know about the revisions. Stages `analyze` and `revise` run together.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from arf_programs.runs import Spent, iter_ledger

METRICS = ("check_error_rate", "errors_per_summary", "rougeL", "words")
HEADINGS = ("summaries with an error (checks)", "errors per summary", "ROUGE-L", "words")
_TOGETHER = {"revise": "analyze"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run", type=Path, help="folder of a run that has its report")
    folder = parser.parse_args().run
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for lines in (systems(summary), stages(summary, folder), facts(summary)):
        print("\n".join(lines), end="\n\n")


def systems(summary: Mapping[str, Any]) -> list[str]:
    """The systems with the metrics of `METRICS`, each with its interval."""
    rows = [
        [f"`{name}`", *(_interval(metric, values.get(metric)) for metric in METRICS)]
        for name, values in summary["evaluate"]["systems"].items()
    ]
    return markdown(["system", *HEADINGS], rows)


def stages(summary: Mapping[str, Any], folder: Path) -> list[str]:
    """The calls, tokens and seconds of each stage. Tokens of a training are those of all epochs and arms."""
    spent: dict[str, Spent] = defaultdict(Spent)
    for call in iter_ledger(folder / "calls.jsonl"):
        spent[_TOGETHER.get(call.stage, call.stage)].add(call)
    trained = sum(arm["tokens"] for arm in summary["train"].values())
    rows = []
    for stage, seconds in summary["spend"]["seconds"].items():
        if stage in _TOGETHER:
            continue
        name = " and ".join(f"`{each}`" for each in (stage, *(s for s, first in _TOGETHER.items() if first == stage)))
        figures = spent[stage]
        read = f"{trained:,} trained on" if stage == "train" else _count(figures.prompt_tokens)
        rows.append([name, _count(figures.calls), read, _count(figures.completion_tokens), f"{seconds:.0f}"])
    total = summary["spend"]
    sums = [_count(total[key]) for key in ("calls", "prompt_tokens", "completion_tokens")]
    rows.append(["all", *sums, f"{sum(total['seconds'].values()):.0f}"])
    return markdown(["stage", "calls", "tokens read", "tokens written", "seconds"], rows)


def facts(summary: Mapping[str, Any]) -> list[str]:
    """Drafts, verdicts and training examples, and the paired differences of the students."""
    lines = [f"analyze: {summary['analyze']}", f"revise: {summary['revise']}"]
    lines += [f"train {arm}: {figures['examples']} examples" for arm, figures in summary["train"].items()]
    for row in summary["evaluate"]["comparisons"]:
        if row["a"].startswith("student_") and row["metric"] in ("error_rate", "rougeL"):
            lines.append(
                f"{row['a']} less {row['b']}, {row['metric']}: {row['difference']:.3f} ({row['low']:.3f} to "
                f"{row['high']:.3f}), p {row['p']}, after Holm {row['p_holm']}"
            )
    return lines


def markdown(header: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    header = list(header)
    return [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]


def _interval(metric: str, figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return ""
    value, low, high = (figures[key] for key in ("value", "low", "high"))
    if metric.endswith("rate"):
        return f"{value:.0%} ({low * 100:.0f}-{high:.0%})"
    digits = 0 if metric == "words" else 2
    return f"{value:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


if __name__ == "__main__":
    main()
