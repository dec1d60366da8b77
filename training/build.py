"""Write `train/<arm>.jsonl` for every arm, and `train/preference.jsonl`: `python -m training.build --run-dir RUN`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from arf_programs.config import Arm, Config, load_config
from arf_programs.review import apply_reviews, corrected_pairs, read_reviews, reviewed_ids
from arf_programs.runs import RunFolder, SplitConversation, private_files, read_jsonl, write_jsonl_atomic
from signatures.records import Conversation, DraftErrors, Revision, Summary, Verdict
from training.dataset import build_arm, build_pairs
from training.settings import run_command

if TYPE_CHECKING:
    from arf_programs.planting import DrawnError


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.build", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of a run that has its revisions")
    arguments = parser.parse_args(argv)
    return run_command(lambda machine: build(RunFolder(arguments.run_dir), machine), arguments.run_dir)


@private_files()
def build(folder: RunFolder, machine: TextIO) -> None:
    """Write the examples of every arm, the preference pairs, and what was left out of each arm (`left_out.json`).

    Raises DataError when a file of the run is missing or broken.
    """
    config = load_config(folder.config)
    rows = [row for row in read_jsonl(folder.conversations, SplitConversation) if row.split == "train"]
    conversations = {row.conversation.id: row.conversation for row in rows}
    drafts = [draft for draft in read_jsonl(folder.drafts, Summary) if draft.conversation_id in conversations]
    left_out = {}
    for arm in config.train.arms:
        data = build_arm(
            arm,
            conversations=conversations,
            drafts=drafts,
            revisions=_revisions(folder, config, arm),
            instruction=config.summarize.instruction,
            on_reject=config.revise.on_reject,
            samples=_samples(folder, config, arm),
            share_weight=bool(config.models.editors),
        )
        write_jsonl_atomic(folder.train / f"{arm}.jsonl", data.examples)
        left_out[arm] = data.left_out
        sys.stderr.write(f"{arm}: {len(data.examples)} examples, left out: {data.left_out or 'none'}\n")
    (folder.train / "left_out.json").write_text(json.dumps(left_out, indent=2) + "\n", encoding="utf-8")
    _build_pairs(folder, config, conversations)


def _build_pairs(folder: RunFolder, config: Config, conversations: dict[str, Conversation]) -> None:
    revisions = [*_revisions(folder, config, "arf"), *_samples(folder, config, "arf")]
    lines = [] if config.revise.human == "ignore" else read_reviews(folder)
    preference = config.train.preference
    rejected = "draft" if preference.method == "none" else preference.rejected
    planted = [] if rejected == "draft" else _planted(folder, config, conversations, revisions)
    pairs = build_pairs(
        conversations=conversations,
        revisions=[] if rejected == "planted" else revisions,
        instruction=config.summarize.instruction,
        corrected=corrected_pairs(read_jsonl(folder.revisions, Revision), lines),
        planted=planted,
    )
    write_jsonl_atomic(folder.train / "preference.jsonl", pairs)
    sys.stderr.write(f"preference: {len(pairs)} pairs\n")


def _planted(
    folder: RunFolder, config: Config, conversations: dict[str, Conversation], revisions: list[Revision]
) -> list[tuple[Revision, DrawnError]]:
    """Plant an error in each right text, where it allows one of a wanted kind.

    Right are the verified revisions and the drafts in which no error was found: what arm `arf` learns to write.
    """
    from arf_programs.planting import RightSummary, draw_errors  # it takes a second, since it knows DSPy

    kept = [row for row in revisions if row.verdict is not Verdict.REJECTED and row.conversation_id in conversations]
    right = [RightSummary(conversations[row.conversation_id], row.after.strip(), "revisions") for row in kept]
    counts = Counter(note.category for row in read_jsonl(folder.errors, DraftErrors) for note in row.errors)
    errors = draw_errors(right, config.train.preference.kinds, counts, config.seed)
    planted = [(row, error) for row, error in zip(kept, errors, strict=True) if error is not None]
    drawn = Counter(error.change.category for _, error in planted)
    said = ", ".join(f"{count} {name}" for name, count in sorted(drawn.items())) or "none"
    sys.stderr.write(f"planted: {said}; texts that allow no such error: {len(kept) - len(planted)}\n")
    return planted


def _strategy(config: Config, arm: Arm) -> str:
    return arm if arm in ("rewrite", "taxonomy") else config.revise.strategy


def _revisions(folder: RunFolder, config: Config, arm: Arm) -> list[Revision]:
    """Read the revisions of an arm; those of the configured strategy as people decided about them."""
    strategy = _strategy(config, arm)
    if strategy != config.revise.strategy:
        return list(read_jsonl(folder.revisions_by(strategy), Revision))
    return list(apply_reviews(read_jsonl(folder.revisions, Revision), read_reviews(folder), config.revise.human))


def _samples(folder: RunFolder, config: Config, arm: Arm) -> list[Revision]:
    """Read the further samples of an arm. Where a person decided about the revision, that is the only one."""
    if not config.samples_revisions:
        return []
    strategy, human = _strategy(config, arm), config.revise.human
    rows = [row for row in read_jsonl(folder.revision_samples, Revision) if row.strategy == strategy]
    if strategy != config.revise.strategy or human == "ignore":
        return rows
    decided = reviewed_ids(read_jsonl(folder.revisions, Revision), read_reviews(folder))
    return [row for row in rows if human == "prefer" and row.conversation_id not in decided]


if __name__ == "__main__":
    sys.exit(main())
