"""A model that writes conversations on which the student may fail, and its training on what came of them.

After ReverseGen (arXiv 2410.16736): of the answers to one question, one on which the student failed is preferred to one
on which it did not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import dspy

from arf_programs.config import Config, ModelConfig, PreferenceConfig
from arf_programs.corpus import read_taxonomy
from arf_programs.models import base_of, build_lm, is_adapter, resolve_weights, weights_digest
from arf_programs.programs import question_messages
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, digest, digest_file, read_lines
from arf_programs.stages import Stage, settings_of, train_on_pairs
from arf_programs.tools.rounds.augment import Pair, WriteVariants
from signatures.exceptions import ConfigError, DataError
from signatures.records import Failure, Message, PreferencePair
from signatures.write_variant import WriteVariant

PROPOSER: Final = "proposer"
_EMBEDDED: Final = "embedded/"


class Proposal(NamedTuple):
    """What the proposer wrote: a conversation and its summary, with the messages of the question and of the answer."""

    pair: Pair
    question: tuple[Message, ...]
    answer: Message


class Proposer:
    """Asks `models.proposer` for conversations like those of the training pairs, but harder."""

    def __init__(self, run: Run, stage: str, model: ModelConfig) -> None:
        self._run, self._stage, self._model = run, stage, model
        self._pattern = read_taxonomy(run.folder.taxonomy).as_text()
        self._program = WriteVariants(retries=model.parse_retries)
        self._program.set_lm(build_lm(model, seed=run.config.seed))

    def write(self, pair: Pair, numbers: Sequence[int]) -> tuple[dict[int, Proposal], list[Failure]]:
        """Return a proposal for each number, all made from `pair`, and the failures: numbers without a usable answer.

        Each number, from 0, is another sample of the same question.
        """
        fields = {"pattern": self._pattern, "conversation": pair.conversation.as_text(), "summary": pair.summary}

        async def write(number: int) -> tuple[int, Proposal]:
            made = await self._program.acall(pair=pair, pattern=self._pattern, sample=number + 1)
            adapter = dspy.settings.adapter
            question = [Message(**item) for item in question_messages(self._program.write, **fields)]
            answer = adapter.format_assistant_message_content(WriteVariant, dict(made.answer))
            written = Pair(made.conversation, made.summary, PROPOSER)
            return number, Proposal(written, tuple(question), Message(role="assistant", content=answer))

        outcome = ask_rows(
            self._run,
            self._stage,
            numbers,
            write,
            key=lambda number: RowKey(pair.conversation.id, f"proposal {number}"),
            concurrency=self._model.concurrency,
            label=PROPOSER,
        )
        return dict(outcome.results.values()), outcome.failures


def preference_pairs(outcomes: Iterable[tuple[Proposal, bool]]) -> list[PreferencePair]:
    """Pair the answers to the same question: chosen is one on which the student failed, rejected one on which not.

    Each answer is in one pair at most, in the given order.
    """
    by_question: defaultdict[tuple[Message, ...], tuple[list[Proposal], list[Proposal]]] = defaultdict(lambda: ([], []))
    for proposal, failed in outcomes:
        by_question[proposal.question][0 if failed else 1].append(proposal)
    return [
        PreferencePair(
            conversation_id=good.pair.conversation.id,
            prompt=question,
            chosen=(good.answer,),
            rejected=(harmless.answer,),
            provenance={"made_by": PROPOSER},
        )
        for question, (failing, others) in by_question.items()
        for good, harmless in zip(failing, others, strict=False)
    ]


def weights_of_proposer(config: Config) -> Path | str:
    """Return the weights of `models.proposer`. Raises ConfigError if there is none, or it is not in this process."""
    model = config.models.proposer
    if model is None or not model.model.startswith(_EMBEDDED):
        raise ConfigError(
            f"models.proposer: is {model.model if model else 'not set'}, and only a model whose weights are here can "
            f"be trained: give {_EMBEDDED}FOLDER or {_EMBEDDED}HUB-ID"
        )
    return resolve_weights(model.model.removeprefix(_EMBEDDED))


def training_stage(name: str, pairs: Path, output: Path) -> Stage:
    """Return the stage that trains the proposer by DPO on `pairs`, into the folder `output`."""

    def settings(run: Run) -> dict[str, object]:
        weights, preference = weights_of_proposer(run.config), run.config.train.preference
        if preference.method == "none":
            preference = PreferenceConfig(method="sigmoid")
        base = base_of(weights) if is_adapter(weights) else str(weights)
        changes = {"base": base, "preference": preference.model_dump(mode="json")}
        return {**settings_of(run, PROPOSER), **changes}

    def fingerprint(run: Run) -> dict[str, str]:
        model = run.config.models.proposer
        # The base by its weights and not by its place: a run may be copied.
        named = model and (weights_digest(model.model) or model.model)
        plain = {key: value for key, value in settings(run).items() if key != "base"}
        return {pairs.name: digest_file(pairs), "train": digest(plain), "models.proposer": named or ""}

    def work(run: Run) -> dict[str, int]:
        if not any(True for _ in read_lines(pairs)):
            raise DataError(
                f"{pairs}: has no pair: the student failed on all answers to a question, or on none: try more (--tries)"
            )
        weights = weights_of_proposer(run.config)
        start = weights if is_adapter(weights) else None
        return {"pairs": train_on_pairs(run, pairs, output, settings(run), start=start, label=PROPOSER)}

    return Stage(name, "train the proposer on its proposals", lambda _: (output,), fingerprint, work)
