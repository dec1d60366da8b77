"""`arf federate`: sites train where their rows lie, their adapters are averaged, and all students are scored.

A result has a folder of its own, a run folder in which the students are further systems of `evaluate`. It is named
after what the students depend on, so a changed setting makes another one, and the old one stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from arf_programs.models import close_models
from arf_programs.pipeline import run_until
from arf_programs.runs import (
    Run,
    RunFolder,
    digest,
    digest_file,
    private_files,
    read_jsonl,
    save_config,
)
from arf_programs.stages import EVALUATE, REPORT, TRAIN, Stage, own_model, run_stage, state_of
from arf_programs.tools.curve import link_shared, run_of_students
from arf_programs.tools.federate.averaging import METHODS, Weights
from arf_programs.tools.federate.sites import ARM, LOG, WEIGHTS, SiteTrainer, rows_by_site
from signatures.exceptions import ConfigError, MissingExtra
from signatures.records import TrainingExample

_LINKED: Final = ("conversations.jsonl", "errors.jsonl", "student")


@dataclass(frozen=True)
class Federation:
    """The sites with their numbers of rows, and the run whose further systems are the students."""

    sites: dict[str, int]
    scored: Run


@private_files()
def federate(run: Run, by: str, rounds: int, pull: float) -> Federation:
    """Train the sites alone and by every method, and score all students on the holdout. What is whole is not repeated.

    The stages up to `train` are done first. Raises MissingExtra without Flower, ConfigError and DataError for what the
    user can mend, and WorkError for what failed at work.
    """
    if find_spec("flwr") is None:
        raise MissingExtra(
            "`arf federate` needs Flower, which does not go with all versions of constraints.txt: in an environment of "
            "its own, pip install 'arf-programs[federate]'"
        )
    if ARM not in run.config.train.arms:
        raise ConfigError(f"train.arms: `arf federate` trains on the rows of arm {ARM}: add {ARM}")
    if run.config.train.method == "full":
        raise ConfigError("train.method: `arf federate` averages adapters, and full trains none: set it to lora")
    run_until(run, "train")
    rows = run.folder.train / f"{ARM}.jsonl"
    conversations = run.conversations("train")
    sites = rows_by_site(read_jsonl(rows, TrainingExample), conversations, by, run.config.train.batch_size)
    depends = {
        "--by": digest([by, {name: [row.conversation_id for row in part] for name, part in sites.items()}]),
        "--rounds": digest(rounds),
        "--pull": digest(pull),
        rows.name: digest_file(rows),
        **{key: TRAIN.fingerprint(run)[key] for key in ("train", "seed")},
    }
    scored = _scored_run(run, RunFolder(run.folder.federated / digest(depends)), list(sites))
    trainer, students = SiteTrainer(run, run.folder.federated / "sites", sites), scored.folder / "students"

    def train(_: Run) -> dict[str, int]:
        _train_all(trainer, students, rounds, pull)
        return {"students": len(METHODS) + len(sites)}

    does = f"train {len(sites)} sites, alone and in {rounds} rounds"
    stage = Stage("federate", does, lambda _: (students,), lambda _: depends, train)
    for each in (stage, EVALUATE, REPORT):
        if state_of(each, scored).state != "whole":
            run.progress.say(f"{each.name}: {each.does}")
            run_stage(each, scored)
    return Federation({name: len(part) for name, part in sites.items()}, scored)


def _scored_run(run: Run, folder: RunFolder, sites: Sequence[str]) -> Run:
    """Return the run that scores the students. Its `student_arf` is that of the run, trained on the rows of all."""
    link_shared(run.folder, folder, _LINKED)
    systems = {
        name: own_model(run, str((folder / "students" / name).resolve()))
        for name in (*METHODS, *(f"alone_{site}" for site in sites))
    }
    scored = run_of_students(run, folder, systems)
    save_config(scored)
    return scored


def _train_all(trainer: SiteTrainer, students: Path, rounds: int, pull: float) -> None:
    """Write the student of each site alone, which trains as long as the rounds do together, and of each method."""
    import safetensors.numpy

    from arf_programs.tools.federate.flower import LocalGrid, run_rounds

    shutil.rmtree(students, ignore_errors=True)
    sites, epochs = list(trainer.sites), trainer.run.config.train.epochs
    for site in sites:
        shutil.copytree(trainer.train(site, f"alone: {site}", epochs), students / f"alone_{site}")
    for name, method in METHODS.items():

        def train(context: Any, start: Weights, towards: Weights, pull: float, name: str = name) -> tuple[Weights, int]:
            site = str(context.node_config["site"])
            return trainer.answer(site, f"{name}: {site}", epochs / rounds, start, towards, pull)

        average = run_rounds(LocalGrid(train, sites), method, rounds, pull, len(sites))
        unlike = shutil.ignore_patterns(WEIGHTS, LOG)
        shutil.copytree(students / f"alone_{sites[0]}", students / name, ignore=unlike)
        safetensors.numpy.save_file(average, students / name / WEIGHTS)
    close_models()
