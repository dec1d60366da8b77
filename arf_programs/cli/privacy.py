"""`arf privacy audit`, `arf purge` and `arf forget`: what others could see of conversations, and their removal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from arf_programs.cli.session import (
    FAILED,
    Json,
    RunPath,
    Verbose,
    finished_run,
    print_json,
    print_lines,
    reporting,
)
from signatures.exceptions import ConfigError, DataError

if TYPE_CHECKING:
    from arf_programs.privacy import Originals, Seen
    from arf_programs.runs import Run, RunFolder

CallsOnly = Annotated[
    bool, typer.Option("--calls", help="Look only at what was sent and answered, not at files to share.")
]
Also = Annotated[list[Path] | None, typer.Option("--also", help="A further file or folder to look at: an export.")]
Conversations = Annotated[
    bool, typer.Option("--conversations", help="Remove every file with texts of conversations and summaries.")
]
Answers = Annotated[bool, typer.Option("--answers", help="Remove the stored answers of models, and what was sent.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The id of a conversation.")]

privacy = typer.Typer(help="Look at what others could see of a run's conversations.", no_args_is_help=True)
_SHOWN = 50
_TEXTS = (".json", ".jsonl", ".md", ".html", ".yaml", ".txt", ".jinja", ".csv")
_VOCABULARY = ("tokenizer.json", "vocab.json", "added_tokens.json")


@privacy.command()
def audit(
    run: RunPath, calls: CallsOnly = False, also: Also = None, as_json: Json = False, verbose: Verbose = False
) -> None:
    """List each original value in what was sent, answered, and can be shared. Exit code 1 if there is one.

    Files to share are the reports, summary.json, the training files and the students.
    """
    with reporting(as_json=as_json, verbose=verbose):
        opened = finished_run(run, run_dir=None, overrides=None, as_json=as_json)
        folder = opened.folder
        originals = _originals(opened)
        if not len(originals):
            raise DataError(
                f"{folder.path} has no private values: it has no conversations (any more), or none is known."
            )
        places = [*_called(opened), *([] if calls else _shared(folder)), *_files(also or [])]
        seen = [item for name, text in places for item in originals.find(text, name)]
        if as_json:
            found = [{"kind": item.kind.value, "value": item.value, "place": item.place} for item in seen]
            print_json({"looked_for": len(originals), "places": len(places), "found": found})
        else:
            _show(seen, len(originals), len(places), was_recorded=folder.sent.exists())
        if seen:
            raise typer.Exit(FAILED)


def _originals(run: Run) -> Originals:
    """Return the private values of the conversations: those of `pseudonyms.jsonl`, else what is recognised now."""
    from arf_programs.privacy import Originals, Value, pseudonyms_of, read_values

    if run.folder.pseudonyms.exists():
        rows = read_values(run.folder)
        return Originals(Value(item.kind, item.value, item.stand_in) for row in rows for item in row.values)
    if not run.folder.conversations.exists():
        return Originals(())
    names = run.config.privacy.names
    conversations = run.conversations().values()
    return Originals(value for item in conversations for value in pseudonyms_of(item, 0, names=names).values)


def _called(run: Run) -> Iterator[tuple[str, str]]:
    """Yield what was sent, and the stored answers, each with its place."""
    from arf_programs.models import AnswerFiles
    from arf_programs.runs import read_lines

    if run.folder.sent.exists():
        for _, number, line in read_lines(run.folder.sent):
            yield f"{run.folder.sent.name}, line {number}", line.decode("utf-8", "replace")
    if run.calls.is_dir():
        files = AnswerFiles(run.calls, run.folder.ledger)
        try:
            for key, answer in files.items():
                yield f"stored answer {key[:12]}", answer
        finally:
            files.close()


def _shared(folder: RunFolder) -> Iterator[tuple[str, str]]:
    """Yield the lines of files that somebody may share."""
    students = [folder.train, folder.student, folder.rounds]
    yield from _files([folder.report, folder.shared_report, folder.summary, *students])


def _files(paths: list[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        within = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in within:
            if file.is_file() and file.suffix in _TEXTS and file.name not in _VOCABULARY:
                for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
                    yield f"{file.name}, line {number}", line


def _show(seen: list[Seen], known: int, places: int, *, was_recorded: bool) -> None:
    print_lines(f"Looked for {known} original values in {places} places.")
    if not was_recorded:
        print_lines("This run has no sent.jsonl, so what was sent is unknown: privacy.pseudonyms records it.")
    for item in seen[:_SHOWN]:
        print_lines(f"  {item.kind.value}: {item.value!r} in {item.place}")
    if len(seen) > _SHOWN:
        print_lines(f"  and {len(seen) - _SHOWN} more (all of them with --json)")
    print_lines(f"{len(seen)} found." if seen else "None of them was found.")


def purge(
    run: RunPath,
    conversations: Conversations = False,
    answers: Answers = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Remove the texts of a run: conversations, stored answers of models, or both. Students and figures stay."""
    with reporting(as_json=as_json, verbose=verbose):
        if not (conversations or answers):
            raise ConfigError("Say what to remove: --conversations, --answers, or both.")
        from arf_programs.runs import lock_run, remove_answers, remove_conversations

        opened = finished_run(run, run_dir=None, overrides=None, as_json=as_json)
        if answers:
            _refuse_shared_answers(opened)
        with lock_run(opened):
            removed = remove_answers(opened.folder, opened.calls) if answers else []
            removed += remove_conversations(opened.folder) if conversations else []
        if as_json:
            print_json({"removed": [str(path) for path in removed]})
        else:
            print_lines(*(f"removed {path}" for path in removed), "" if removed else "There was nothing to remove.")


def forget(run: RunPath, conversation: Id, as_json: Json = False, verbose: Verbose = False) -> None:
    """Remove one conversation from every file and stored answer of a run, and say what has to be trained again."""
    with reporting(as_json=as_json, verbose=verbose):
        from arf_programs.runs import has_rows, lock_run, remove_rows

        opened = finished_run(run, run_dir=None, overrides=None, as_json=as_json)
        with lock_run(opened):
            if not has_rows(opened.folder, conversation):
                raise DataError(f"{opened.folder.path}: no row is about a conversation {conversation!r}.")
            answers = _forget_answers(opened, conversation)
            rows = remove_rows(opened.folder, conversation)
        trained = sorted(path.stem for path in rows if path.parent == opened.folder.train)
        trained += sorted(f"round {path.parent.name}" for path in rows if path.name == "train.jsonl")
        if as_json:
            counts = {opened.folder.name_of(path): count for path, count in rows.items()}
            print_json({"rows": counts, "answers": answers, "train_again": trained})
        else:
            _say_forgotten(opened, conversation, rows, answers, trained)


def _forget_answers(run: Run, conversation: str) -> int:
    """Remove the stored answers to questions about the conversation, and those about several conversations.

    All stored answers are removed where these are not known: without `sent.jsonl`, and with a labelled set, which may
    have shown the conversation as a demonstration.
    """
    import orjson

    from arf_programs.models import AnswerFiles
    from arf_programs.runs import read_lines, remove_answers, write_lines_atomic

    if not run.calls.is_dir():
        return 0
    files = AnswerFiles(run.calls, run.folder.ledger)
    try:
        stored = [key for key, _ in files.items()]
        if run.folder.sent.exists() and not run.config.labeled.path:
            lines = [line.decode("utf-8").rstrip("\n") for _, _, line in read_lines(run.folder.sent)]
            about = {line: orjson.loads(line) for line in lines}
            gone = [line for line in lines if about[line]["about"] in (None, conversation)]
            write_lines_atomic(run.folder.sent, [line for line in lines if line not in set(gone)])
            return files.remove([about[line]["key"] for line in gone])
    finally:
        files.close()
    _refuse_shared_answers(run)
    remove_answers(run.folder, run.calls)
    return len(stored)


def _refuse_shared_answers(run: Run) -> None:
    """Raise ConfigError if all stored answers are to go, and other runs may have theirs in the same folder."""
    if run.calls.exists() and run.folder.path.resolve() not in run.calls.resolve().parents:
        raise ConfigError(
            f"calls_dir: {run.calls} is outside of the run, and other runs may use it. Nothing was removed: "
            "delete it yourself if nobody else needs its answers."
        )


def _say_forgotten(run: Run, name: str, rows: dict[Path, int], answers: int, trained: list[str]) -> None:
    for path, count in rows.items():
        print_lines(f"removed {count} row{'' if count == 1 else 's'} of {run.folder.name_of(path)}")
    print_lines(
        f"removed {answers} stored answers", "removed the report, which shows texts: `arf report` writes it anew"
    )
    if trained:
        print_lines(
            f"Train again, since these files had it: {', '.join(trained)}. Students that are there have seen it."
        )
    else:
        print_lines("No student was trained on it.")
    print_lines(f"Take {name!r} out of the corpus file as well, or the next run reads it again.")
