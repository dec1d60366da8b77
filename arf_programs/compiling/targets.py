"""What can be compiled: for each target the program, the labelled cases, their demonstrations and the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dspy

from arf_programs.checks import run_checks
from arf_programs.compiling.task import Answers, Outcome
from arf_programs.config import Role, TargetName
from arf_programs.corpus import LabeledExample
from arf_programs.metrics import rouge, score_detection, score_repair
from arf_programs.programs import analysis_examples, plain, revision_examples, same_error
from arf_programs.runs import Run
from arf_programs.stages import build_analyzer, build_judge, build_reviser, build_teacher
from signatures.records import Conversation, ErrorNote, Rating, Summary, Taxonomy

LabeledSet = tuple[LabeledExample, ...]
_RATINGS = 4  # steps between the lowest and the highest rating


@dataclass(frozen=True)
class Target:
    """A program that can be compiled.

    `build` makes it uncompiled and without a model of its own, showing at most demonstrations of the labelled examples
    that it is given; `wanted` says which examples it can be scored on, in words `what`; `fields` gives for
    each example its values for the fields of the predictors; `answer` puts an example to it and scores what comes back.
    """

    name: TargetName
    role: Role
    build: Callable[[LabeledSet], dspy.Module]
    wanted: Callable[[LabeledExample], bool]
    what: str
    fields: Callable[[LabeledSet], list[dict[str, Any]]]
    answer: Answers


def make_target(name: TargetName, run: Run, taxonomy: Taxonomy, train: LabeledSet) -> Target:
    """The target of that name under a run's configuration; `train` may be shown by programs that only assist."""
    makers = {"analyze": _analyze, "revise": _revise, "judge": _judge, "summarize": _summarize}
    return makers[name](run, taxonomy, train)


def _analyze(run: Run, taxonomy: Taxonomy, _: LabeledSet) -> Target:
    known = set(taxonomy.ids())

    def build(shown: LabeledSet) -> dspy.Module:
        program = build_analyzer(run, taxonomy=taxonomy, labeled=shown, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        found = await program.acall(conversation=labeled.conversation, summary=labeled.summary)
        told = score_detection(found.errors, labeled.errors)
        measured = {"found": bool(found.errors), "labeled": bool(labeled.errors)}
        return Outcome(told.score, told.feedback, {"errors": plain(found.errors)}, measured)

    def wanted(labeled: LabeledExample) -> bool:
        return all(note.category in known for note in labeled.errors)

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [plain(dict(item)) for item in analysis_examples(examples, taxonomy, run.config.analyze.strategy)]

    return Target("analyze", "analyst", build, wanted, "summary whose categories the taxonomy has", fields, answer)


def _revise(run: Run, taxonomy: Taxonomy, train: LabeledSet) -> Target:
    def build(shown: LabeledSet) -> dspy.Module:
        program = build_reviser(run, taxonomy=taxonomy, labeled=shown, compiled=False)
        program.propose.set_lm(None)
        # DSPy leaves a compiled part as it is: the editor is what is compiled here, the verifier assists.
        program.verify._compiled = True
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        draft = Summary(
            conversation_id=labeled.conversation.id, text=labeled.summary, system="labeled", model="labeled"
        )
        given = await program.acall(conversation=labeled.conversation, draft=draft, errors=labeled.errors)
        after = given.revision.after
        new = new_check_errors(labeled.conversation, labeled.summary, after)
        told = score_repair(labeled.summary, labeled.revised or "", after, new_errors=len(new))
        return Outcome(told.score, told.feedback, {"revised": after}, {"mended": told.mended, "kept": told.kept})

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return revision_fields(examples, run, taxonomy)

    def wanted(labeled: LabeledExample) -> bool:
        return bool(labeled.errors and labeled.revised)

    return Target("revise", "editor", build, wanted, "summary with errors and a correction", fields, answer)


def _judge(run: Run, _: Taxonomy, __: LabeledSet) -> Target:
    def build(_: LabeledSet) -> dspy.Module:
        program = build_judge(run, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        given = (await program.acall(conversation=labeled.conversation, summary=labeled.summary)).rating
        return judged(given, labeled.rating or 0, labeled)

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [
            {
                "conversation": labeled.conversation.as_numbered_text(),
                "summary": labeled.summary,
                "reasons": told_reasons(labeled.errors),
                # People rate the whole: a demonstration has to be complete, so its aspects stand at that.
                **dict.fromkeys(("faithful", "complete", "concise", "rating"), labeled.rating),
            }
            for labeled in examples
        ]

    return Target("judge", "judge", build, lambda labeled: labeled.rating is not None, "rating", fields, answer)


def _summarize(run: Run, _: Taxonomy, __: LabeledSet) -> Target:
    judge = build_judge(run)

    def build(_: LabeledSet) -> dspy.Module:
        program = build_teacher(run, compiled=False)
        program.set_lm(None)
        return program

    async def answer(program: dspy.Module, labeled: LabeledExample) -> Outcome:
        text = (await program.acall(conversation=labeled.conversation)).summary
        given: Rating = (await judge.acall(conversation=labeled.conversation, summary=text)).rating
        overlap = rouge(text, references(labeled))["rougeL"]
        score = ((given.rating - 1) / _RATINGS + overlap) / 2
        feedback = (
            f"Rated {given.rating} of 5: {given.reasons}\nROUGE-L {overlap:.2f} against: {references(labeled)[0]}"
        )
        return Outcome(score, feedback, {"summary": text}, {"rating": given.rating, "rougeL": overlap})

    def fields(examples: LabeledSet) -> list[dict[str, Any]]:
        return [{"conversation": item.conversation.as_text(), "summary": references(item)[0]} for item in examples]

    what = "correction or reference summary"
    return Target("summarize", "teacher", build, lambda labeled: bool(references(labeled)), what, fields, answer)


def references(labeled: LabeledExample) -> tuple[str, ...]:
    """What a good summary of the conversation may read like: the correction first, then the corpus's references."""
    return tuple(text for text in (labeled.revised, *labeled.conversation.references) if text and text.strip())


def judged(given: Rating, human: int, labeled: LabeledExample) -> Outcome:
    """The score of one rating, `1 - |judge - human| / 4`: near misses count, which a share of equal ratings would not.

    Agreement corrected for chance is a figure of a whole side, not of one summary; it stands on the card.
    """
    off = given.rating - human
    said = f"People rate this summary {human}: {told_reasons(labeled.errors)}"
    feedback = said if off else f"Right. {said}"
    if off:
        feedback = f"{given.rating} is too {'high' if off > 0 else 'low'}. {said}"
    shown = {"rating": given.rating, "reasons": given.reasons}
    return Outcome(1 - abs(off) / _RATINGS, feedback, shown, {"judge": given.rating, "human": human})


def told_reasons(errors: tuple[ErrorNote, ...]) -> str:
    """The errors as the reasons of a rating."""
    return " ".join(note.explanation for note in errors if note.explanation) or "Nothing is wrong or missing."


def new_check_errors(conversation: Conversation, before: str, after: str) -> list[ErrorNote]:
    """What the deterministic checks find in a revision and did not find in the draft."""
    old = run_checks(conversation, before)
    return [note for note in run_checks(conversation, after) if not any(same_error(note, item) for item in old)]


def revision_fields(examples: LabeledSet, run: Run, taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Values for the editor's predictors; the strategy `taxonomy`, which sees no errors, has fields of its own."""
    config = run.config.revise
    if config.strategy == "taxonomy":
        common = {"common_errors": taxonomy.as_text(), "feedback": ""}
        return [
            {
                **common,
                "conversation": labeled.conversation.as_numbered_text(),
                "summary": labeled.summary,
                "revised": labeled.revised,
            }
            for labeled in examples
        ]
    # Where sentences are mended one by one, a case of which none was rewritten or added cannot be shown.
    shown = [revision_examples([labeled], config.strategy, config.edits) for labeled in examples]
    return [plain(dict(items[0])) if items else {} for items in shown]
