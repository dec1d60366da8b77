import io
import json
import re
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from arf_programs.cli.output import _progress_line
from arf_programs.runs import Run, progress
from arf_programs.runs.folder import RunFolder
from arf_programs.runs.progress import Progress
from arf_programs.stages.train import _place_of, _show_steps


def make_progress(*, terminal=False, quiet=False) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    return Progress(console, quiet=quiet), out


def test_lines_are_printed_as_they_are():
    shown, out = make_progress()
    shown.say("[red]not markup[/red] " + "x" * 200)
    assert out.getvalue() == "[red]not markup[/red] " + "x" * 200 + "\n"


def test_quiet_says_nothing(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    shown, out = make_progress(quiet=True)
    shown.say("hello")
    with shown.task("draft", total=2):
        shown.advance()
    assert out.getvalue() == ""


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch):
    shown, out = make_progress()
    with shown.task("draft", total=3):
        shown.advance()
        assert out.getvalue() == ""
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
        shown.advance(failed=1)
        shown.advance(note="loss 1.25")
    assert out.getvalue().splitlines() == ["  draft: 2/3, 1 failed", "  draft: 3/3, loss 1.25"]


def test_a_terminal_has_a_bar_that_goes_away():
    shown, out = make_progress(terminal=True)
    with shown.task("draft", total=2):
        shown.advance(failed=1)
        shown.advance(failed=1)
    assert "draft" in out.getvalue()
    assert "2/2" in out.getvalue()
    shown.advance()  # after the task there is no bar to move


def test_a_task_without_steps_shows_nothing():
    shown, out = make_progress(terminal=True)
    with shown.task("draft", total=0):
        pass
    assert out.getvalue() == ""


def test_the_bar_is_gone_after_an_error():
    shown, _ = make_progress(terminal=True)
    try:
        with shown.task("draft", total=2):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with shown.task("analyze", total=1):
        shown.advance()


def test_a_wait_is_told_too(monkeypatch):
    shown, out = make_progress()
    with shown.task("draft", total=3):
        shown.refresh("64 in flight")
        assert out.getvalue() == ""
        monkeypatch.setattr(progress, "_SECONDS_OF_SILENCE", 0.0)
        shown.refresh("64 in flight")
    assert out.getvalue() == "  draft: 0/3, 64 in flight\n"


def test_time_and_money_left_are_shown_and_kept_while_nothing_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.01)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    shown, out = make_progress()
    with shown.task("draft", total=4):
        file = progress.StatusFile(tmp_path / "progress.json", "draft", 4, lambda: 2.0, shown)
        file.advance(failed=0, in_flight=2, fresh=True)
        while not (tmp_path / "progress.json").exists():
            pass
        file.advance(failed=1, in_flight=1, fresh=True)
        file.advance(failed=1, in_flight=1, fresh=True)
        file.end(whole=False)
    (_, second, third) = out.getvalue().splitlines()
    assert second.startswith("  draft: 2/4, 1 failed, 1 in flight, ")
    assert second.endswith("rows/s, 2.00 USD")  # two rows say too little for an estimate
    assert third.endswith("rows/s, 2.00 USD, about 0 s and 0.67 USD left")
    now = progress.RunStatus.model_validate_json((tmp_path / "progress.json").read_text())
    assert (now.done, now.failed, now.total, now.usd_left) == (2, 1, 4, pytest.approx(2 / 3))
    again = progress.StatusFile(tmp_path / "progress.json", "draft", 4, lambda: 2.0, shown)
    again.end(whole=True)
    assert not (tmp_path / "progress.json").exists()


def test_the_time_left_never_rises_while_no_row_ends(tmp_path, monkeypatch):
    shown, _ = make_progress()
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress.StatusFile, "_keep_writing", lambda self: None)
    with shown.task("draft", total=6):
        file = progress.StatusFile(tmp_path / "progress.json", "draft", 6, lambda: 0.0, shown)
        for clock[0] in (10.0, 20.0, 30.0):
            file.advance(failed=0, in_flight=3, fresh=True)
        said = []
        for clock[0] in (30.0, 40.0, 59.0, 61.0, 3000.0):
            said.append(file.now().note)
        file.end(whole=True)
    assert said == [
        "3 in flight, 0.1 rows/s, about 30 s left",
        "3 in flight, 0.1 rows/s, about 20 s left",
        "3 in flight, 0.1 rows/s, about 1 s left",
        "3 in flight, no row has ended for 31 s",
        "3 in flight, no row has ended for 50 min",
    ]


def test_the_bar_and_the_count_come_first_and_fit_a_narrow_terminal():
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    shown = progress.Progress(console)
    note = "3 failed, 64 in flight, 12.5 rows/s, 12.34 USD, about 35 min and 56.78 USD left, and so on"
    with shown.task("analyze", total=1000):
        shown.advance(note=note)
        shown._bar.refresh()
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]", out.getvalue())]
    drawn = [line for line in lines if "/1000" in line]
    assert drawn and all(len(line) <= 80 for line in drawn)
    assert any(re.match(r"\S* *1/1000 analyze 0:00:\d\d 3 failed, 64 in flight, .*…", line.strip()) for line in drawn)


def test_status_says_how_far_a_training_is_that_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    shown, _ = make_progress()
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(progress.StatusFile, "_keep_writing", lambda self: None)
    run = SimpleNamespace(folder=RunFolder(tmp_path), progress=shown)
    said = []

    def steps():
        for step in range(13, 18):
            clock[0] += 10.0
            yield json.dumps({"step": step, "total": 24, "loss": 1.5})
        said.append("of the last step")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _show_steps(cast(Run, run), steps(), _place_of("arf", ("arf", "teacher")))
    assert said
    assert _progress_line(progress.read_status(run.folder)) == (
        "student_arf (1 of 2): 17 of 24 done, loss 1.50, about 70 s left"
    )
