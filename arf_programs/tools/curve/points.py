"""The points of a curve: each trains and scores a student in a run folder of its own, with its own manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arf_programs.config import Arm, ModelConfig, PreferenceConfig
from arf_programs.models import close_models
from arf_programs.runs import (
    Manifest,
    Run,
    RunFolder,
    SplitConversation,
    draw_key,
    make_private_folder,
    read_jsonl,
    read_record,
    save_config,
    write_jsonl_atomic,
)
from arf_programs.stages import EVALUATE, TRAIN, Stage, run_stage, state_of, student_name
from signatures.exceptions import DataError
from signatures.records import Revision, Score

ARM: Arm = "arf"
# What students are built and scored from, beside the conversations. The ledger is that of the run, so its budget holds.
_SHARED = (
    *("drafts.jsonl", "taxonomy.yaml", "calibration.json", "revisions.jsonl", "revisions_samples.jsonl", "reviews"),
    *("pseudonyms.jsonl", "labeled_pseudonyms.jsonl", "sent.jsonl"),
)


@dataclass(frozen=True)
class Point:
    """A student of `size` conversations: the first of the order that seed number `seed` (from 0) gives.

    It is trained on at most `revisions` of each draft; on all if that is None.
    """

    fraction: float
    size: int
    seed: int
    revisions: int | None = None

    @property
    def name(self) -> str:
        return f"{self.fraction:g}-seed{self.seed}" + (f"-{self.revisions}revisions" if self.revisions else "")


def points_of(fractions: Sequence[float], seeds: int, conversations: int, revisions: int | None = None) -> list[Point]:
    """Return the points, seed by seed, each from the smallest to the largest.

    Raises DataError if two fractions of so few conversations have the same size, or one has none.
    """
    sizes = [round(fraction * conversations) for fraction in fractions]
    if len(set(sizes)) < len(sizes) or sizes[0] < 1:
        shown = ", ".join(f"{fraction:g} is {size}" for fraction, size in zip(fractions, sizes, strict=True))
        raise DataError(
            f"--fractions: {conversations} training conversations are too few to tell these fractions apart ({shown}): "
            "name others, or read more conversations"
        )
    return [
        Point(fraction, size, seed, revisions)
        for seed in range(seeds)
        for fraction, size in zip(fractions, sizes, strict=True)
    ]


def in_order(run: Run, seed: int) -> list[str]:
    """Order the training conversations by a hash of seeds and id, so that a smaller part is within each larger one."""
    return sorted(run.conversations("train"), key=lambda name: draw_key(f"{run.config.seed}/{seed}", name))


def score_point(run: Run, point: Point) -> tuple[dict[str, Score], float]:
    """Train and score the student of a point, unless it is done. Return the scores by conversation, and the seconds.

    The student's seed is that of the run plus the point's number. Everything else is the run's, its stored answers too,
    so what all points have in common is asked once. Raises what the stages raise.
    """
    scored = run_of_students(run, RunFolder(run.folder.curve_points / point.name))
    link_shared(run.folder, scored.folder)
    _write_conversations(run, scored.folder, point)
    if point.revisions:
        _write_revisions(run, scored.folder, point.revisions)
    save_config(scored)
    trained = replace(scored, config=scored.config.model_copy(update={"seed": run.config.seed + point.seed}))
    for stage, own in ((TRAIN, trained), (EVALUATE, scored)):
        _do(stage, own, point)
    close_models()
    rows = (row for row in read_jsonl(scored.folder.scores, Score) if row.system == student_name(ARM))
    manifest = read_record(scored.folder.manifest(TRAIN.name), Manifest)
    return {row.conversation_id: row for row in rows}, manifest.seconds if manifest else 0.0


def _do(stage: Stage, run: Run, point: Point) -> None:
    most = f", at most {point.revisions} of the revisions of a draft" if point.revisions else ""
    what = f"{point.fraction:g} of the conversations ({point.size}){most}, seed {point.seed}: {stage.name}"
    if state_of(stage, run).state == "whole":
        run.progress.say(f"{what}: whole")
    else:
        run.progress.say(what)
        run_stage(stage, run)


def run_of_students(run: Run, folder: RunFolder, systems: Mapping[str, ModelConfig] | None = None) -> Run:
    """Return a run in `folder` that scores the student of one arm, and `systems`, as the run scores its own students.

    No other system is scored, and no pairs are compared.
    """
    config = run.config
    base = {name: model for name, model in config.evaluate.serve.items() if name == "base"}
    only = {"reviser": False, "pairwise": False, "pairs": (), "systems": systems or {}, "serve": base}
    changes = {
        "run_dir": folder.path,
        "calls_dir": run.calls.resolve(),
        "train": config.train.model_copy(update={"arms": (ARM,), "preference": PreferenceConfig()}),
        "evaluate": config.evaluate.model_copy(update=only),
    }
    return replace(run, folder=folder, config=config.model_copy(update=changes))


def link_shared(run: RunFolder, point: RunFolder, more: Sequence[str] = ()) -> None:
    """Link the files of the run into the folder of a point, and those named in `more`."""
    make_private_folder(point.path, holds=point.config.name)
    for name in (*_SHARED, *more):
        if (run / name).exists():
            _link(point / name, run / name)
    run.ledger.touch()
    _link(point.ledger, run.ledger)


def _link(place: Path, target: Path) -> None:
    if place.is_symlink() or place.exists():
        place.unlink()
    place.symlink_to(target.resolve())


def _write_conversations(run: Run, folder: RunFolder, point: Point) -> None:
    chosen = set(in_order(run, point.seed)[: point.size])

    def rows() -> Iterator[SplitConversation]:
        for row in read_jsonl(run.folder.conversations, SplitConversation):
            if row.split == "holdout" or row.conversation.id in chosen:
                yield row

    write_jsonl_atomic(folder.conversations, rows())


def most_revisions(run: Run) -> int:
    """Return the largest number of revisions of one draft that a student is trained on."""
    further = Counter(row.conversation_id for row in _further(run))
    return 1 + max(further.values(), default=0)


def _further(run: Run) -> Iterator[Revision]:
    """Read the revisions of arm `arf` beyond the first of each draft."""
    if not run.config.samples_revisions:
        return
    for row in read_jsonl(run.folder.revision_samples, Revision):
        if row.strategy == run.config.revise.strategy:
            yield row


def _write_revisions(run: Run, folder: RunFolder, most: int) -> None:
    """Write the further revisions of a point, in the place of the link: the first `most` - 1 of each draft."""
    taken: Counter[str] = Counter()

    def rows() -> Iterator[Revision]:
        for row in _further(run):
            taken[row.conversation_id] += 1
            if taken[row.conversation_id] < most:
                yield row

    folder.revision_samples.unlink(missing_ok=True)  # else the run's own file would be written
    write_jsonl_atomic(folder.revision_samples, rows())
