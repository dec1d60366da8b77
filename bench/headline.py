"""Measure whether the student surpasses its teacher, on conversations that nobody trained on.

    python bench/headline.py tweetsumm.jsonl --out headline --train 100 --holdout 60 \
        --teacher embedded/qwen2.5-0.5b --editor embedded/qwen2.5-1.5b --student embedded/smollm2-135m
    python bench/headline.py grade headline grades.jsonl

The first command draws the conversations, runs the whole pipeline on them and prints the figures of every system, and
the paired comparisons of the student with its teacher and with the student of the unrevised drafts. The last line is
JSON. The same command goes on where it was stopped. It also writes pairs of holdout summaries for blind reading:
`pairs.jsonl` (conversation, summary 1, summary 2) and `key.json` (which system wrote which).

The second command reads grades, one JSON object a line: {"pair": 0, "better": "1" | "2" | "same"}.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from scipy.stats import binomtest

METRICS = ("error_rate", "fact_error_rate", "errors_per_summary", "rating", "rougeL", "similarity", "words")
STUDENT = "student_arf"
OTHERS = ("teacher", "student_teacher")


def sample_rows(data: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Draw rows of the data, in their order. Drafts and labels of the data are left out."""
    rows = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines() if line.strip()]
    if len(rows) < count:
        raise SystemExit(f"{data} has {len(rows)} conversations, and {count} are wanted.")
    chosen = sorted(random.Random(seed).sample(range(len(rows)), count))
    kept = ("id", "conversation", "channel", "references", "metadata")
    return [{name: rows[index][name] for name in kept if name in rows[index]} for index in chosen]


def configuration(options: argparse.Namespace) -> dict[str, Any]:
    """Return arf.yaml for the models and sizes of the command line."""
    models = {
        role: {"model": getattr(options, role), "max_tokens": tokens}
        for role, tokens in (("teacher", 160), ("editor", 256), ("analyst", 256), ("judge", 256))
        if getattr(options, role)
    }
    return {
        "name": "headline",
        "seed": options.seed,
        "run_dir": str(options.out / "run"),
        "corpus": {
            "path": "conversations.jsonl",
            "holdout": options.holdout / (options.train + options.holdout),
        },
        "models": models,
        "train": {"base": options.student.removeprefix("embedded/")},
        "evaluate": {"judge": bool(options.judge), "pairwise": bool(options.judge)},
    }


def run(options: argparse.Namespace) -> None:
    """Run the pipeline, and print its figures. Raises SystemExit with the exit code of a pipeline that failed."""
    options.out.mkdir(parents=True, exist_ok=True)
    rows = sample_rows(options.data, options.train + options.holdout, options.seed)
    corpus = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (options.out / "conversations.jsonl").write_text(corpus, encoding="utf-8")
    config = options.out / "arf.yaml"
    config.write_text(yaml.safe_dump(configuration(options), sort_keys=False), encoding="utf-8")
    settings = [part for item in options.set for part in ("--set", item)]
    command = [sys.executable, "-m", "arf_programs.cli.app", "run", str(config), *settings]
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    folder = options.out / "run"
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))["evaluate"]
    print(table(summary["systems"]))
    compared = comparisons(summary["comparisons"])
    for row in compared:
        print(describe(row))
    count = write_pairs(folder, options.out, options.pairs, options.seed)
    print(f"{count} pairs for blind reading: {options.out / 'pairs.jsonl'}; the key: {options.out / 'key.json'}")
    print(json.dumps({"systems": summary["systems"], "comparisons": compared}))


def table(systems: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return a Markdown table of the systems with intervals."""
    names = [name for name in METRICS if any(name in figures for figures in systems.values())]
    lines = ["| system | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for system, figures in systems.items():
        cells = [
            "{value:.2f} ({low:.2f} to {high:.2f})".format(**figures[name]) if name in figures else "-"
            for name in names
        ]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def comparisons(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the comparisons of the student with the others, paired by conversation, with Holm's correction."""
    return [row for row in rows if row["a"] == STUDENT and row["b"] in OTHERS and row["metric"] in METRICS]


def describe(row: dict[str, Any]) -> str:
    """Say one comparison in a line."""
    holm = "-" if row.get("p_holm") is None else f"{row['p_holm']:.3f}"
    p = "-" if row.get("p") is None else f"{row['p']:.3f}"
    interval = f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
    return f"{row['a']} - {row['b']}, {row['metric']}: {interval}, p {p}, Holm {holm}, n {row['n']}"


def write_pairs(folder: Path, out: Path, count: int, seed: int) -> int:
    """Write pairs of the student's summary and another's, of the same conversation, in random order."""
    texts = {
        (row["conversation_id"], row["system"]): row["text"]
        for name in ("predictions.jsonl", "drafts.jsonl")
        for row in map(json.loads, (folder / name).read_text(encoding="utf-8").splitlines())
    }
    talks = [
        row["conversation"]
        for row in map(json.loads, (folder / "conversations.jsonl").read_text(encoding="utf-8").splitlines())
        if row["split"] == "holdout"
    ]
    pairs = [
        (talk, other)
        for other in OTHERS
        for talk in talks
        if (talk["id"], STUDENT) in texts and (talk["id"], other) in texts
    ]
    draw = random.Random(seed)
    draw.shuffle(pairs)
    lines, key = [], []
    for number, (talk, other) in enumerate(pairs[:count]):
        systems = [STUDENT, other]
        draw.shuffle(systems)
        shown = "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in talk["turns"])
        summaries = {str(place): texts[talk["id"], name] for place, name in enumerate(systems, start=1)}
        lines.append(json.dumps({"pair": number, "conversation": shown, **summaries}, ensure_ascii=False))
        key.append(systems)
    (out / "pairs.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    (out / "key.json").write_text(json.dumps(key), encoding="utf-8")
    return len(lines)


def grade(out: Path, grades: Path) -> None:
    """Print how often the student's summary was called better, with an exact two-sided sign test (SciPy)."""
    key = json.loads((out / "key.json").read_text(encoding="utf-8"))
    counts = {other: {"wins": 0, "same": 0, "losses": 0} for other in OTHERS}
    for row in map(json.loads, grades.read_text(encoding="utf-8").splitlines()):
        systems = key[row["pair"]]
        (other,) = set(systems) - {STUDENT}
        if row["better"] == "same":
            counts[other]["same"] += 1
        else:
            won = systems[int(row["better"]) - 1] == STUDENT
            counts[other]["wins" if won else "losses"] += 1
    for other, count in counts.items():
        decided = count["wins"] + count["losses"]
        p = f"{binomtest(count['wins'], decided).pvalue:.3f}" if decided else "-"
        print(
            f"{STUDENT} against {other}: {count['wins']} better, {count['same']} same, {count['losses']} worse, p {p}"
        )
    print(json.dumps(counts))


def main() -> None:
    """Read the command line."""
    if sys.argv[1:2] == ["grade"]:
        grade(Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="JSONL with conversation and references")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run and of the pairs")
    parser.add_argument("--train", type=int, default=100, help="conversations for training")
    parser.add_argument("--holdout", type=int, default=60, help="conversations that nobody trains on")
    parser.add_argument("--teacher", required=True, help="LiteLLM model string")
    parser.add_argument("--editor", default="", help="default: the teacher")
    parser.add_argument("--analyst", default="", help="default: the editor")
    parser.add_argument("--judge", default="", help="default: no judge")
    parser.add_argument("--student", default="embedded/smollm2-135m", help="the student's base")
    parser.add_argument("--pairs", type=int, default=40, help="pairs for blind reading")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--set", action="append", default=[], help="further settings, as for `arf run`")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
