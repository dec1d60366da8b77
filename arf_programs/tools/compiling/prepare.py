"""The preparation before any call: the target, the labelled set by side, and the prompts as a model would see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy

from arf_programs.config import ModelConfig, TargetName
from arf_programs.corpus import load_configured_taxonomy, load_labeled_of_corpus, read_taxonomy, refuse_no_labels
from arf_programs.programs import PlainAdapter, SupportAdapter, demos_for, plain_demos
from arf_programs.runs import Run
from arf_programs.tools.compiling.cases import Case, Cases, split_cases
from arf_programs.tools.compiling.targets import LabeledSet, Target, make_target
from signatures.exceptions import DataError
from signatures.records import Taxonomy


@dataclass(frozen=True)
class Prepared:
    """The target with its model, the cases by side, and the taxonomy. `left_out` counts the examples of no use."""

    target: Target
    model: ModelConfig
    cases: Cases
    taxonomy: Taxonomy
    left_out: int

    @property
    def train(self) -> LabeledSet:
        return tuple(case.labeled for case in self.cases.train)

    def uncompiled(self) -> dspy.Module:
        return self.target.build(self.train)

    def sample_values(self) -> dict[str, Any]:
        """The fields of the case whose prompt is shown: the last of train."""
        return self.target.fields((self.train[-1],))[0]

    def examples(self, side: tuple[Case, ...]) -> list[dspy.Example]:
        """The cases of a side for an optimizer. The case is the whole input; labels are fields of demonstrations."""
        shown = self.target.fields(tuple(case.labeled for case in side))
        return [dspy.Example(case=case, **fields).with_inputs("case") for case, fields in zip(side, shown, strict=True)]


def prepare(run: Run, name: TargetName) -> Prepared:
    """Split the labelled set and make the target. Raises UserError for what the user can mend."""
    # Compiling needs no holdout, unlike a run, so the whole corpus may be labelled.
    refuse_no_labels(run.config.labeled)
    labeled = load_labeled_of_corpus(run)
    config = run.config
    written = run.folder.taxonomy
    taxonomy = read_taxonomy(written) if written.exists() else load_configured_taxonomy(run)
    everything = split_cases(
        labeled, shares=config.compile.split, seed=config.seed, near_duplicate=config.corpus.near_duplicate
    )
    target = make_target(name, run, taxonomy)
    cases = everything.only(target.wanted, what=target.what)
    return Prepared(target, config.models.of(target.role), cases, taxonomy, len(labeled) - sum(cases.sizes().values()))


def refuse_leaks(program: dspy.Module, cases: Cases) -> None:
    """Raise DataError if a demonstration shows a conversation of dev or test. Assisting programs are checked too."""
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
    """The messages of one call, for each predictor that can be compiled, by the adapter that sends them.

    `values` holds inputs by field name. A missing field is shown as `<name>`.
    """
    # Two programs bring an adapter of their own.
    adapters = {"summarize": PlainAdapter, "ask_support": SupportAdapter}
    prompts = {}
    for name, predictor in program.named_predictors():
        adapter = adapters.get(name.rpartition(".")[2], dspy.JSONAdapter)()
        inputs = {field: values.get(field, f"<{field}>") for field in predictor.signature.input_fields}
        messages = adapter.format(predictor.signature, demos_for(predictor, inputs), inputs)
        prompts[name] = "\n\n".join(f"--- {message['role']} ---\n{message['content']}" for message in messages)
    return prompts
