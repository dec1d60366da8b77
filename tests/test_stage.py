import json
from pathlib import Path

import pytest

from arf_programs.runs import Manifest, read_record
from arf_programs.stages.stage import Stage, StageState, read_seconds, run_stage, state_of
from signatures.exceptions import StageError
from signatures.records import Failure


class Work:
    """A stage that writes one file, with a fingerprint to be changed."""

    def __init__(self, *, keeps_edits: bool = False) -> None:
        self.depends_on = {"input": "1"}
        self.runs = 0
        self.fails = False
        self.stage = Stage(
            "work", "works", self.outputs, lambda _: dict(self.depends_on), self.work, keeps_edits=keeps_edits
        )

    def outputs(self, run) -> tuple[Path, ...]:
        return (run.folder / "out.txt",)

    def work(self, run) -> dict[str, int]:
        self.runs += 1
        if self.fails:
            raise StageError("broken")
        run.folder.path.mkdir(exist_ok=True)
        (run.folder / "out.txt").write_text("made")
        return {"things": 3}


@pytest.fixture
def work() -> Work:
    return Work()


def test_a_stage_is_missing_until_it_ran_to_its_end(make_run, work):
    run = make_run()
    assert state_of(work.stage, run) == StageState("missing", "it has not run to its end")
    manifest = run_stage(work.stage, run)
    assert manifest.counts == {"things": 3}
    assert manifest.fingerprint == {"input": "1"}
    assert state_of(work.stage, run) == StageState("whole")


def test_a_stage_that_failed_has_no_manifest_but_its_time(make_run, work):
    run = make_run()
    run_stage(work.stage, run)
    work.fails = True
    with pytest.raises(StageError):
        run_stage(work.stage, run)
    assert state_of(work.stage, run).state == "missing"
    assert read_seconds(run.folder.path / "manifests" / "work.seconds") >= 0


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ({"input": "2"}, "changed since: input"),
        ({"input": "1", "more": "1"}, "changed since: more"),
        ({}, "changed since: input"),
        ({"a": "1", "b": "2"}, "changed since: a, b, input"),
    ],
)
def test_a_stale_stage_says_what_changed(make_run, work, now, why):
    run = make_run()
    run_stage(work.stage, run)
    work.depends_on = now
    assert state_of(work.stage, run) == StageState("stale", why)


@pytest.mark.parametrize(
    ("before", "now", "state"),
    [
        ({}, {"corrections": "1"}, "whole"),
        ({"corrections": "1"}, {}, "whole"),
        ({"corrections": "1"}, {"corrections": "2"}, "stale"),
    ],
)
def test_corrections_that_are_spare_or_lacking_make_no_stage_stale(make_run, work, before, now, state):
    run = make_run()
    work.depends_on = {"input": "1", **before}
    run_stage(work.stage, run)
    work.depends_on = {"input": "1", **now}
    assert state_of(work.stage, run).state == state


def test_a_lost_output_is_named(make_run, work):
    run = make_run()
    run_stage(work.stage, run)
    (run.folder / "out.txt").unlink()
    assert state_of(work.stage, run) == StageState("missing", "out.txt is gone")


def test_an_edited_output_leaves_a_stage_whole(make_run, work):
    run = make_run()
    run_stage(work.stage, run)
    (run.folder / "out.txt").write_text("edited")
    assert state_of(work.stage, run) == StageState("whole")
    work.depends_on = {"input": "2"}
    assert state_of(work.stage, run).state == "stale"


def test_edits_may_be_kept_even_from_a_stale_stage(make_run):
    run, work = make_run(), Work(keeps_edits=True)
    run_stage(work.stage, run)
    work.depends_on = {"input": "2"}
    assert state_of(work.stage, run).state == "stale"
    (run.folder / "out.txt").write_text("edited")
    assert state_of(work.stage, run) == StageState("whole", "edited by hand, so kept")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"stage": "work"}', '{"unknown": 1}'])
def test_a_manifest_that_cannot_be_read_counts_as_none(make_run, work, content):
    run = make_run()
    run_stage(work.stage, run)
    run.folder.manifest("work").write_text(content)
    assert state_of(work.stage, run).state == "missing"


def test_seconds_add_up_over_runs(make_run, work):
    run = make_run()
    run_stage(work.stage, run)
    (run.folder.path / "manifests" / "work.seconds").write_text("100\n")
    assert run_stage(work.stage, run).seconds >= 100
    assert read_seconds(run.folder.path / "nowhere") == 0.0


def test_a_manifest_is_readable(make_run, work):
    run = make_run()
    written = run_stage(work.stage, run)
    assert read_record(run.folder.manifest("work"), Manifest) == written
    assert set(json.loads(run.folder.manifest("work").read_text())) >= {"stage", "fingerprint", "outputs", "seconds"}


def test_failures_are_replaced_stage_by_stage(make_run):
    folder = make_run().folder
    first = Failure(conversation_id="a", stage="draft", reason="r")
    other = Failure(conversation_id="a", stage="analyze", reason="r")
    assert folder.read_failures() == []
    folder.replace_failures("draft", [first])
    folder.replace_failures("analyze", [other])
    folder.replace_failures("draft", [])
    assert folder.read_failures() == [other]
