"""`arf stress`: searches for conversations that make the student fail.

A bandit chooses among operators, whose results are known. `models.proposer` is one of them where it is set: a model
that writes such conversations, and can be trained on what came of them (ReverseGen, arXiv 2410.16736).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from arf_programs.config import Config, ModelConfig
from arf_programs.models import check_providers, check_terms, describe_hosts, weights_digest
from arf_programs.pipeline import run_until
from arf_programs.planting import OPERATOR_NAMES, OperatorName, Trap, harden
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import (
    Run,
    digest,
    digest_file,
    digest_model,
    digest_prompts,
    private_files,
    read_record,
    write_jsonl_atomic,
    write_lines_atomic,
    write_record,
)
from arf_programs.stages import Stage, analysts, build_analyzer, load_checkers, own_model, prepare_answers
from arf_programs.tools.rounds.augment import Pair, example_of, training_pairs
from arf_programs.tools.rounds.figures import watching_depends
from arf_programs.tools.rounds.improvement import ARM, do_stage, refuse_without_arm
from arf_programs.tools.rounds.proposals import (
    PROPOSER,
    Proposal,
    Proposer,
    preference_pairs,
    training_stage,
    weights_of_proposer,
)
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, Record
from signatures.write_variant import WriteVariant

Name = TypeVar("Name")
Operator = OperatorName | Literal["proposer"]

_BATCH: Final = 10  # tries between two looks at what came out
_PROPOSALS: Final = "proposals.jsonl"
_MOST: Final = 200  # training pairs on which an operator is tried until it works on one


class Outcome(Record):
    """The tries of one operator, those in which the student failed, and those that were refused.

    A proposal is refused, and no failure, if it is no conversation or its own summary has an error.
    """

    tries: int = 0
    failures: int = 0
    refused: int = 0


class StressFigures(Record):
    """What a search has found.

    A failure is a summary that is caught in the operator's trap, or has an error where that of the conversation as it
    was has none. `kinds` are the distinct pairs of operator and what went wrong: the trap, or the category of an error.
    """

    chosen: str
    student: str
    tries: int
    failures: int
    kinds: tuple[str, ...]
    operators: dict[Operator, Outcome]


class _Try(NamedTuple):
    """A conversation that may be harder, with its right summary, what the student said, and what was wrong in it."""

    pair: Pair
    operator: Operator
    number: int
    trap: Trap = Trap(())
    proposal: Proposal | None = None
    said: str = ""
    wrong: tuple[str, ...] = ()
    refused: bool = False


def stress_folder(run: Run, *, at_random: bool) -> Path:
    """Return the folder of what a search leaves."""
    return run.folder.rounds / ("stress-random" if at_random else "stress")


@private_files()
def stress(run: Run, tries: int, *, at_random: bool = False, train_proposer: bool = False) -> StressFigures:
    """Try `tries` harder conversations on the student of arm `arf`, and write those on which it fails.

    With `at_random` the operators are chosen uniformly: the baseline. With `train_proposer` the proposer is then
    trained on its proposals. What is whole is not done again. Raises ConfigError without arm `arf` or for a proposer
    that cannot be trained, and DataError if no operator works on any training conversation.
    """
    refuse_without_arm(run.config, "stress")
    if train_proposer:
        weights_of_proposer(run.config)
    if proposer := run.config.models.proposer:
        check_terms(run.config, [PROPOSER])
        run.progress.say(describe_hosts(check_providers([proposer])))
    run_until(run, "train")
    do_stage(run, _stage(run, tries, at_random=at_random))
    folder = stress_folder(run, at_random=at_random)
    if train_proposer:
        do_stage(run, training_stage(f"{folder.name}-{PROPOSER}", folder / _PROPOSALS, folder / PROPOSER))
    figures = read_record(folder / "figures.json", StressFigures)
    if figures is None:
        raise DataError(f"{folder / 'figures.json'}: cannot be read: remove it, and run the same command again")
    return figures


def _stage(run: Run, tries: int, *, at_random: bool) -> Stage:
    folder = stress_folder(run, at_random=at_random)
    student = run.folder.student / ARM
    names = ("hard.jsonl", "train.jsonl", *([_PROPOSALS] if run.config.models.proposer else []), "figures.json")
    outputs = tuple(folder / name for name in names)

    def fingerprint(run: Run) -> dict[str, str]:
        rows, proposer = run.folder.train / f"{ARM}.jsonl", run.config.models.proposer
        depends = {**watching_depends(run, student), f"{ARM}.jsonl": digest_file(rows), "tries": digest(tries)}
        if proposer is None:
            return depends
        asked = {
            "models.proposer": digest_model(proposer),
            "proposer": weights_digest(proposer.model),
            "variant prompt": digest_prompts([WriteVariant]),
        }
        return {**depends, **asked, "taxonomy.yaml": digest_file(run.folder.taxonomy)}

    def work(run: Run) -> dict[str, int]:
        search = _Search(run, folder.name, student, at_random=at_random)
        figures = search.run_tries(tries)
        run.folder.replace_failures(folder.name, search.failures)
        failed = [item for item in search.tried if item.wrong]
        write_lines_atomic(
            folder / "hard.jsonl", (json.dumps(_corpus_row(item), ensure_ascii=False) for item in failed)
        )
        write_jsonl_atomic(folder / "train.jsonl", (example_of(run, item.pair, 0) for item in failed))
        if run.config.models.proposer:
            proposed = [(item.proposal, bool(item.wrong)) for item in search.tried if item.proposal]
            write_jsonl_atomic(folder / _PROPOSALS, preference_pairs(proposed))
        write_record(folder / "figures.json", figures)
        counts = {"tries": figures.tries, "failures": figures.failures, "kinds": len(figures.kinds)}
        return {**counts, "failed": len(search.failures)}

    def asks(config: Config) -> tuple[ModelConfig, ...]:
        proposer = config.models.proposer
        return (*analysts(config), *([proposer] if proposer else []))

    does = "harder conversations on which the student fails"
    return Stage(folder.name, does, lambda _: outputs, fingerprint, work, asks)


class Bandit(Generic[Name]):
    """Thompson sampling for rewards of 0 and 1, with a uniform prior for the rate of each arm.

    A rate is drawn from each posterior, Beta(1 + rewards, 1 + tries without one), and the arm of the highest is chosen
    (Thompson 1933; Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling"). Unlike UCB1 it needs no
    answer before the next choice, so tries go in batches. With `learns` false every choice is uniform: the baseline.
    """

    def __init__(self, arms: Sequence[Name], seed: str, *, learns: bool = True) -> None:
        self._rng = Random(seed)  # noqa: S311 - repeatable, not secret
        self._counts = {arm: [1, 1] for arm in arms}
        self._learns = learns

    def choose(self) -> Name:
        """Return the arm to try next."""
        arms = list(self._counts)
        if not self._learns:
            return self._rng.choice(arms)
        return max(arms, key=lambda arm: self._rng.betavariate(*self._counts[arm]))

    def learn(self, arm: Name, *, reward: bool) -> None:
        """Take in the outcome of a try."""
        self._counts[arm][0 if reward else 1] += 1


class _Search:
    """One search: it chooses operators and training pairs, asks the student, and learns from what comes out."""

    def __init__(self, run: Run, stage: str, student: Path, *, at_random: bool) -> None:
        self.run, self.stage = run, stage
        self.tried: list[_Try] = []
        self.failures: list[Failure] = []  # tries about which a model gave no usable answer
        self._student, self._chosen = student, "at random" if at_random else "Thompson sampling"
        self._pairs = training_pairs(run, run.folder.train / f"{ARM}.jsonl")
        proposer = run.config.models.proposer
        self._proposer = Proposer(run, stage, proposer) if proposer else None
        arms: list[Operator] = [name for name in OPERATOR_NAMES if self._hardened(name, 0) is not None]
        arms += [PROPOSER] if self._proposer else []
        if not arms:
            raise DataError("no operator works on any of the training conversations: there is nothing to make harder")
        self._bandit: Bandit[Operator] = Bandit(arms, f"{run.config.seed} stress", learns=not at_random)
        self._before: dict[str, frozenset[str]] = {}
        self._answer = prepare_answers(run, system=stage, model=own_model(run, str(student)))
        self._analyzer = build_analyzer(run, model=run.config.evaluate.analyst)
        load_checkers(self._analyzer)

    def run_tries(self, tries: int) -> StressFigures:
        for start in range(0, tries, _BATCH):
            for item in self._outcomes(self._batch(range(start, min(tries, start + _BATCH)))):
                self._bandit.learn(item.operator, reward=bool(item.wrong))
                self.tried.append(item)
        failed = [item for item in self.tried if item.wrong]
        names = (*OPERATOR_NAMES, *([PROPOSER] if self._proposer else []))
        return StressFigures(
            chosen=self._chosen,
            student=self.run.folder.name_of(self._student),
            tries=len(self.tried),
            failures=len(failed),
            kinds=tuple(sorted({f"{item.operator}: {what}" for item in failed for what in item.wrong})),
            operators={name: _outcome([item for item in self.tried if item.operator == name]) for name in names},
        )

    def _batch(self, numbers: Sequence[int]) -> list[_Try]:
        """Choose an operator for each number, and apply it. The proposals of a batch are answers to one question."""
        tries: list[_Try] = []
        proposed: list[int] = []
        for number in numbers:
            made = None
            while made is None:
                operator = self._bandit.choose()
                if operator == PROPOSER:
                    proposed.append(number)
                    break
                made = self._hardened(operator, number)
            tries += [made] if made else []
        return tries + self._proposals(proposed)

    def _hardened(self, operator: OperatorName, number: int) -> _Try | None:
        """Apply an operator to the first of some random training pairs that it can change.

        None if it can change none of them.
        """
        rng = Random(f"{self.run.config.seed} {operator} {number}")  # noqa: S311 - repeatable, not secret
        made = (
            harden(pair.conversation, pair.summary, operator, rng)
            for pair in rng.sample(self._pairs, min(_MOST, len(self._pairs)))
        )
        hard = next((item for item in made if item is not None), None)
        if hard is None:
            return None
        return _Try(Pair(hard.conversation, hard.summary, operator), operator, number, hard.trap)

    def _proposals(self, numbers: Sequence[int]) -> list[_Try]:
        """Let the proposer write about one training pair. What is no conversation, or has an error, is refused."""
        if not numbers or self._proposer is None:
            return []
        rng = Random(f"{self.run.config.seed} {PROPOSER} {numbers[0]}")  # noqa: S311 - repeatable, not secret
        made, failures = self._proposer.write(rng.choice(self._pairs), numbers)
        self.failures += failures
        tries = [_Try(item.pair, PROPOSER, number, proposal=item) for number, item in made.items()]
        whole = [item for item in tries if item.pair.is_whole]

        async def own_errors(item: _Try) -> tuple[int, bool]:
            found = await self._analyzer.acall(conversation=item.pair.conversation, summary=item.pair.summary)
            return item.number, bool(found.errors)

        outcome = ask_rows(
            self.run,
            self.stage,
            whole,
            own_errors,
            key=lambda item: RowKey(item.pair.conversation.id, f"summary of proposal {item.number}"),
            concurrency=self.run.config.models.analyst.concurrency,
        )
        self.failures += outcome.failures
        right = {number for number, flawed in outcome.results.values() if not flawed}
        return [item._replace(refused=item.number not in right) for item in tries]

    def _outcomes(self, batch: Sequence[_Try]) -> list[_Try]:
        """Return the tries with what went wrong in each; those whose calls failed are left out."""
        asked = [item for item in batch if not item.refused]
        new = {item.pair.conversation.id: item for item in asked if item.pair.conversation.id not in self._before}
        talks = self.run.conversations("train")
        plain = self._errors([talks[name] for name in new], [f"before {name}" for name in new])
        for name, (_, errors) in zip(new, plain, strict=True):
            self._before[name] = errors
        found = self._errors([item.pair.conversation for item in asked], [f"try {item.number}" for item in asked])
        outcomes = [item for item in batch if item.refused]
        for item, (text, errors) in zip(asked, found, strict=True):
            if not text:
                continue
            trapped = ("trap",) if item.trap.caught(text) else ()
            worse = () if self._before[item.pair.conversation.id] else tuple(sorted(errors))
            outcomes.append(item._replace(said=text, wrong=(*trapped, *worse)))
        return outcomes

    def _errors(self, talks: Sequence[Conversation], names: Sequence[str]) -> list[tuple[str, frozenset[str]]]:
        """Return the student's summary of each conversation, "" where calls failed, and the categories of errors."""
        if not talks:
            return []
        rows = list(zip(names, talks, strict=True))

        async def look(row: tuple[str, Conversation]) -> tuple[str, frozenset[str]]:
            text = (await self._answer(row[1])).text
            found = await self._analyzer.acall(conversation=row[1], summary=text)
            return text, frozenset(note.category for note in found.errors)

        key = {name: RowKey(talk.id, name) for name, talk in rows}
        outcome = ask_rows(
            self.run, self.stage, rows, look, key=lambda row: key[row[0]], concurrency=len(rows), label=names[0]
        )
        self.failures += outcome.failures
        return [outcome.results.get(str(key[name]), ("", frozenset())) for name in names]


def _outcome(tries: Sequence[_Try]) -> Outcome:
    failures, refused = sum(bool(item.wrong) for item in tries), sum(item.refused for item in tries)
    return Outcome(tries=len(tries), failures=failures, refused=refused)


def _corpus_row(item: _Try) -> dict[str, object]:
    """Write a row that `arf` reads as a conversation of a corpus, with its right summary as the reference."""
    talk, trap = item.pair.conversation, item.trap
    return {
        "id": f"{talk.id}-{item.operator}-{item.number}",
        "channel": talk.channel,
        "conversation": [turn.model_dump(mode="json") for turn in talk.turns],
        "references": [item.pair.summary],
        "metadata": {
            "conversation_id": talk.id,
            "operator": item.operator,
            "wrong": list(trap.wrong),
            "right": list(trap.right),
            "failed": list(item.wrong),
            "student": item.said,
        },
    }
