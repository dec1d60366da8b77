"""Peak memory and time a row of a small and a large corpus: neither may grow with the corpus.

    python bench/memory.py --rows 1000 100000

For each size, in a process of its own: writes a split corpus of synthetic conversations, and runs the stage `draft`
over it with a `scripted/` teacher that answers at once, store, ledger and checkpoint on. Prints a table, and as the
last line one JSON object with peak memory (MB) and time a row (ms) of each size, and the differences of the last size
to the first.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write_conversations(path: Path, rows: int) -> None:
    """`rows` different conversations of eight turns, already split, as stage `corpus` writes them."""
    from arf_programs.run import SplitConversation
    from signatures.records import Conversation, Turn

    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            said = (("Customer", f"My parcel {number} is late, where is it?"), ("Agent", "I am sorry. It left today."))
            turns = tuple(Turn(speaker=who, text=text) for _ in range(4) for who, text in said)
            conversation = Conversation(id=f"c{number}", channel="chat", turns=turns)
            row = SplitConversation(split="holdout" if number % 5 == 0 else "train", conversation=conversation)
            file.write(row.model_dump_json() + "\n")


def draft_all(rows: int) -> dict[str, float]:
    """The stage over so many rows in this process."""
    from rich.console import Console

    from arf_programs.config.load import load_config
    from arf_programs.models import scripted
    from arf_programs.progress import Progress
    from arf_programs.run import Run
    from arf_programs.run_folder import RunFolder
    from arf_programs.stages import draft
    from arf_programs.stages.stage import run_stage

    def answer(messages: scripted.Messages, params: dict) -> str:
        scripted.register("teacher", answer)  # a script remembers its calls: begin a new one
        return "The customer's parcel was late, and the agent said that it left today."

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scripted.register("teacher", answer)
        (folder / "arf.yaml").write_text(
            f"run_dir: {folder / 'run'}\ncorpus: {{path: unused.jsonl}}\nmodels: {{teacher: scripted/teacher}}\n"
        )
        config = load_config(folder / "arf.yaml", [])
        run = Run(config, folder, RunFolder(config.run_dir), Progress(Console(stderr=True), quiet=True))
        write_conversations(run.folder.conversations, rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.monotonic()
        counts = run_stage(draft.STAGE, run).counts
        seconds = time.monotonic() - start
    if counts != {"drafts": rows, "failed": 0}:
        raise SystemExit(f"{rows} rows: {counts}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rows": rows, "peak_mb": peak, "before_mb": before, "seconds": seconds, "ms_a_row": 1000 * seconds / rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 100_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(draft_all(options.one)))
        return
    measured = []
    for rows in options.rows:
        done = subprocess.run(
            [sys.executable, __file__, "--one", str(rows)], stdout=subprocess.PIPE, text=True, check=True
        )
        measured.append(json.loads(done.stdout.splitlines()[-1]))
    print("| rows | peak memory, MB | time a row, ms |")
    print("| --- | --- | --- |")
    for item in measured:
        print(f"| {item['rows']:,} | {item['peak_mb']:.0f} | {item['ms_a_row']:.2f} |")
    first, last = measured[0], measured[-1]
    growth = {
        "peak_mb_more": last["peak_mb"] - first["peak_mb"],
        "ms_a_row_ratio": last["ms_a_row"] / first["ms_a_row"],
    }
    print(json.dumps({"sizes": measured, **growth}))


if __name__ == "__main__":
    main()
