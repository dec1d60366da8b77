"""What the base of the students would read and learn of one example, before anything is paid for."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from arf_programs.models import SMOLLM2, resolve_weights
from arf_programs.runs import Run, write_jsonl_atomic
from arf_programs.stages.train import run_training_module
from arf_programs.text import build_messages
from signatures.exceptions import DataError
from signatures.records import Conversation, TrainingExample, Turn

_STAND_IN = Conversation(
    id="example",
    turns=(
        Turn(speaker="Customer", text="My lamp came broken."),
        Turn(speaker="Agent", text="Sorry! A new one is on its way."),
    ),
    references=("The customer's lamp came broken, and the agent sent a new one.",),
)


@dataclass(frozen=True)
class Preview:
    """One example as the base reads it.

    Attributes:
        prompt: the text that the student is asked with, in the chat template of the base.
        learns: the text that it learns to say after that.
        mended: what is mended in the chat template of the base.
        unread: why the base could not be read, where its files have to come from the hub; the texts are empty then.
    """

    prompt: str = ""
    learns: str = ""
    mended: tuple[str, ...] = ()
    unread: str = ""


def preview_base(run: Run, conversation: Conversation | None = None, *, show: bool = False) -> Preview:
    """Show how `train.base` would be trained on one conversation (None: one of ours), in a process of its own.

    The built-in base is known to be right, so it is only looked at to `show` the example. Raises DataError for a base
    that cannot be read, and for a chat template that no student can be trained with.
    """
    base = run.config.train.base
    if base == SMOLLM2 and not show:
        return Preview()
    conversation = conversation or _STAND_IN
    summary = next((text for text in conversation.references if text.strip()), _STAND_IN.references[0])
    example = TrainingExample(
        conversation_id=conversation.id,
        messages=build_messages(run.config.summarize.instruction, conversation),
        completion=summary.strip(),
        arm="arf",
    )
    is_here = isinstance(resolve_weights(base), Path)
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        data = Path(folder) / "example.jsonl"
        write_jsonl_atomic(data, [example])
        try:
            shown = json.loads(run_training_module("training.preview", "--base", base, "--data", str(data)))
        except DataError as error:
            if is_here or "cannot be loaded" not in str(error):
                raise
            return Preview(unread=str(error))
    return Preview(prompt=shown["prompt"], learns=shown["learns"], mended=tuple(shown["mended"]))


def preview_unpaid(run: Run) -> None:
    """Look at the base as long as the run has asked nobody. Later the training says what is wrong with it."""
    if not run.folder.ledger.exists():
        preview_base(run)
