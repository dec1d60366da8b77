"""Start the review: open the reviewer's file, bind a port of this machine, and serve the pages until Ctrl-C."""

from __future__ import annotations

import importlib.util
import json
import socket
from collections.abc import Callable
from pathlib import Path

from arf_programs.config import load_config
from arf_programs.corpus import load_seed_taxonomy, read_taxonomy
from arf_programs.review.decisions import open_reviews
from arf_programs.review.guard import ReviewAddress
from arf_programs.review.session import ReviewSession
from arf_programs.runs import RunFolder, private_files
from signatures.exceptions import ConfigError, DataError, MissingExtra

_HOST = "127.0.0.1"
_NEEDED = ("fastapi", "uvicorn")


def serve_review(
    folder: RunFolder,
    *,
    reviewer: str,
    blind: bool,
    port: int,
    row: str | None,
    order: Path | None = None,
    when_ready: Callable[[ReviewAddress], None],
) -> None:
    """Serve the review of a run on this machine until Ctrl-C; `when_ready` gets its address.

    `row` is the id of the conversation to open first. `order` is a JSONL file whose conversations are shown first, in
    its order, such as `train/arf_difficulty.jsonl`. Raises MissingExtra without the server's packages, ConfigError for
    a port that is taken or a reviewer who is at work elsewhere, DataError when the run has nothing to review, or for an
    order that names no conversation.
    """
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"`arf review` needs {' and '.join(missing)}: pip install 'arf-programs[review]'")
    from arf_programs.review.server import run_server

    config = load_config(folder.config)
    taxonomy = read_taxonomy(folder.taxonomy) if folder.taxonomy.is_file() else load_seed_taxonomy()
    with open_reviews(folder, reviewer) as file, private_files(), _listen(port) as listening:
        session = ReviewSession(
            folder=folder,
            file=file,
            taxonomy=taxonomy,
            seed=config.seed,
            name=config.name,
            confidence=config.evaluate.confidence,
            blind=blind,
            checks_alone=not config.models_verify,
            first=read_order(order) if order else (),
        )
        run_server(session, listening, _first_page(session, row), when_ready)


def read_order(path: Path) -> tuple[str, ...]:
    """Read the conversations that the lines of a JSONL file name. Raises DataError for a file that names none."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        names = tuple(str(row["conversation_id"]) for row in rows)
    except OSError as error:
        raise DataError(f"--order {path}: cannot be read ({error.strerror}).") from None
    except (ValueError, KeyError, TypeError):
        names = ()
    if not names:
        raise DataError(
            f"--order {path}: its lines name no conversation: give a JSONL file whose lines have a `conversation_id`, "
            "such as train/arf_difficulty.jsonl."
        )
    return names


def _first_page(session: ReviewSession, conversation_id: str | None) -> str:
    if conversation_id is None:
        return "/revision" if session.rows["revision"] else "/label?side=train"
    row = session.row_of(conversation_id)
    if row is None:
        raise DataError(f"--row {conversation_id}: the run has no such conversation to review: mend the id.")
    return f"/{row.job}?row={row.key}"


def _listen(port: int) -> socket.socket:
    """Bind a port of the loopback address; 0 takes a free one. Raises ConfigError if it is taken."""
    listening = socket.socket()
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_HOST, port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"{_HOST}:{port} cannot be listened on ({error.strerror}): choose another --port.") from None
    return listening
