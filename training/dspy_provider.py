"""Fine-tuning for DSPy's weight optimizers (`dspy.BootstrapFinetune`, `dspy.BetterTogether`) by `training.sft`.

DSPy's own local provider is written for an earlier TRL. This one trains the LoRA adapter of an `embedded/` model in a
process of its own, and the result is again an `embedded/` model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import dspy
from dspy.clients import Provider, TrainingJob
from dspy.clients.utils_finetune import TrainDataFormat

from arf_programs.config import ModelConfig
from arf_programs.models import (
    EMBEDDED,
    CallContext,
    NoStore,
    Session,
    build_lm,
    declare_model,
    is_adapter,
    resolve_weights,
)
from arf_programs.programs import PlainAdapter
from arf_programs.runs import digest_file, write_jsonl_atomic, write_text_atomic
from arf_programs.stages import run_training_module
from signatures.exceptions import ConfigError, DataError
from signatures.records import Message, TrainingExample
from training.dataset import prompt_sha256
from training.settings import TrainSettings, load_settings

ARM = "dspy"
_ONE_AT_A_TIME = Lock()  # DSPy starts all jobs of a program at once, and there is one machine


def trainable_lm(config: ModelConfig, folder: Path, *, seed: int) -> dspy.LM:
    """Build the model of a role as `build_lm` does, for DSPy to fine-tune; trained models go into `folder`.

    Raises ConfigError for a model that does not run in this process, and what `build_lm` raises.
    """
    if not config.model.startswith(EMBEDDED):
        raise ConfigError(f"{config.model}: only {EMBEDDED}NAME_OR_FOLDER can be fine-tuned here.")
    context = CallContext(Session(NoStore(), background=True), stage="dspy")
    lm = build_lm(config, seed=seed, context=context)
    lm.provider = TrlProvider(folder)
    return lm


class SummaryAdapter(PlainAdapter, dspy.ChatAdapter):  # type: ignore[name-defined, unused-ignore]
    """For `BootstrapFinetune(adapter=...)` on `Summarize`: rows have the form of its requests."""

    def format_assistant_message_content(
        self, signature: type[dspy.Signature], outputs: dict[str, Any], missing_field_message: str | None = None
    ) -> str:
        """Write the output alone, without field markers."""
        (target,) = signature.output_fields
        return str(outputs[target])


class TypedAdapter(dspy.JSONAdapter):  # type: ignore[name-defined, unused-ignore]
    """For `BootstrapFinetune(adapter=...)` on the programs with typed answers: analyst, editor, judge."""

    def format_finetune_data(
        self,
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
        outputs: dict[str, Any],
    ) -> dict[str, list[Any]]:
        """Write prompt and answer as chat messages, the answer as JSON. DSPy's own JSON adapter lacks this."""
        data: dict[str, list[Any]] = dspy.ChatAdapter.format_finetune_data(self, signature, demos, inputs, outputs)
        return data


class TrlProvider(Provider):
    """Fine-tunes by `python -m training.sft`, one job at a time. Nothing has to be launched or killed.

    `train_kwargs` are settings of `training.settings.TrainSettings` (epochs, learning_rate, lora, ...). The same job
    given again, with the same rows and settings, goes on where it was, or ends at once if it is done.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.finetunable = True
        self.folder = folder.absolute()

    @staticmethod
    def is_provider_model(model: str) -> bool:
        """Whether the model runs in this process."""
        return model.startswith(EMBEDDED)

    def finetune(
        self,
        job: TrainingJob,
        model: str,
        train_data: list[dict[str, Any]],
        train_data_format: TrainDataFormat | str | None,
        train_kwargs: dict[str, Any] | None = None,
    ) -> str:
        """Train on chat rows and return the string of the trained model, `embedded/FOLDER`.

        Raises ConfigError for another format or unknown settings, DataError for rows without an answer, StageError
        when the training fails. DSPy hands these on as the result of the job.
        """
        if train_data_format != TrainDataFormat.CHAT:
            raise ConfigError(f"rows in the form {train_data_format!r} cannot be trained on: use an adapter for chats.")
        examples = examples_from(train_data)
        with _ONE_AT_A_TIME:
            base = self._base(model.removeprefix(EMBEDDED))
            settings = load_settings(None, {**(train_kwargs or {}), "base": base, "arm": ARM})
            trained = f"{EMBEDDED}{self._train(examples, settings)}"
        declare_model(trained, json_schema=True)  # DSPy copies the model under the new name, past `build_lm`
        return trained

    def _base(self, name: str) -> str:
        """Return the model to start from; an adapter is merged first, since `training.sft` needs a whole model."""
        weights = resolve_weights(name)
        if not (isinstance(weights, Path) and is_adapter(weights)):
            return name
        merged = self.folder / f"base-{digest_file(weights)}"
        if not merged.exists():
            run_training_module("training.export", "--adapter", str(weights), "--output", str(merged))
        return str(merged)

    def _train(self, examples: Sequence[TrainingExample], settings: TrainSettings) -> Path:
        rows = "".join(example.model_dump_json() + "\n" for example in examples)
        # A name of its own for each job: answers are stored under the name of the model.
        place = self.folder / settings.fingerprint(rows.encode())[:16]
        write_jsonl_atomic(place / "train.jsonl", examples)
        write_text_atomic(place / "settings.json", json.dumps(settings.as_json(), indent=2) + "\n")
        files = ("--data", str(place / "train.jsonl"), "--config", str(place / "settings.json"))
        run_training_module("training.sft", *files, "--output", str(place / "student"))
        return place / "student"


def examples_from(train_data: Sequence[Mapping[str, Any]]) -> list[TrainingExample]:
    """Turn DSPy's chat rows into training examples: the last message is the completion, all others are the prompt.

    Raises DataError for a row whose last message is no answer of the assistant, or a blank one, and when there is none.
    """
    if not train_data:
        raise DataError("no row to train on: no answer passed the metric.")
    return [_example(number, row["messages"]) for number, row in enumerate(train_data, start=1)]


def _example(number: int, messages: Sequence[Mapping[str, Any]]) -> TrainingExample:
    *prompt, answer = messages
    if answer["role"] != "assistant" or not prompt or not str(answer["content"]).strip():
        raise DataError(f"row {number}: its last message is no answer of the assistant.")
    asked = tuple(Message(role=message["role"], content=message["content"]) for message in prompt)
    return TrainingExample(
        conversation_id=f"row-{number}",
        messages=asked,
        completion=str(answer["content"]).strip(),
        arm=ARM,
        provenance={"prompt_sha256": prompt_sha256(asked)},
    )
