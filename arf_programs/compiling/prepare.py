"""What is known before any call: the labelled set by side, the target, and the taxonomy.

The prompt that a model would really see, as text. Nothing is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dspy

from arf_programs.compiling.cases import Case, Cases, split_cases
from arf_programs.compiling.targets import LabeledSet, Target, make_target
from arf_programs.config import TargetName
from arf_programs.corpus import load_labeled_of_corpus, load_seed_taxonomy, read_taxonomy
from arf_programs.programs import PlainAdapter, SupportAdapter, demos_for, plain_demos
from arf_programs.runs import Run
from signatures.exceptions import DataError
from signatures.records import Taxonomy


@dataclass(frozen=True)
class Prepared:
    """What is known before any call: the cases by side, the target, and the taxonomy."""

    target: Target
    cases: Cases
    taxonomy: Taxonomy
    left_out: int

    @property
    def train(self) -> LabeledSet:
        return tuple(case.labeled for case in self.cases.train)

    def examples(self, side: tuple[Case, ...]) -> list[dspy.Example]:
        """The cases of a side for an optimizer: the case is all its input, labels stand beside it as demo fields."""
        shown = self.target.fields(tuple(case.labeled for case in side))
        return [dspy.Example(case=case, **fields).with_inputs("case") for case, fields in zip(side, shown, strict=True)]


def prepare(run: Run, name: TargetName) -> Prepared:
    """Split the labelled set and make the target. Raises UserError for what the user can mend."""
    # Unlike a run, compiling needs no holdout, so the whole corpus may be labelled.
    labeled = load_labeled_of_corpus(run)
    if not labeled:
        raise DataError("labeled.path: `arf compile` needs a labelled set: `arf init DIR` writes a template of one")
    config = run.config
    taxonomy = run_taxonomy(run)
    everything = split_cases(
        labeled, shares=config.compile.split, seed=config.seed, near_duplicate=config.corpus.near_duplicate
    )
    target = make_target(name, run, taxonomy, tuple(case.labeled for case in everything.train))
    cases = everything.only(target.wanted, what=target.what)
    return Prepared(target, cases, taxonomy, len(labeled) - sum(cases.sizes().values()))


def sample_values(prepared: Prepared) -> dict[str, object]:
    """The inputs of the case whose prompt is shown: the last of train."""
    return prepared.target.fields((prepared.cases.train[-1].labeled,))[0]


def run_taxonomy(run: Run) -> Taxonomy:
    """The run's taxonomy where there is one, else the configured, else the seed."""
    if run.folder.taxonomy.exists():
        return read_taxonomy(run.folder.taxonomy)
    given = run.config.analyze.taxonomy
    if given:
        beside = run.base_dir / given
        return read_taxonomy(beside if beside.exists() else Path(given))
    return load_seed_taxonomy()


def refuse_leaks(program: dspy.Module, cases: Cases) -> None:
    """Raise DataError where a demonstration, also of a part that only assists, shows a conversation of dev or test."""
    hidden = {
        text
        for case in (*cases.dev, *cases.test)
        for text in (case.labeled.conversation.as_text(), case.labeled.conversation.as_numbered_text())
    }
    for name, predictor in program.named_sub_modules(dspy.Predict):
        if any(demo.get("conversation") in hidden for demo in plain_demos(predictor)):
            raise DataError(
                f"{name} is shown a labelled conversation that it would be scored on: compile the programs under the "
                "same seed and compile.split, or set programs.* to null"
            )


def rendered_prompts(program: dspy.Module, values: Mapping[str, Any]) -> dict[str, str]:
    """For each predictor that can be compiled the messages of one call, by the adapter that sends them.

    `values` holds inputs by field name; a field that it lacks is shown as `<name>`.
    """
    return {name: _rendered(_adapter(name), predictor, values) for name, predictor in program.named_predictors()}


def _adapter(name: str) -> Any:
    """The adapter of a predictor: two programs bring one of their own."""
    own = {"summarize": PlainAdapter, "ask_support": SupportAdapter}
    return own.get(name.rpartition(".")[2], dspy.JSONAdapter)()


def _rendered(adapter: Any, predictor: dspy.Predict, values: Mapping[str, Any]) -> str:
    inputs = {name: values.get(name, f"<{name}>") for name in predictor.signature.input_fields}
    messages = adapter.format(predictor.signature, demos_for(predictor, inputs), inputs)
    return "\n\n".join(f"--- {message['role']} ---\n{message['content']}" for message in messages)
