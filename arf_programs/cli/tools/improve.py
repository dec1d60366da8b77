"""Students trained otherwise than by `arf train`, and what makes one fail.

`arf improve` trains the student further on what it gets wrong. `arf stress` searches for what makes it fail. `arf
federate` says what a student loses if the conversations stay at several sites.
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    ConfigPath,
    Json,
    Limit,
    RunDir,
    Set,
    Verbose,
    opened_run,
    print_figures,
    print_json,
    print_lines,
    print_table,
)

if TYPE_CHECKING:
    from arf_programs.tools.rounds import RoundFigures

Rounds = Annotated[int, typer.Option("--rounds", min=1, max=20, help="Do N rounds; those that are whole are kept.")]
Untargeted = Annotated[
    bool, typer.Option("--untargeted", help="Make as many training pairs of random details instead: the baseline.")
]
Tries = Annotated[int, typer.Option("--tries", min=1, max=100_000, help="Try N harder conversations.")]
TrainProposer = Annotated[
    bool, typer.Option("--train-proposer", help="Then train models.proposer on which of its proposals failed (DPO).")
]
AtRandom = Annotated[bool, typer.Option("--random", help="Choose the operators at random instead: the baseline.")]


def improve(
    config: ConfigPath,
    rounds: Rounds = 1,
    untargeted: Untargeted = False,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train the student again, on pairs made for what it gets wrong on the dev side (corpus.dev)."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.tools.rounds import holdout_setting
        from arf_programs.tools.rounds import improve as improve_student

        improved = improve_student(run, rounds, untargeted=untargeted)
        if as_json:
            done = [figures.model_dump(mode="json") for figures in improved.rounds]
            print_json({"ok": True, "student": str(improved.student), "rounds": done})
            return
        for figures in improved.rounds:
            _show_patterns(figures)
            print_lines(*_lines(figures))
        print_lines(f"The student that is left: {improved.student}")
        if any(figures.kept for figures in improved.rounds):
            setting = shlex.quote(holdout_setting(run, improved.student))
            print_lines(f"On the holdout: arf evaluate CONFIG --set {setting}")


def _show_patterns(figures: RoundFigures) -> None:
    kind = ", untargeted" if figures.untargeted else ""
    print_figures(
        f"round {figures.round}{kind}: errors on dev",
        ("pattern",),
        ("pairs", "before", "after"),
        [(item.name, str(item.pairs), str(item.before), str(item.after)) for item in figures.patterns],
    )


def _lines(figures: RoundFigures) -> list[str]:
    verdict = "kept" if figures.kept else "not kept, since it makes more errors"
    return [
        f"{figures.pairs} training pairs added. {figures.conversations} dev conversations.",
        f"Errors per summary: {figures.errors_before.text()} before, {figures.errors_after.text()} after, "
        f"difference {figures.more_errors.text('+.2f')}, p = {figures.p:.2f}.",
        f"Summaries with an error: {figures.flawed_before.text('.0%')} before, {figures.flawed_after.text('.0%')} "
        f"after, difference {figures.points.text('+.0f')} points.",
        f"The new student is {verdict}: {figures.student_after}",
    ]


def stress(
    config: ConfigPath,
    tries: Tries = 100,
    at_random: AtRandom = False,
    train_proposer: TrainProposer = False,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Search for harder conversations on which the student fails: a regression suite, and training rows."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.text import readable
        from arf_programs.tools.rounds import stress as search
        from arf_programs.tools.rounds import stress_folder

        figures = search(run, tries, at_random=at_random, train_proposer=train_proposer)
        folder = stress_folder(run, at_random=at_random)
        if as_json:
            print_json({"ok": True, "folder": str(folder), **figures.model_dump(mode="json")})
            return
        print_figures(
            f"operators chosen by: {figures.chosen}",
            ("operator",),
            ("tries", "failures", "refused"),
            [
                (readable(name), *map(str, (outcome.tries, outcome.failures, outcome.refused)))
                for name, outcome in figures.operators.items()
            ],
        )
        print_lines(
            f"{figures.failures} failures in {figures.tries} tries, of {len(figures.kinds)} kinds.",
            f"A corpus of those that failed: {folder / 'hard.jsonl'}; rows to train on: {folder / 'train.jsonl'}",
        )
        if run.config.models.proposer:
            print_lines(f"Pairs of proposals: {folder / 'proposals.jsonl'}")
        if train_proposer:
            print_lines(f"The trained proposer: set models.proposer to embedded/{folder / 'proposer'}")


By = Annotated[
    str, typer.Option("--by", metavar="KEY", help="What names the site of a conversation: metadata.KEY, or channel.")
]
Averages = Annotated[int, typer.Option("--rounds", min=1, max=100, help="Average N times; rounds share train.epochs.")]
Pull = Annotated[
    float, typer.Option("--pull", min=0.0, help="Strength mu of the pull of fedprox and projected (default 0.1).")
]


def federate(
    config: ConfigPath,
    by: By,
    rounds: Averages = 2,
    pull: Pull = 0.1,
    run_dir: RunDir = None,
    overrides: Set = None,
    limit: Limit = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Train at each site on its own conversations, average the adapters, and compare with one training on all."""
    with opened_run(config, run_dir, overrides, limit, as_json=as_json, verbose=verbose, locked=True) as run:
        from arf_programs.cli.output import systems_table
        from arf_programs.tools.federate import federate as train_sites

        done = train_sites(run, by, rounds, pull)
        folder = done.scored.folder
        summary = json.loads(folder.summary.read_text(encoding="utf-8"))
        if as_json:
            figures = summary["evaluate"]
            print_json({"ok": True, "run_dir": str(folder.path), "sites": done.sites, **figures})
            return
        sites = ", ".join(f"{name} {rows}" for name, rows in done.sites.items())
        print_table(systems_table(summary, run.config.evaluate.confidence))
        print_lines(
            f"Training rows: {sites}. student_arf is trained on the rows of all sites together.",
            "Averaging alone is no privacy guarantee: weights can give away what they were trained on.",
            f"Students: {folder / 'students'}",
            f"Report: {folder.report}",
        )
