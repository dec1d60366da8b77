"""`arf review`: people read a run's revisions and label summaries, on a page of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import Json, RunDir, RunPath, Set, Verbose, finished_folder, print_json, reporting

if TYPE_CHECKING:
    from arf_programs.review import ReviewAddress

Reviewer = Annotated[str, typer.Option("--reviewer", help="Your name; each reviewer has a file of decisions.")]
Blind = Annotated[bool, typer.Option("--blind", help="Hide who wrote what, with verdicts and scores; mix the systems.")]
FirstRow = Annotated[str | None, typer.Option("--row", metavar="ID", help="The conversation to open first.")]
Order = Annotated[
    Path | None,
    typer.Option(
        "--order", metavar="FILE", help="JSONL whose conversations come first, e.g. train/arf_difficulty.jsonl."
    ),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")]


def review(
    run: RunPath,
    reviewer: Reviewer = "me",
    blind: Blind = False,
    row: FirstRow = None,
    order: Order = None,
    port: Port = 0,
    browser: Browser = True,
    run_dir: RunDir = None,
    overrides: Set = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Accept, reject or rewrite a run's revisions, and label its summaries, on a page of this machine until Ctrl-C."""
    with reporting(as_json=as_json, verbose=verbose):
        folder = finished_folder(run, run_dir=run_dir, overrides=overrides, as_json=as_json)
        from arf_programs.review import serve_review

        def say(address: ReviewAddress) -> None:
            if as_json:
                print_json({"ok": True, "url": address.url, "rows": address.rows, "decisions": str(folder.reviews)})
            else:
                _say(address, str(folder.reviews), str(folder.labeled))
            if browser:
                _open(address.url)

        try:
            serve_review(folder, reviewer=reviewer, blind=blind, port=port, row=row, order=order, when_ready=say)
        except KeyboardInterrupt:
            typer.echo("The review has ended. Every decision is saved.", err=True)


def _say(address: ReviewAddress, decisions: str, labels: str) -> None:
    typer.echo(
        f"{address.rows['revision']} revisions and {address.rows['label']} summaries to review. Open this address; it "
        f"works once:\n\n  {address.url}\n\nEach decision is saved in {decisions} as it is made. Labels are written to "
        f"{labels}, which labeled.path can name.\nCtrl-C ends the review."
    )


def _open(url: str) -> None:
    import webbrowser

    webbrowser.open(url)
