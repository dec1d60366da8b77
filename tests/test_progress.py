import io

from rich.console import Console

from arf_programs import progress
from arf_programs.progress import Progress


def told(*, terminal=False, quiet=False) -> tuple[Progress, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100)
    return Progress(console, quiet=quiet), out


def test_lines_are_told_as_they_are():
    shown, out = told()
    shown.say("[red]not markup[/red] " + "x" * 200)
    assert out.getvalue() == "[red]not markup[/red] " + "x" * 200 + "\n"


def test_quiet_says_nothing(monkeypatch):
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
    shown, out = told(quiet=True)
    shown.say("hello")
    with shown.task("draft", total=2):
        shown.advance()
    assert out.getvalue() == ""


def test_without_a_terminal_there_is_a_line_now_and_then(monkeypatch):
    shown, out = told()
    with shown.task("draft", total=3):
        shown.advance()
        assert out.getvalue() == ""
        monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0.0)
        shown.advance(failed=1)
        shown.advance(note="loss 1.25")
    assert out.getvalue().splitlines() == ["  draft: 2/3, 1 failed", "  draft: 3/3, loss 1.25"]


def test_a_terminal_has_a_bar_that_goes_away():
    shown, out = told(terminal=True)
    with shown.task("draft", total=2):
        shown.advance(failed=1)
        shown.advance(failed=1)
    assert "draft" in out.getvalue()
    assert "2/2" in out.getvalue()
    shown.advance()  # after the task there is no bar to move


def test_a_task_without_steps_shows_nothing():
    shown, out = told(terminal=True)
    with shown.task("draft", total=0):
        pass
    assert out.getvalue() == ""


def test_the_bar_is_gone_after_an_error():
    shown, _ = told(terminal=True)
    try:
        with shown.task("draft", total=2):
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with shown.task("analyze", total=1):
        shown.advance()
