"""Makes training pairs: counterfactuals of training pairs and, for patterns, new ones by the editor.

Each pair is kept only if checks, and the analyst as configured for drafts, find no error in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import dspy

from arf_programs.models import build_lm
from arf_programs.planting import Facet, make_counterfactual
from arf_programs.programs import Program, ask
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run, read_jsonl
from arf_programs.stages import build_analyzer, load_checkers
from arf_programs.text import build_messages
from arf_programs.tools.rounds.patterns import Embedding
from arf_programs.tools.rounds.records import Pattern
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, TrainingExample, Turn, Verdict
from signatures.write_variant import WriteVariant

_WAVES: Final = 3  # times that pairs are made in the place of those that were not kept
_TRUSTED: Final = (Verdict.VERIFIED, Verdict.UNCHANGED)


class Pair(NamedTuple):
    """A conversation and a summary that is believed right for it, and where they come from."""

    conversation: Conversation
    summary: str
    made_by: str = ""
    pattern: str = ""
    changed: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether a model has written a pair at all: two turns or more, and a summary."""
        return len(self.conversation.turns) > 1 and bool(self.summary)


class Made(NamedTuple):
    """The pairs that were kept, how many had an error, and those about which a model gave no usable answer."""

    kept: list[Pair]
    refused: int
    failures: list[Failure]


def training_pairs(run: Run, path: Path) -> list[Pair]:
    """Read the training examples whose summaries were verified or found without error, with their conversations.

    Raises DataError if there is none.
    """
    talks = run.conversations("train")
    rows = read_jsonl(path, TrainingExample)
    pairs = [
        Pair(talks[row.conversation_id], row.completion)
        for row in rows
        if row.provenance.get("verdict") in _TRUSTED and row.conversation_id in talks
    ]
    if not pairs:
        raise DataError(f"{path}: no summary in it is verified, so there is nothing to make training pairs of")
    return pairs


def nearest_first(pairs: Sequence[Pair], failing: Sequence[Conversation], embed: Embedding) -> list[Pair]:
    """Order training pairs by how similar their conversation is to the most similar failing conversation."""
    if not failing:
        return list(pairs)
    alike = embed([pair.conversation.as_text() for pair in pairs]) @ embed([item.as_text() for item in failing]).T
    order = sorted(range(len(pairs)), key=lambda place: -float(alike[place].max()))
    return [pairs[place] for place in order]


def counterfactuals(
    pairs: Sequence[Pair], facets: Sequence[Facet], seed: str, *, pattern: str = "", turns: int = 2
) -> Iterator[Pair]:
    """Yield one counterfactual of each pair that has one, in their order.

    Then yield another of each, `turns` times in all.
    """
    for turn in range(turns):
        for pair in pairs:
            rng = Random(f"{seed} {turn} {pair.conversation.id} {pair.summary}")  # noqa: S311 - repeatable, not secret
            made = make_counterfactual(pair.conversation, pair.summary, facets, rng)
            if made is not None:
                changed = tuple(f"{swap.facet}: {swap.old} -> {swap.new}" for swap in made.swaps)
                yield Pair(made.conversation, made.summary, "counterfactual", pattern, changed)


def shuffled(pairs: Sequence[Pair], seed: str) -> list[Pair]:
    """Order pairs at random."""
    return Random(seed).sample(list(pairs), len(pairs))  # noqa: S311 - repeatable, not secret


def filtered(run: Run, stage: str, source: Iterator[Pair], wanted: int) -> Made:
    """Take pairs from `source` until `wanted` are kept, in at most three waves; those with an error are not kept."""
    analyzer = build_analyzer(run)
    load_checkers(analyzer)
    kept: list[Pair] = []
    failures: list[Failure] = []
    refused = 0

    async def look(pair: Pair) -> tuple[Pair, bool]:
        found = await analyzer.acall(conversation=pair.conversation, summary=pair.summary)
        return pair, not found.errors

    for wave in range(_WAVES):
        some = list(islice(source, wanted - len(kept)))
        if not some:
            break
        outcome = ask_rows(
            run, stage, some, look, key=_numbered(some, str(wave)), concurrency=run.config.models.analyst.concurrency
        )
        kept += [pair for pair, right in outcome.results.values() if right]
        refused += sum(not right for _, right in outcome.results.values())
        failures += outcome.failures
    return Made(kept, refused, failures)


def _numbered(pairs: Sequence[Pair], name: str) -> Callable[[Pair], RowKey]:
    """Return names for the pairs, since several may be of one conversation."""
    names = {id(pair): f"{name} {number}" for number, pair in enumerate(pairs)}
    return lambda pair: RowKey(pair.conversation.id, names[id(pair)])


class WriteVariants(Program):
    """Writes a new conversation with its summary, like a given pair, on which certain errors are to be expected."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.write = dspy.Predict(WriteVariant)

    async def aforward(self, pair: Pair, pattern: str, sample: int = 0) -> dspy.Prediction:
        """Return Prediction(conversation: Conversation, summary: str, answer: dspy.Prediction).

        The conversation has the id of the given one, and `sample` is as for `ask`. Raises ModelError when the answers
        cannot be parsed.
        """
        answer = await ask(
            self.write,
            retries=self.retries,
            sample=sample,
            pattern=pattern,
            conversation=pair.conversation.as_text(),
            summary=pair.summary,
        )
        talk = Conversation(
            id=pair.conversation.id,
            channel=pair.conversation.channel,
            turns=tuple(Turn(speaker=turn.speaker, text=turn.text) for turn in answer.new_conversation),
        )
        return dspy.Prediction(conversation=talk, summary=answer.new_summary.strip(), answer=answer)


def written_by_editor(run: Run, stage: str, pairs: Sequence[Pair], pattern: Pattern) -> Made:
    """Let the editor write a new pair for each of `pairs`. A pair without a summary or a second turn is refused."""
    if not pairs:
        return Made([], 0, [])
    editor = run.config.models.editor
    program = WriteVariants(retries=editor.parse_retries)
    program.set_lm(build_lm(editor, seed=run.config.seed))

    async def write(pair: Pair) -> Pair:
        made = await program.acall(pair=pair, pattern=f"{pattern.name}: {pattern.description}")
        return Pair(made.conversation, made.summary, "editor", pattern.id)

    outcome = ask_rows(run, stage, pairs, write, key=_numbered(pairs, pattern.id), concurrency=editor.concurrency)
    kept = [pair for pair in outcome.results.values() if pair.is_whole]
    return Made(kept, len(outcome.results) - len(kept), outcome.failures)


def example_of(run: Run, pair: Pair, round_number: int) -> TrainingExample:
    """Make the training example of a pair. It has the id of the conversation that it was made from."""
    return TrainingExample(
        conversation_id=pair.conversation.id,
        messages=build_messages(run.config.summarize.instruction, pair.conversation),
        completion=pair.summary,
        arm="arf",
        provenance={
            "round": round_number,
            "made_by": pair.made_by,
            "pattern": pair.pattern,
            "changed": list(pair.changed),
        },
    )
