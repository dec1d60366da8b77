"""What the commands share: arguments and options, a run from its configuration, messages and exit codes."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from signatures.exceptions import ArfError, BudgetError, DataError, StorageError, UserError

if TYPE_CHECKING:
    from rich.table import Table

    from arf_programs.runs import Run, RunFolder

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="An arf.yaml; `arf init DIR` writes one.")]


def _folder(given: str) -> Path:
    """Read a folder. An empty text, as of a variable that is not set, would be the working directory."""
    if not given.strip():
        raise typer.BadParameter("an empty path names no folder")
    return Path(given)


RunDir = Annotated[
    Path | None,
    typer.Option("--run-dir", parser=_folder, metavar="PATH", help="Folder of the run, instead of run_dir."),
]

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override any key, e.g. --set models.editor=openai/gpt-4o."),
]
Limit = Annotated[int | None, typer.Option("--limit", min=2, help="Read at most N conversations.")]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try again the rows that failed, and no others.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the libraries' log, and tracebacks.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="An arf.yaml, or the folder of a run.")]
Arm = Annotated[str, typer.Option("--arm", help="Which student of the run: arf (the default) or another arm.")]

DONE, FAILED, WRONG_INPUT, OVER_BUDGET, CANNOT_TELL, INTERRUPTED = 0, 1, 2, 3, 4, 130

# Not their root loggers: DSPy and transformers set the levels of those when they are imported.
_CHATTY = (
    "dspy.clients.lm",
    "dspy.predict.predict",
    "LiteLLM",
    "httpx",
    "datasets",
    "transformers.generation",
    "bitsandbytes",
)


@contextmanager
def opened_run(
    config: Path,
    run_dir: Path | None,
    overrides: Sequence[str] | None,
    limit: int | None,
    *,
    as_json: bool,
    verbose: bool,
    locked: bool = False,
) -> Iterator[Run]:
    """Open the run of a configuration, and report the errors of the block; `locked` takes the lock of its folder."""
    with reporting(as_json=as_json, verbose=verbose):
        run = open_run(config, run_dir=run_dir, overrides=overrides or (), limit=limit, as_json=as_json)
        from arf_programs.runs import lock_run

        with lock_run(run) if locked else nullcontext():
            yield run


def open_run(
    config: Path,
    *,
    run_dir: Path | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    as_json: bool = False,
) -> Run:
    """Load the configuration, or that of a run by the run's folder, and make its Run.

    Raises ConfigError with all problems at once, and DataError for a folder that is no run.
    """
    from arf_programs.config import as_it_is_there, load_config
    from arf_programs.runs import Progress, Run, RunFolder, refuse_wrong_places, saved_base_dir

    base_dir = config.parent
    if config.is_dir():
        folder = _begun(RunFolder(config))
        config, run_dir, base_dir = folder.config, config, saved_base_dir(folder)
    extra = [f"corpus.limit={limit}"] if limit is not None else []
    if run_dir is not None:
        extra.append(f"run_dir={json.dumps(str(run_dir))}")
    resolved = load_config(config, [*overrides, *extra])
    run = Run(
        config=resolved,
        base_dir=base_dir,
        folder=RunFolder(as_it_is_there(resolved.run_dir)),
        progress=Progress(Console(stderr=True), quiet=as_json),
    )
    refuse_wrong_places(run)
    return run


def finished_folder(
    path: Path, *, run_dir: Path | None, overrides: Sequence[str] | None, as_json: bool = False
) -> RunFolder:
    """Find the folder of a run that is named by its configuration or by the folder itself.

    Raises ConfigError for a wrong configuration, DataError when no run was begun.
    """
    if path.is_dir():
        from arf_programs.runs import RunFolder

        return _begun(RunFolder(path))
    return finished_run(path, run_dir=run_dir, overrides=overrides, as_json=as_json).folder


def finished_run(path: Path, *, run_dir: Path | None, overrides: Sequence[str] | None, as_json: bool = False) -> Run:
    """Open a run that is named by its configuration or by its folder. Raises what `finished_folder` raises."""
    run = open_run(path, run_dir=run_dir, overrides=overrides or (), as_json=as_json)
    _begun(run.folder)
    return run


def _begun(folder: RunFolder) -> RunFolder:
    if not folder.config.is_file():
        inside = folder.path / "arf.yaml"
        mend = f"Give {inside}" if inside.is_file() else "`arf run CONFIG` makes one"
        raise DataError(f"{folder.path} is no run: it has no {folder.config.name}. {mend}.")
    return folder


@contextmanager
def reporting(*, as_json: bool = False, verbose: bool = False) -> Iterator[None]:
    """Turn ARF's errors into a message and an exit code. No secret is shown."""
    from arf_programs.config import masked_streams

    _quiet_libraries(verbose)
    with masked_streams(), _exit_codes(as_json=as_json, verbose=verbose):
        if verbose:
            logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
        yield


@contextmanager
def _exit_codes(*, as_json: bool, verbose: bool) -> Iterator[None]:
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as the entry point leaves it
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
    except KeyboardInterrupt:
        _complain(["Interrupted. What was finished is kept: the same command goes on from there."], as_json, "")
        raise typer.Exit(INTERRUPTED) from None
    except ArfError as caught:
        from arf_programs.runs import trouble_behind

        error = trouble_behind(caught) or caught
        if verbose:
            traceback.print_exc()
        problems = getattr(error, "problems", None) or [str(error)]
        _complain(problems, as_json, type(error).__name__)
        raise typer.Exit(_exit_code(error)) from None
    except BrokenPipeError:
        # The reader of our output is gone. Without this line Python would print an error at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None
    except (OSError, sqlite3.Error) as error:
        from arf_programs.runs import storage_error

        if verbose:
            traceback.print_exc()
        _complain([str(storage_error(error))], as_json, StorageError.__name__)
        raise typer.Exit(FAILED) from None


def print_json(value: Any) -> None:
    """Print one JSON object on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_lines(*lines: str) -> None:
    """Print texts as they are, without markup, colours and wrapping. Characters that could deceive are made visible."""
    from arf_programs.text import clean

    console = _console()
    for line in lines:
        console.print(clean(line), soft_wrap=True)


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal allows. Its texts are no markup: a model may have written a name."""
    _console().print(table)


def _console(*, stderr: bool = False) -> Console:
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False)


def print_figures(title: str, texts: Sequence[str], figures: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table with columns of texts, then columns of figures; both lists name the columns."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in texts:
        table.add_column(name, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_table(table)


def _exit_code(error: ArfError) -> int:
    if isinstance(error, BudgetError):
        return OVER_BUDGET
    return WRONG_INPUT if isinstance(error, UserError) else FAILED


def _complain(problems: Sequence[str], as_json: bool, kind: str) -> None:
    if as_json:
        print_json({"ok": False, "error": kind or "Interrupted", "problems": list(problems)})
        return
    from arf_programs.text import clean

    console = _console(stderr=True)
    for problem in problems:
        console.print(f"arf: {clean(problem)}", soft_wrap=True)


def _quiet_libraries(verbose: bool) -> None:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if verbose:
        return
    # The libraries' notes to each other, and one of pydantic about a type of LiteLLM's.
    warnings.filterwarnings("ignore", category=FutureWarning)
    warnings.filterwarnings("ignore", message="Item .* on TypedDict class .* `ReadOnly`", category=UserWarning)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")  # a hub that cannot be reached is said once, by our message
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)
