"""A stage of the pipeline, and whether it is whole, stale or missing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from arf_programs import __version__
from arf_programs.config import Config, ModelConfig
from arf_programs.runner import remove_checkpoints
from arf_programs.runs import Manifest, Run, RunFolder, digest_file, read_record, write_record

State = Literal["whole", "stale", "missing"]
_EXTRAS: Final = frozenset(("corrections",))
"""Parts of a fingerprint that say what a model was asked for beside the rest, and that the next stages can do without.

A stage stays whole where only one side has such a part: what was asked for needlessly does no harm, and what was not
asked for is made later.
"""


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline.

    A person may edit an output: the stage stays whole, and the stages after it become stale.

    Attributes:
        does: what the stage does, in words for the user.
        outputs: the files that `work` writes.
        fingerprint: the hashes of all that `work` depends on, by name.
        work: does the stage, and returns counts for the user.
        asks: the models that it asks under a configuration.
        keeps_edits: whether an edited output is kept even when the stage becomes stale.
        reopen: prepares `work` to do only the rows that have no result.
    """

    name: str
    does: str
    outputs: Callable[[Run], tuple[Path, ...]]
    fingerprint: Callable[[Run], dict[str, str]]
    work: Callable[[Run], dict[str, int]]
    asks: Callable[[Config], tuple[ModelConfig, ...]] = lambda _: ()
    keeps_edits: bool = False
    reopen: Callable[[Run], None] | None = None


@dataclass(frozen=True)
class StageState:
    """The state of a stage, and the reason in words."""

    state: State
    why: str = ""


def state_of(stage: Stage, run: Run) -> StageState:
    """Return whether a stage is whole. A run folder that does not exist is no error."""
    manifest = read_record(run.folder.manifest(stage.name), Manifest)
    if manifest is None:
        return StageState("missing", "it has not run to its end")
    gone = [run.folder.name_of(path) for path in stage.outputs(run) if not path.exists()]
    if gone:
        return StageState("missing", f"{', '.join(gone)} is gone")
    if stage.keeps_edits and _edited(stage, run, manifest):
        return StageState("whole", "edited by hand, so kept")
    wanted = stage.fingerprint(run)
    had = manifest.fingerprint
    changed = [name for name, value in wanted.items() if had.get(name, value if name in _EXTRAS else None) != value]
    changed += [name for name in had if name not in wanted and name not in _EXTRAS]
    if changed:
        return StageState("stale", f"changed since: {', '.join(changed)}")
    return StageState("whole")


def run_stage(stage: Stage, run: Run) -> Manifest:
    """Do a stage's work, and write its manifest last. Raises what the work raises."""
    run.folder.manifest(stage.name).unlink(missing_ok=True)
    fingerprint = stage.fingerprint(run)
    clock = StageClock(run.folder, stage.name)
    try:
        counts = stage.work(run)
    finally:
        seconds = clock.stop()
    return _finish(stage, run, fingerprint, counts, seconds)


def run_together(
    stages: tuple[Stage, ...], run: Run, work: Callable[[Run], tuple[dict[str, int], ...]]
) -> tuple[Manifest, ...]:
    """Do the work of consecutive stages in one stream. The time of all is booked to the first."""
    for stage in stages:
        run.folder.manifest(stage.name).unlink(missing_ok=True)
    # What the stages read is hashed before they read it: a file that somebody edits meanwhile makes them stale.
    read = [stage.fingerprint(run) for stage in stages]
    clock = StageClock(run.folder, stages[0].name)
    try:
        counts = work(run)
    finally:
        seconds = clock.stop()
    times = [seconds, *(0.0 for _ in stages[1:])]
    return tuple(
        _finish(stage, run, _with_written(fingerprint, stages, run, stage), count, time)
        for stage, fingerprint, count, time in zip(stages, read, counts, times, strict=True)
    )


def _with_written(fingerprint: dict[str, str], stages: tuple[Stage, ...], run: Run, stage: Stage) -> dict[str, str]:
    """Return the fingerprint with the present hashes of files that the stages themselves wrote."""
    present = stage.fingerprint(run)
    written = {run.folder.name_of(path) for other in stages for path in other.outputs(run)}
    return fingerprint | {name: value for name, value in present.items() if name in written}


def _finish(stage: Stage, run: Run, fingerprint: dict[str, str], counts: dict[str, int], seconds: float) -> Manifest:
    manifest = Manifest(
        stage=stage.name,
        arf_version=__version__,
        fingerprint=fingerprint,
        outputs={run.folder.name_of(item): digest_file(item) for item in stage.outputs(run)},
        counts=counts,
        seconds=seconds,
    )
    write_record(run.folder.manifest(stage.name), manifest)
    remove_checkpoints(run.folder.parts, stage.name)
    return manifest


class StageClock:
    """Counts the seconds that a stage takes in all its runs, in a file of the run's folder."""

    def __init__(self, folder: RunFolder, stage: str) -> None:
        self._path = folder.path / "manifests" / f"{stage}.seconds"
        self._start = time.monotonic()

    def stop(self) -> float:
        """Add the time since the start, and return the total."""
        total = read_seconds(self._path) + time.monotonic() - self._start
        with suppress(OSError):  # a stage that a full disk has stopped says so itself
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(f"{total:.3f}\n", encoding="utf-8")
        return total


def read_seconds(path: Path) -> float:
    """Return the total that a StageClock wrote, or 0."""
    try:
        return float(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return 0.0


def _edited(stage: Stage, run: Run, manifest: Manifest) -> bool:
    return any(
        manifest.outputs.get(run.folder.name_of(path)) not in (None, digest_file(path)) for path in stage.outputs(run)
    )
