"""What can be compiled: for each target the program, the labelled cases, their demonstrations and the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dspy
from pydantic_core import to_jsonable_python

from arf_programs.config import Role, TargetName
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import rouge, score_detection, score_repair
from arf_programs.programs import (
    RATING_STEPS,
    analysis_examples,
    new_check_errors,
    reasons_of,
    revision_examples,
    score_rating,
)
from arf_programs.runs import Run
from arf_programs.stages import build_analyzer, build_judge, build_reviser, build_teacher
from arf_programs.tools.compiling.task import Answers, Outcome
from signatures.records import Rating, Summary, Taxonomy

LabeledSet = tuple[LabeledExample, ...]


@dataclass(frozen=True)
class Target:
    """A program that can be compiled.

    Args:
        build: makes the program, uncompiled and without a model. It may show the given examples as demonstrations.
        wanted: says whether the program can be scored on an example; `what` names such examples in messages.
        fields: gives the values of each example for the fields of the predictors.
        answer: gives an example to the program and scores the answer.
    """

    name: TargetName
    role: Role
    build: Callable[[LabeledSet], dspy.Module]
    wanted: Callable[[LabeledExample], bool]
    what: str
    fields: Callable[[LabeledSet], list[dict[str, Any]]]
    answer: Answers


def make_target(name: TargetName, run: Run, taxonomy: Taxonomy) -> Target:
    """Make the target of that name under a run's configuration."""
    makers = {"analyze": _analyze, "revise": _revise, "judge": _judge, "summarize": _summarize}
    return makers[name](run, taxonomy)


def _analyze(run: Run, taxonomy: Taxonomy) -> Target:
    categories = set(taxonomy.ids())

    def build(shown: LabeledSet) -> dspy.Module:
        program = build_analyzer(run, taxonomy=taxonomy, labeled=shown, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        errors = (await program.acall(conversation=labeled.conversation, summary=labeled.summary)).errors
        detection = score_detection(errors, labeled.errors)
        measured = {"found": bool(errors), "labeled": bool(labeled.errors)}
        return Outcome(detection.score, detection.feedback, {"errors": to_jsonable_python(errors)}, measured)

    def wanted(labeled: LabeledExample) -> bool:
        return all(note.category in categories for note in labeled.errors)

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [
            to_jsonable_python(dict(item)) for item in analysis_examples(examples, taxonomy, run.config.analysis_form())
        ]

    return Target("analyze", "analyst", build, wanted, "summary whose categories the taxonomy has", fields, answer)


def _revise(run: Run, taxonomy: Taxonomy) -> Target:
    def build(shown: LabeledSet) -> dspy.Module:
        program = build_reviser(run, taxonomy=taxonomy, labeled=shown, compiled=False)
        program.propose.set_lm(None)
        # DSPy leaves a compiled part as it is. The editor is compiled here; the other parts only assist.
        for part in (program.verify, program.write):
            if part is not None:
                part._compiled = True
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        draft = Summary(
            conversation_id=labeled.conversation.id, text=labeled.summary, system="labeled", model="labeled"
        )
        given = await program.acall(conversation=labeled.conversation, draft=draft, errors=labeled.errors)
        after = given.revision.after
        new = new_check_errors(labeled.conversation, labeled.summary, after)
        repair = score_repair(labeled.summary, labeled.revised or "", after, new_errors=len(new))
        measured = {"mended": repair.mended, "kept": repair.kept}
        return Outcome(repair.score, repair.feedback, {"revised": after}, measured)

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return revision_fields(examples, run, taxonomy)

    def wanted(labeled: LabeledExample) -> bool:
        return bool(labeled.errors and labeled.revised)

    return Target("revise", "editor", build, wanted, "summary with errors and a correction", fields, answer)


def _judge(run: Run, _: Taxonomy) -> Target:
    def build(_: LabeledSet) -> dspy.Module:
        program = build_judge(run, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        given = (await program.acall(conversation=labeled.conversation, summary=labeled.summary)).rating
        person = labeled.rating or 0
        score, feedback = score_rating(given.rating, person, labeled.errors)
        shown = {"rating": given.rating, "reasons": given.reasons}
        return Outcome(score, feedback, shown, {"judge": given.rating, "human": person})

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [
            {
                "conversation": labeled.conversation.as_numbered_text(),
                "summary": labeled.summary,
                "reasons": reasons_of(labeled.errors),
                # People rate the whole. A demonstration has to be complete, so each aspect gets that rating.
                **dict.fromkeys(("faithful", "complete", "concise", "rating"), labeled.rating),
            }
            for labeled in examples
        ]

    return Target("judge", "judge", build, lambda labeled: labeled.rating is not None, "rating", fields, answer)


def _summarize(run: Run, _: Taxonomy) -> Target:
    judge = build_judge(run)

    def build(_: LabeledSet) -> dspy.Module:
        program = build_teacher(run, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        text = (await program.acall(conversation=labeled.conversation)).summary
        given: Rating = (await judge.acall(conversation=labeled.conversation, summary=text)).rating
        overlap = rouge(text, references(labeled))["rougeL"]
        score = ((given.rating - 1) / RATING_STEPS + overlap) / 2
        feedback = (
            f"Rated {given.rating} of 5: {given.reasons}\nROUGE-L {overlap:.2f} against: {references(labeled)[0]}"
        )
        return Outcome(score, feedback, {"summary": text}, {"rating": given.rating, "rougeL": overlap})

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [{"conversation": item.conversation.as_text(), "summary": references(item)[0]} for item in examples]

    what = "correction or reference summary"
    return Target("summarize", "teacher", build, lambda labeled: bool(references(labeled)), what, fields, answer)


def references(labeled: LabeledExample) -> tuple[str, ...]:
    """Good summaries of the conversation: the correction first, then the references of the corpus."""
    return tuple(text for text in (labeled.revised, *labeled.conversation.references) if text and text.strip())


def revision_fields(examples: LabeledSet, run: Run, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Return values for the editor's predictors. The strategy `taxonomy` sees no errors, and has its own fields."""
    config = run.config.revise
    if config.strategy == "taxonomy":
        return [
            {
                "common_errors": taxonomy.as_text(),
                "feedback": "",
                "conversation": labeled.conversation.as_numbered_text(),
                "summary": labeled.summary,
                "revised": labeled.revised,
            }
            for labeled in examples
        ]
    # An editor of single sentences can only be shown cases with a rewritten or added sentence.
    shown = [revision_examples([labeled], config.strategy, run.config.edits_form()) for labeled in examples]
    return [to_jsonable_python(dict(items[0])) if items else {} for items in shown]
