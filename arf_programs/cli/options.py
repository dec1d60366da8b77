"""Arguments and options that the commands share."""

from pathlib import Path
from typing import Annotated

import typer

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="An arf.yaml; `arf init DIR` writes one.")]
RunDir = Annotated[Path | None, typer.Option("--run-dir", help="Folder of the run, instead of run_dir.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override any key, e.g. --set models.editor=openai/gpt-4o."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=2, help="Read at most N conversations.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try the rows that failed again, and only those.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the libraries' log, and tracebacks.")]
