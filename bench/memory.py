"""Measure peak memory and time a row with a small and a large corpus. Neither may grow with the corpus.

    python bench/memory.py --rows 1000 100000

Each stage and size has a process of its own, which writes synthetic conversations and runs the stage over them.
`corpus` reads and splits them. `draft`, `analyze` and `revise` ask a `scripted/` model that answers at once, with
store, ledger and checkpoint. Prints a table, and as the last line one JSON object with peak memory (MB) and time a row
(ms) of each size, and the differences of the last size to the first, by stage.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import BaseModel

    from arf_programs.runs.run import Run
    from signatures.records import Conversation

SUMMARY = "The customer's parcel was late, and the agent said that it left today."
STAGES = ("corpus", "draft", "analyze", "revise")


def conversations(rows: int) -> Iterator[Conversation]:
    """`rows` different conversations of eight turns."""
    from signatures.records import Conversation, Turn

    for number in range(rows):
        said = (("Customer", f"My parcel {number} is late, where is it?"), ("Agent", "I am sorry. It left today."))
        turns = tuple(Turn(speaker=who, text=text) for _ in range(4) for who, text in said)
        yield Conversation(id=f"c{number}", channel="chat", turns=turns)


def write(path: Path, records: Iterator[BaseModel]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(record.model_dump_json() + "\n" for record in records)


def prepare(run: Run, stage: str, rows: int) -> None:
    """Write what the stage reads."""
    from arf_programs.corpus.taxonomy import load_seed_taxonomy, write_taxonomy
    from arf_programs.runs.run import SplitConversation
    from signatures.records import DraftErrors, ErrorNote, Summary

    if stage == "corpus":
        with (run.base_dir / "corpus.jsonl").open("w", encoding="utf-8") as file:
            for item in conversations(rows):
                turns = [{"speaker": turn.speaker, "text": turn.text} for turn in item.turns]
                file.write(json.dumps({"id": item.id, "conversation": turns}) + "\n")
        return
    note = ErrorNote(id="e", category="wrong_fact", quote="today", evidence=(2,), explanation="Not today.")
    split = (SplitConversation(split="train", conversation=item) for item in conversations(rows))
    write(run.folder.conversations, split)
    names = [f"c{number}" for number in range(rows)] if stage != "draft" else []
    drafts = (Summary(conversation_id=name, text=SUMMARY, system="teacher", model="m") for name in names)
    write(run.folder.drafts, drafts)
    errors = (DraftErrors(conversation_id=name, system="teacher", errors=(note,)) for name in names)
    write(run.folder.errors, errors)
    write_taxonomy(run.folder.taxonomy, load_seed_taxonomy())


def answer(messages: list[dict[str, Any]], params: dict[str, Any]) -> str | dict[str, Any]:
    """A text for a draft, an object for any other question. An object that does not fit counts as a failed row."""
    from arf_programs.models import scripted

    scripted.register("model", answer)  # a script remembers its calls: begin a new one
    asked = str(messages)
    if "Find the errors" in asked:
        return {"errors": []}
    return {"edits": []} if "edits" in asked else SUMMARY


def measure(stage: str, rows: int) -> dict[str, float | str]:
    """The stage over so many rows in this process."""
    from rich.console import Console

    from arf_programs.config.load import load_config
    from arf_programs.models import scripted
    from arf_programs.pipeline import STAGES as ALL
    from arf_programs.runs.folder import RunFolder
    from arf_programs.runs.progress import Progress
    from arf_programs.runs.run import Run
    from arf_programs.stages.stage import run_stage

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripted.register("model", answer)
        (folder / "arf.yaml").write_text(
            f"run_dir: {folder / 'run'}\ncorpus: {{path: corpus.jsonl}}\nmodels: {{teacher: scripted/model}}\n"
            "revise: {strategy: edits, edits: together}\n"
        )
        config = load_config(folder / "arf.yaml", [])
        run = Run(config, folder, RunFolder(config.run_dir), Progress(Console(stderr=True), quiet=True))
        prepare(run, stage, rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.monotonic()
        counts = run_stage(next(item for item in ALL if item.name == stage), run).counts
        seconds = time.monotonic() - start
    if counts.get("failed"):
        raise SystemExit(f"{stage}, {rows} rows: {counts}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"stage": stage, "rows": rows, "peak_mb": peak, "before_mb": before, "ms_a_row": 1000 * seconds / rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--one", nargs=2, metavar=("STAGE", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], int(options.one[1]))))
        return
    print(f"{'stage':<10}{'rows':>10}{'peak MB':>10}{'ms a row':>10}", flush=True)
    result = {}
    for stage in options.stages:
        measured = []
        for rows in options.rows:
            command = [sys.executable, __file__, "--one", stage, str(rows)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            one = json.loads(output.splitlines()[-1])
            measured.append(one)
            print(f"{stage:<10}{rows:>10}{one['peak_mb']:>10.1f}{one['ms_a_row']:>10.2f}", flush=True)
        first, last = measured[0], measured[-1]
        result[stage] = {
            "measured": measured,
            "peak_mb_more": last["peak_mb"] - first["peak_mb"],
            "ms_a_row_ratio": last["ms_a_row"] / first["ms_a_row"],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
