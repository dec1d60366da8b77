"""Measure how well values of the conversation mend planted errors of fact, without any model.

    python bench/mend_values.py --data tweetsumm.jsonl --data sales_calls.jsonl

Reads texts that are believed right, as `check_alarms.py` does, and plants wrong numbers, amounts, dates and names in
them. `given`: each error is known by its place and the turns that it cites. `place alone`: no turns are cited. `end to
end`: the checks and the misplaced values find the errors, and the revision is verified. `hidden`: as `place alone`, but
the right words are taken out of the conversation, so any value that is written is wrong. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path
from typing import NamedTuple

from check_alarms import SUMMARIES, read_texts

from arf_programs.config.commands import PlantConfig
from arf_programs.metrics import Resampling
from arf_programs.metrics.bootstrap import cluster_ratio
from arf_programs.metrics.repair import count_untouched, find_exact_fixes
from arf_programs.planting.choose import FACT_KINDS, RightSummary, choose_items
from arf_programs.planting.items import make_item
from arf_programs.planting.records import PlantedItem
from arf_programs.programs.analysis.analyze import Analyze
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.revise import Revise
from arf_programs.programs.revision.verify import VerifyRevision

SEED = 17
WAYS = ("given", "place alone", "end to end")
ORIGINS = ("conversation", "invented")


class Mended(NamedTuple):
    """A planted text after its revision: for each error whether it is fixed exactly, and the words kept elsewhere."""

    item: PlantedItem
    fixed: list[bool]
    kept: int
    words: int


def plant(path: Path, per_kind: int) -> list[PlantedItem]:
    """Plant errors in the texts of a file."""
    texts = [
        RightSummary(text.conversation, text.text, "references") for text in read_texts(path) if text.kind == SUMMARIES
    ]
    config = PlantConfig(kinds=FACT_KINDS, per_kind=per_kind)
    return [item for chosen in choose_items(texts, config, SEED) if (item := make_item(chosen, SEED)).errors]


async def revise(way: str, item: PlantedItem, text: str) -> str:
    """Return the text as it is mended without a model."""
    if way == "end to end":
        program = Revise(EditSentences(candidates=0), VerifyRevision(Analyze(None)), attempts=1)
        return str((await program.acall(conversation=item.talk(), draft=text)).revision.after)
    cited = {} if way == "given" else {"evidence": ()}
    errors = [note.model_copy(update={"explanation": "", **cited}) for note in item.errors]
    return (await EditSentences(candidates=0).propose(item.talk(), text, errors, "")).after


async def fills_hidden(item: PlantedItem) -> list[bool]:
    """Say of each error from outside whether a value is written though the conversation lacks the right one."""
    filled = []
    for plant, note in zip(item.plants, item.errors, strict=True):
        turns = [
            turn.model_copy(update={"text": re.sub(rf"(?i)\b{re.escape(plant.right)}\b", "(...)", turn.text)})
            for turn in item.talk().turns
        ]
        if plant.origin == "invented" and turns != list(item.talk().turns):
            talk = item.talk().model_copy(update={"turns": tuple(turns)})
            error = note.model_copy(update={"explanation": "", "evidence": ()})
            proposal = await EditSentences(candidates=0).propose(talk, item.summary, [error], "")
            filled.append(any(edit.replacement.strip() for edit in proposal.applied))
    return filled


async def mend(way: str, items: list[PlantedItem]) -> list[Mended]:
    """Mend each planted text."""
    mended = []
    for item in items:
        after = await revise(way, item, item.summary)
        places = [error.place() for error in item.plants]
        rest = count_untouched(item.revised, places, after)
        mended.append(Mended(item, find_exact_fixes(item.revised, places, after), rest.kept, rest.total))
    return mended


async def untouched(items: list[PlantedItem]) -> float:
    """Return the share of right texts that stay as they are, end to end."""
    right = {item.revised: item for item in items}
    same = [await revise("end to end", item, text) == text for text, item in right.items()]
    return sum(same) / len(same)


def row(name: str, way: str, mended: list[Mended]) -> str:
    """Return a row of the table."""
    clusters = [item.item.conversation_id for item in mended]
    counts = [sum(m.fixed) for m in mended], [len(m.fixed) for m in mended]
    fixed = cluster_ratio(*counts, clusters, Resampling(seed=SEED))
    shown = f"{fixed.value:.2f} ({fixed.low:.2f}-{fixed.high:.2f})" if fixed else "-"
    cells = [name, way, str(sum(len(item.fixed) for item in mended)), shown]
    for origin in ORIGINS:
        hits = [
            hit
            for item in mended
            for hit, error in zip(item.fixed, item.item.plants, strict=True)
            if error.origin == origin
        ]
        cells.append(f"{sum(hits) / len(hits):.2f}" if hits else "-")
    kept = sum(item.kept for item in mended) / max(1, sum(item.words for item in mended))
    return f"| {' | '.join([*cells, f'{kept:.2f}'])} |"


def main() -> None:
    """Print the table, and how many right texts stay."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True, help="JSONL rows; may be given again")
    parser.add_argument("--per-kind", type=int, default=200, help="errors wanted of each kind and origin")
    args = parser.parse_args()
    print("| file | errors known | planted | fixed exactly | from the conversation | from outside | other words kept |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    stays = []
    for path in args.data:
        items = plant(path, args.per_kind)
        for way in WAYS:
            print(row(path.stem, way, asyncio.run(mend(way, items))))
        stays.append(
            f"{path.stem}: {asyncio.run(untouched(items)):.1%} of the right texts stay as they are, end to end."
        )
        filled = [fill for item in items for fill in asyncio.run(fills_hidden(item))]
        share = sum(filled) / max(1, len(filled))
        stays.append(f"{path.stem}: of {len(filled)} places whose right value is hidden, {share:.2f} get another.")
    print("", *stays, sep="\n")


if __name__ == "__main__":
    main()
