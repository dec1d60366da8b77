"""Compare a method with its baselines: the same configuration with other settings, on several seeds.

    python bench/ablate.py arf.yaml --out ablation --seeds 17 18 19 --system student_arf_dpo \
        --arm drafts train.preference.method=sigmoid \
        --arm planted train.preference.method=sigmoid train.preference.rejected=planted

Each arm has a name and settings, as `arf run --set` takes them. The first arm is the baseline. An arm that is scored by
another system says so: `--arm before system=student_arf`. Each arm and seed gets a run folder `OUT/NAME-SEED`. A folder
begins as a copy of one that is done, so only the stages that a setting changes are run again. The same command goes on
where it was stopped.

All students take as many optimiser steps as those of the first arm with the same seed (or `--steps`): where an arm has
more or fewer rows, its epochs are changed.

It prints a table: each metric with its interval, and its difference from the first arm, paired by seed and
conversation. The bootstrap and the test draw conversations, with the summaries of all seeds. So the interval says how
much depends on the conversations. The means by seed beside it say how much depends on chance in training. The last line
is JSON. After each seed but the last the table so far stands on stderr.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from arf_programs.config import ARMS, PREFERENCE_STUDENTS, load_config
from arf_programs.metrics import METRICS, Comparison, Interval, Resampling, compare, with_holm
from arf_programs.runs import RunFolder, read_jsonl
from signatures.exceptions import ArfError
from signatures.records import Score

SHOWN = ("errors_per_summary", "error_rate", "rougeL", "words")
Scores = dict[str, Score]  # by seed and conversation
Stage = Literal["tuning", "preference"]


@dataclass(frozen=True)
class Arm:
    """One way to run the configuration: its name, its settings, and the system whose summaries are compared."""

    name: str
    settings: tuple[str, ...]
    system: str


@dataclass
class Outcome:
    """What an arm gave on all seeds; `steps` are the optimiser steps of each seed's students."""

    scores: Scores = field(default_factory=dict)
    clusters: dict[str, str] = field(default_factory=dict)
    steps: list[dict[str, int]] = field(default_factory=list)

    def add(self, seed: int, folder: RunFolder, system: str) -> None:
        """Read the scores of a system in a finished run."""
        found = [row for row in read_jsonl(folder.scores, Score) if row.system == system]
        if not found:
            raise SystemExit(f"{folder.path}: no score of {system}: name another system, or switch it on.")
        self.scores |= {f"{seed} {row.conversation_id}": row for row in found}
        self.clusters |= {f"{seed} {row.conversation_id}": row.conversation_id for row in found}
        taken = steps_taken(folder)
        self.steps.append({name: taken[name] for name in stages_of(folder, system).values() if name in taken})


def read_arms(given: Sequence[Sequence[str]], system: str) -> list[Arm]:
    """Read the arms of the command line. Raises SystemExit for a name or a setting that is none."""
    arms = []
    for name, *settings in given:
        wrong = [item for item in settings if "=" not in item]
        if wrong or not re.fullmatch(r"[\w.-]+", name):
            raise SystemExit(f"--arm {name}: give a name of letters, then KEY=VALUE ...: {wrong or name}")
        named = dict(item.split("=", 1) for item in settings)
        kept = tuple(item for item in settings if not item.startswith("system="))
        arms.append(Arm(name, kept, named.get("system", system)))
    if len({arm.name for arm in arms}) < len(arms):
        raise SystemExit("--arm: two arms have the same name.")
    return arms


def steps_taken(folder: RunFolder) -> dict[str, int]:
    """{student: optimiser steps} of a run."""
    logs = sorted(folder.student.glob("*/training_log.json"))
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8"))["steps"] for path in logs}


def stages_of(folder: RunFolder, system: str) -> dict[Stage, str]:
    """The student of each stage of training that leads to a system; students of other arms do not count."""
    name = system.removeprefix("student_")
    preferred = PREFERENCE_STUDENTS.get(load_config(folder.config).train.preference.method)
    tuned = name if name in ARMS else "arf"
    return {"tuning": tuned, "preference": preferred} if preferred else {"tuning": tuned}


def equal_steps(folder: RunFolder, system: str, wanted: Mapping[Stage, int]) -> list[str]:
    """Return the settings with which the students take the wanted steps; none for those that do so already.

    The rows are those in the folder `train` of the run.
    """
    train = load_config(folder.config).train
    settings = []
    for stage, student in stages_of(folder, system).items():
        tuning = stage == "tuning"
        path = folder.train / (f"{student}.jsonl" if tuning else "preference.jsonl")
        rows = len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0
        in_epoch = math.ceil(rows / (train.batch_size * train.gradient_accumulation))
        epochs = train.epochs if tuning else train.preference.epochs
        # transformers rounds the steps of all epochs up.
        if stage in wanted and in_epoch and math.ceil(epochs * in_epoch) != wanted[stage]:
            key = "train.epochs" if tuning else "train.preference.epochs"
            settings.append(f"{key}={(wanted[stage] - 0.5) / in_epoch:.6f}")
    return settings


def begin(folder: Path, earlier: Path | None) -> None:
    """Let a folder begin as a copy of an earlier run, which shares most of its stages and answers."""
    if folder.exists() or earlier is None:
        return
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(earlier, part)
    part.rename(folder)


def run_arm(config: Path, folder: RunFolder, arm: Arm, settings: Sequence[str], wanted: dict[Stage, int]) -> None:
    """Run the configuration to its report, with the wanted steps of each stage; the first run adds its own to them.

    Raises SystemExit where a command fails.
    """
    chosen = [part for item in settings for part in ("--set", item)]
    common = [str(config), "--run-dir", str(folder.path)]
    if wanted:
        call("arf_programs.cli.app", "revise", *common, *chosen)
        call("training.build", "--run-dir", str(folder.path))
        chosen += [part for item in equal_steps(folder, arm.system, wanted) for part in ("--set", item)]
    call("arf_programs.cli.app", "run", *common, *chosen)
    taken = steps_taken(folder)
    for stage, student in stages_of(folder, arm.system).items():
        if student in taken and wanted.setdefault(stage, taken[student]) != taken[student]:
            raise SystemExit(
                f"{folder.path}: {student} took {taken[student]} steps, and {wanted[stage]} are wanted: "
                "set train.on_overflow to fail, so that no row is left out."
            )


def call(module: str, *arguments: str) -> None:
    """Run a module. Its own messages say what failed."""
    done = subprocess.run([sys.executable, "-m", module, *arguments], check=False, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(done.returncode)


def ablate(options: argparse.Namespace) -> dict[str, Outcome]:
    """Run every arm with every seed."""
    arms = read_arms(options.arm, options.system)
    outcomes = {arm.name: Outcome() for arm in arms}
    earlier: Path | None = None
    for seed in options.seeds:
        wanted: dict[Stage, int] = {"tuning": options.steps, "preference": options.steps} if options.steps else {}
        for arm in arms:
            folder = RunFolder(options.out / f"{arm.name}-{seed}")
            begin(folder.path, earlier)
            run_arm(options.config, folder, arm, [f"seed={seed}", *options.set, *arm.settings], wanted)
            outcomes[arm.name].add(seed, folder, arm.system)
            earlier = folder.path if arm is arms[0] else earlier
        if seed != options.seeds[-1]:
            print(f"so far, up to seed {seed}:\n{tabulate(outcomes, options)[0]}\n", file=sys.stderr)
    return outcomes


def tabulate(outcomes: Mapping[str, Outcome], options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Compare the arms. Return the table, and its figures for machines."""
    metrics, by = options.metric or list(SHOWN), Resampling()
    compared = compare_arms(outcomes, metrics, by)
    return table(outcomes, compared, metrics, by), as_json(outcomes, compared, metrics, by)


def compare_arms(outcomes: Mapping[str, Outcome], metrics: Sequence[str], resampling: Resampling) -> list[Comparison]:
    """Compare each arm with the first, paired by seed and conversation, with Holm's correction over all."""
    (base, baseline), *others = outcomes.items()
    rows = [
        row
        for name, outcome in others
        for row in compare(name, outcome.scores, base, baseline.scores, clustered(resampling, outcome, baseline))
        if row.metric in metrics
    ]
    return with_holm(rows)


def clustered(resampling: Resampling, *outcomes: Outcome) -> Resampling:
    """Return settings that draw conversations, with the summaries of all seeds."""
    clusters = {key: name for outcome in outcomes for key, name in outcome.clusters.items()}
    return Resampling(resampling.samples, resampling.confidence, resampling.seed, clusters)


def mean(outcome: Outcome, metric: str, resampling: Resampling) -> Interval | None:
    """The mean of a metric over seeds and conversations."""
    values = {key: METRICS[metric].read(score) for key, score in outcome.scores.items()}
    kept = {key: float(value) for key, value in values.items() if value is not None}
    return clustered(resampling, outcome).mean(kept)


def by_seed(outcome: Outcome, metric: str) -> list[float]:
    """The mean of a metric with each seed."""
    seeds: dict[str, list[float]] = {}
    for key, score in outcome.scores.items():
        value = METRICS[metric].read(score)
        if value is not None:
            seeds.setdefault(key.split(" ", 1)[0], []).append(float(value))
    return [fmean(values) for values in seeds.values()]


def table(
    outcomes: Mapping[str, Outcome], compared: Sequence[Comparison], metrics: Sequence[str], by: Resampling
) -> str:
    """Return a Markdown table: a line for each metric and arm."""
    base = next(iter(outcomes))
    lines = [f"| metric | arm | mean | by seed | less `{base}` | p | Holm | steps |", "| --- " * 8 + "|"]
    differences = {(row.metric, row.a): row for row in compared}
    for metric in metrics:
        for name, outcome in outcomes.items():
            interval = mean(outcome, metric, by)
            if interval is None:
                continue
            row = differences.get((metric, name))
            seeds = ", ".join(f"{value:.2f}" for value in by_seed(outcome, metric))
            less = "" if row is None else f"{row.difference:+.3f} ({row.low:+.3f} to {row.high:+.3f})"
            p, holm = ("" if value is None else f"{value:.3f}" for value in (row and row.p, row and row.p_holm))
            lines.append(
                f"| {metric} | `{name}` | {interval.text()} | {seeds} | {less} | {p} | {holm} | {said(outcome)} |"
            )
    return "\n".join(lines)


def said(outcome: Outcome) -> str:
    """The steps of the students, once if they are the same with all seeds."""
    distinct = dict.fromkeys(", ".join(f"{name} {count}" for name, count in steps.items()) for steps in outcome.steps)
    return "; ".join(distinct)


def as_json(
    outcomes: Mapping[str, Outcome], compared: Sequence[Comparison], metrics: Sequence[str], by: Resampling
) -> dict[str, Any]:
    """The figures of the table, for machines."""
    arms = {
        name: {
            "steps": outcome.steps,
            "metrics": {
                metric: {**interval.model_dump(), "by_seed": by_seed(outcome, metric)}
                for metric in metrics
                if (interval := mean(outcome, metric, by))
            },
        }
        for name, outcome in outcomes.items()
    }
    return {"arms": arms, "comparisons": [row.model_dump(mode="json") for row in compared]}


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line, run the arms and print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("config", type=Path, help="an arf.yaml")
    add("--out", type=Path, required=True, help="folder of the runs")
    add(
        "--arm", nargs="+", action="append", required=True, metavar="NAME KEY=VALUE", help="an arm; the first: baseline"
    )
    add("--seeds", type=int, nargs="+", default=[17, 18, 19])
    add("--system", default="student_arf", help="whose summaries are compared")
    add("--steps", type=int, help="optimiser steps of each student; default: those of the first arm")
    add("--metric", action="append", choices=list(METRICS), help=f"again for another; default: {', '.join(SHOWN)}")
    add("--set", action="append", default=[], help="settings of all arms, as for `arf run`")
    options = parser.parse_args(argv)
    try:
        outcomes = ablate(options)
    except ArfError as error:
        raise SystemExit(f"error: {error}") from None
    shown, figures = tabulate(outcomes, options)
    print(shown)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
