"""What the base of the students would read and learn of one example, and what a training takes: before any payment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from arf_programs.models import SMOLLM2, resolve_weights
from arf_programs.runs import Run, write_jsonl_atomic
from arf_programs.stages.train import run_training_module, settings_of
from arf_programs.text import build_messages
from signatures.exceptions import ConfigError, DataError
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
    """One example as the base reads it, and the training that would follow.

    Attributes:
        prompt: the text that the student is asked with, in the chat template of the base.
        learns: the text that it learns to say after that.
        mended: what is mended in the chat template of the base.
        training: the figures of `training.sizing.DryRun`, for the whole memory of this machine.
        unread: why the base could not be read, where its files have to come from the hub; all else is empty then.
    """

    prompt: str = ""
    learns: str = ""
    mended: tuple[str, ...] = ()
    training: dict[str, Any] = field(default_factory=dict)
    unread: str = ""


def preview_base(
    run: Run, conversation: Conversation | None = None, training: Iterable[Conversation] = (), *, show: bool = False
) -> Preview:
    """Show how `train.base` would be trained on one conversation (None: one of ours), in a process of its own.

    `training` are the conversations to train on, where they are known; a reference summary or one of ours stands for
    the draft. LoRA on the built-in base is known to be right, so it is only looked at to `show` the example. Raises
    DataError for a base that cannot be read, and for a chat template that no student can be trained with. Raises
    ConfigError for what prevents the training on this machine, such as too little memory.
    """
    base = run.config.train.base
    if base == SMOLLM2 and run.config.train.method == "lora" and not show:
        return Preview()
    is_here = isinstance(resolve_weights(base), Path)
    with tempfile.TemporaryDirectory(prefix="arf-") as folder:
        data, settings = Path(folder) / "examples.jsonl", Path(folder) / "train.json"
        write_jsonl_atomic(data, (_example(run, item) for item in chain([conversation or _STAND_IN], training)))
        settings.write_text(json.dumps(settings_of(run, run.config.train.arms[0])), encoding="utf-8")
        try:
            shown = json.loads(run_training_module("training.preview", "--config", str(settings), "--data", str(data)))
        except DataError as error:
            if is_here or "cannot be loaded" not in str(error):
                raise
            return Preview(unread=str(error))
    if shown["training"]["problems"]:
        raise ConfigError([f"train: {problem}" for problem in shown["training"]["problems"]])
    return Preview(shown["prompt"], shown["learns"], tuple(shown["mended"]), shown["training"])


def _example(run: Run, conversation: Conversation) -> TrainingExample:
    summary = next((text for text in conversation.references if text.strip()), _STAND_IN.references[0])
    return TrainingExample(
        conversation_id=conversation.id,
        messages=build_messages(run.config.summarize.instruction, conversation),
        completion=summary.strip(),
        arm=run.config.train.arms[0],
    )


def preview_unpaid(run: Run) -> None:
    """Look at the base as long as the run has asked nobody. Later the training says what is wrong with it."""
    if not run.folder.ledger.exists():
        preview_base(run)
