"""`arf stress`: searches for conversations that make the student fail, by operators whose results are known.

ReverseGen (arXiv 2410.16736) trains a model that proposes such inputs. Here a bandit chooses among operators, so no
model has to write.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, Generic, NamedTuple, TypeVar

from arf_programs.pipeline import run_until
from arf_programs.planting import OPERATOR_NAMES, Hard, OperatorName, harden
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import (
    Run,
    digest,
    digest_file,
    private_files,
    read_record,
    write_jsonl_atomic,
    write_lines_atomic,
    write_record,
)
from arf_programs.stages import Stage, analysts, build_analyzer, load_checkers, own_model, prepare_answers
from arf_programs.tools.rounds.augment import Pair, example_of, training_pairs
from arf_programs.tools.rounds.figures import watching_depends
from arf_programs.tools.rounds.job import ARM, do_stage, refuse_without_arm
from signatures.exceptions import DataError
from signatures.records import Conversation, Failure, Record

Name = TypeVar("Name")

_BATCH: Final = 10  # tries between two looks at what came out
_MOST: Final = 200  # training pairs on which an operator is tried until it works on one


class Outcome(Record):
    """The tries of one operator, and those in which the student failed."""

    tries: int = 0
    failures: int = 0


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
    operators: dict[OperatorName, Outcome]


class _Try(NamedTuple):
    hard: Hard
    number: int
    wrong: tuple[str, ...] = ()


def stress_folder(run: Run, *, at_random: bool) -> Path:
    """Return the folder of what a search leaves."""
    return run.folder.rounds / ("stress-random" if at_random else "stress")


@private_files()
def stress(run: Run, tries: int, *, at_random: bool = False) -> StressFigures:
    """Try `tries` harder conversations on the student of arm `arf`, and write those on which it fails.

    With `at_random` the operators are chosen uniformly: the baseline. What is whole is not done again. Raises
    ConfigError without arm `arf`, and DataError if no operator works on any training conversation.
    """
    refuse_without_arm(run.config, "stress")
    run_until(run, "train")
    do_stage(run, _stage(run, tries, at_random=at_random))
    path = stress_folder(run, at_random=at_random) / "figures.json"
    figures = read_record(path, StressFigures)
    if figures is None:
        raise DataError(f"{path}: cannot be read: remove it, and run the same command again")
    return figures


def _stage(run: Run, tries: int, *, at_random: bool) -> Stage:
    folder = stress_folder(run, at_random=at_random)
    student = run.folder.student / ARM
    outputs = tuple(folder / name for name in ("hard.jsonl", "train.jsonl", "figures.json"))

    def fingerprint(run: Run) -> dict[str, str]:
        rows = run.folder.train / f"{ARM}.jsonl"
        return {**watching_depends(run, student), f"{ARM}.jsonl": digest_file(rows), "tries": digest(tries)}

    def work(run: Run) -> dict[str, int]:
        search = _Search(run, folder.name, student, at_random=at_random)
        figures = search.run_tries(tries)
        run.folder.replace_failures(folder.name, search.failures)
        write_lines_atomic(outputs[0], (json.dumps(_corpus_row(item), ensure_ascii=False) for item in search.failed))
        pairs = [Pair(item.hard.conversation, item.hard.summary, item.hard.operator) for item in search.failed]
        write_jsonl_atomic(outputs[1], (example_of(run, pair, 0) for pair in pairs))
        write_record(outputs[2], figures)
        counts = {"tries": figures.tries, "failures": figures.failures, "kinds": len(figures.kinds)}
        return {**counts, "failed": len(search.failures)}

    does = "harder conversations on which the student fails"
    return Stage(folder.name, does, lambda _: outputs, fingerprint, work, asks=analysts)


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
        self.failed: list[_Try] = []
        self.failures: list[Failure] = []  # tries about which a model gave no usable answer
        self._student, self._chosen = student, "at random" if at_random else "Thompson sampling"
        self._pairs = training_pairs(run, run.folder.train / f"{ARM}.jsonl")
        seed = f"{run.config.seed} stress"
        arms = [name for name in OPERATOR_NAMES if self._hardened(name, 0) is not None]
        if not arms:
            raise DataError("no operator works on any of the training conversations: there is nothing to make harder")
        self._bandit = Bandit(arms, seed, learns=not at_random)
        self._before: dict[str, frozenset[str]] = {}
        self._answer = prepare_answers(run, system=stage, model=own_model(run, str(student)))
        self._analyzer = build_analyzer(run, model=run.config.evaluate.analyst)
        load_checkers(self._analyzer)

    def run_tries(self, tries: int) -> StressFigures:
        counts = {name: [0, 0] for name in OPERATOR_NAMES}
        done = 0
        while done < tries:
            batch = [self._propose(number) for number in range(done, min(tries, done + _BATCH))]
            done += len(batch)
            for item in self._outcomes(batch):
                failed = bool(item.wrong)
                self._bandit.learn(item.hard.operator, reward=failed)
                counts[item.hard.operator][0] += 1
                counts[item.hard.operator][1] += failed
                self.failed += [item] if failed else []
        return StressFigures(
            chosen=self._chosen,
            student=str(self._student.relative_to(self.run.folder.path)),
            tries=sum(tried for tried, _ in counts.values()),
            failures=len(self.failed),
            kinds=tuple(sorted({f"{item.hard.operator}: {what}" for item in self.failed for what in item.wrong})),
            operators={name: Outcome(tries=tried, failures=failed) for name, (tried, failed) in counts.items()},
        )

    def _propose(self, number: int) -> _Try:
        """Choose an operator, and apply it to a random training pair that it can change."""
        hard = None
        while hard is None:
            hard = self._hardened(self._bandit.choose(), number)
        return _Try(hard, number)

    def _hardened(self, operator: OperatorName, number: int) -> Hard | None:
        """Apply an operator to the first of some random pairs that it can change.

        None if it can change none of them.
        """
        rng = Random(f"{self.run.config.seed} {operator} {number}")  # noqa: S311 - repeatable, not secret
        tries = (
            harden(pair.conversation, pair.summary, operator, rng)
            for pair in rng.sample(self._pairs, min(_MOST, len(self._pairs)))
        )
        return next((hard for hard in tries if hard is not None), None)

    def _outcomes(self, batch: Sequence[_Try]) -> list[_Try]:
        """Return the tries with what went wrong in each; those whose calls failed are left out."""
        new = {item.hard.conversation.id: item for item in batch if item.hard.conversation.id not in self._before}
        talks = self.run.conversations("train")
        plain = self._errors([talks[name] for name in new], [f"before {name}" for name in new])
        for name, (_, errors) in zip(new, plain, strict=True):
            self._before[name] = errors
        found = self._errors([item.hard.conversation for item in batch], [f"try {item.number}" for item in batch])
        outcomes = []
        for item, (text, errors) in zip(batch, found, strict=True):
            if not text:
                continue
            trapped = ("trap",) if item.hard.trap.caught(text) else ()
            worse = () if self._before[item.hard.conversation.id] else tuple(sorted(errors))
            outcomes.append(item._replace(wrong=(*trapped, *worse)))
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


def _corpus_row(item: _Try) -> dict[str, object]:
    """Write a row that `arf` reads as a conversation of a corpus, with its right summary as the reference."""
    talk, trap = item.hard.conversation, item.hard.trap
    return {
        "id": f"{talk.id}-{item.hard.operator}-{item.number}",
        "channel": talk.channel,
        "conversation": [turn.model_dump(mode="json") for turn in talk.turns],
        "references": [item.hard.summary],
        "metadata": {
            "conversation_id": talk.id,
            "operator": item.hard.operator,
            "wrong": list(trap.wrong),
            "right": list(trap.right),
            "failed": list(item.wrong),
        },
    }
