"""`arf improve`: rounds in which a student is trained again, on what it got wrong on the dev side.

A round has four stages, with manifests like those of the pipeline: patterns of errors, training pairs for them, a new
student, and its figures. They never read the holdout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from arf_programs.config import Config
from arf_programs.models import check_providers, check_terms
from arf_programs.pipeline import run_until
from arf_programs.runs import Run, private_files, read_record
from arf_programs.stages import Stage, own_model, run_stage, state_of
from arf_programs.tools.rounds.records import Round, RoundFigures, read_patterns
from arf_programs.tools.rounds.stages import ARM, stages_of
from signatures.exceptions import ConfigError, DataError


@dataclass(frozen=True)
class Improved:
    """The figures of all rounds, and the student that is left after them."""

    rounds: tuple[RoundFigures, ...]
    student: Path


def holdout_setting(run: Run, student: Path) -> str:
    """Return the setting with which `arf evaluate` scores `student`, asked as the students of the run are."""
    model = own_model(run, str(student)).model_dump(mode="json", exclude={"concurrency"}, exclude_defaults=True)
    return f"evaluate.systems.improved={json.dumps(model)}"


@private_files()
def improve(run: Run, rounds: int, *, untargeted: bool = False) -> Improved:
    """Do rounds 1 to `rounds`.

    Each begins with the student that the round before has left. A whole round is not done again.

    With `untargeted`, the baseline, as many training pairs are made, of random conversations and details. It ends early
    if there is no pattern of errors. Raises ConfigError without a dev side or without arm `arf`, and what the stages
    raise.
    """
    if not run.config.corpus.dev:
        raise ConfigError(
            "corpus.dev: is 0, so no conversations are kept in which the student's errors could be looked for: set it "
            "to a share such as 0.2 (the stages after it run again)"
        )
    refuse_without_arm(run.config, "improve")
    run_until(run, "train")
    done: list[RoundFigures] = []
    student = run.folder.student / ARM
    rows: tuple[Path, ...] = (run.folder.train / f"{ARM}.jsonl",)
    for number in range(1, rounds + 1):
        this = Round(run.folder, number, untargeted, student, rows)
        if not _do(run, this):
            run.progress.say(f"round {number}: there is no pattern of errors to learn from")
            break
        figures = read_record(this.figures, RoundFigures)
        if figures is None:
            raise DataError(f"{this.figures}: cannot be read: remove it, and run the same command again")
        done.append(figures)
        if figures.kept:
            student = this.student
            rows = (*rows, this.augmented)
    return Improved(tuple(done), student)


def refuse_without_arm(config: Config, command: str) -> None:
    """Raise ConfigError if the run has no student of arm `arf`."""
    if ARM not in config.train.arms:
        raise ConfigError(f"train.arms: `arf {command}` looks at the student of arm {ARM}: add {ARM}")


def _do(run: Run, this: Round) -> bool:
    """Do the stages of a round that are not whole. Return False if there is nothing to learn from."""
    first, *others = stages_of(this)
    do_stage(run, first)
    if not read_patterns(this.patterns):
        return False
    for stage in others:
        do_stage(run, stage)
    return True


def do_stage(run: Run, stage: Stage) -> None:
    """Do a stage that is not whole. Raises what it raises, and UserError for models without address, key or terms."""
    state = state_of(stage, run)
    if state.state == "whole":
        run.progress.say(f"{stage.name}: whole{', ' + state.why if state.why else ''}")
        return
    run.progress.say(f"{stage.name}: {stage.does}")
    check_providers(stage.asks(run.config))
    check_terms(run.config)
    manifest = run_stage(stage, run)
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    run.progress.say(f"  {counts} ({manifest.seconds:.0f} s)")
