"""The conversations that an estimate is made from.

The stages' own programs over sampled rows: which calls each of them would make, in the three scenes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from arf_programs.config import ModelConfig
from arf_programs.corpus import load_seed_taxonomy
from arf_programs.estimating.recorder import KINDS, Asked, Kind, Recorder, Scene, stand_in_draft
from arf_programs.models import build_lm
from arf_programs.programs import Analyze, ComparePair, MergeNotes, Revise, Summarize, TakeNotes
from arf_programs.runs import Run, read_jsonl
from arf_programs.stages import (
    TEACHER,
    build_analyzer,
    build_judge,
    build_reviser,
    build_teacher,
    further_programs,
    models_of_systems,
    pairs_to_compare,
)
from signatures.records import Conversation, DraftErrors, ErrorNote, Summary


@dataclass(frozen=True)
class Sample:
    """Sampled conversations of both sides, with the number of those that there are, and drafts by id and kind."""

    train: Sequence[Conversation]
    holdout: Sequence[Conversation]
    train_size: int
    holdout_size: int
    drafts: Mapping[str, Mapping[Kind, str]]


def draw(run: Run, size: int) -> Sample:
    """At most `size` conversations of each side, by a hash of seed and id, so that a larger sample holds a smaller one.

    A draft is the teacher's where its stage is whole.
    """
    sides = run.conversations("train"), run.conversations("holdout")
    train, holdout = (_first(side.values(), size, run.config.seed) for side in sides)
    known: dict[str, str] = {}
    if run.folder.drafts.exists():
        known = {item.conversation_id: item.text for side in ("train", "holdout") for item in run.drafts(side)}
    drafts = {
        item.id: {kind: known.get(item.id) or stand_in_draft(item, kind) for kind in KINDS}
        for item in (*train, *holdout)
    }
    return Sample(train, holdout, len(sides[0]), len(sides[1]), drafts)


def _first(conversations: Iterable[Conversation], size: int, seed: int) -> list[Conversation]:
    def rank(item: Conversation) -> bytes:
        return hashlib.sha256(f"{seed}/{item.id}".encode()).digest()

    return sorted(conversations, key=rank)[:size]


Scenes = dict[Kind, list[Asked]]
"""The calls about one row, scene by scene."""


@dataclass
class Asking:
    """What a stage asks: of `rows` in all, `sampled` were tried; `once` is asked once, whatever the number of rows.

    With `known` the errors of the drafts are those that were found, so no share of clean drafts has to be supposed.
    """

    rows: int
    sampled: list[Scenes] = field(default_factory=list)
    once: list[Scenes] = field(default_factory=list)
    known: bool = False


def ask_draft(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """One call a conversation."""
    teacher = build_teacher(run)
    return Asking(
        sample.train_size + sample.holdout_size,
        [_summarised(teacher, item, sample, recorder) for item in _both(sample)],
    )


def ask_taxonomy(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Open notes on a sample of drafts, and their induction; nothing where a taxonomy is given."""
    config = run.config
    rows = 0 if config.analyze.taxonomy else min(config.analyze.notes_sample, sample.train_size)
    if not rows:
        return Asking(0)
    lm = build_lm(config.models.analyst, seed=config.seed)
    take = TakeNotes(retries=config.analyze.parse_retries)
    merge = MergeNotes(max_categories=config.analyze.max_categories, retries=config.analyze.parse_retries)
    take.set_lm(lm)
    merge.set_lm(lm)
    asking, notes = Asking(rows), dict.fromkeys(KINDS, 0)
    for item in sample.train[:rows]:
        scenes: Scenes = {}
        for kind, text in sample.drafts[item.id].items():
            answer, scenes[kind] = recorder.ask(Scene(kind, text), partial(take.acall, conversation=item, summary=text))
            notes[kind] += len(answer.notes)
        asking.sampled.append(scenes)
    asking.once.append(_induction(merge, {kind: notes[kind] * rows // len(asking.sampled) for kind in KINDS}, recorder))
    return asking


def _induction(merge: MergeNotes, notes: dict[Kind, int], recorder: Recorder) -> Scenes:
    """The calls that sort so many notes; none is needed for none."""
    text = "The summary says this, but the conversation says something else, and the customer was told otherwise."
    return {
        kind: recorder.ask(Scene(kind, ""), partial(merge.acall, notes=[text] * count, seed=load_seed_taxonomy()))[1]
        if count
        else []
        for kind, count in notes.items()
    }


def ask_analyze(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """The analyst's strategy over training drafts."""
    analyzer = build_analyzer(run)
    analyzer.checks = False  # the scene says what is wrong
    return Asking(sample.train_size, [_analysed(analyzer, item, sample, recorder) for item in sample.train])


def ask_revise(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Editor and verifier over training drafts, by every strategy and sample: their errors are those found, where that
    stage is whole, else the scene's."""
    analyzer = build_analyzer(run)
    analyzer.checks = False
    asked = [(run.config.revise.strategy, 1), *further_programs(run.config)]
    revisers = [build_reviser(run, strategy=strategy, sample=number) for strategy, number in asked]
    for reviser in revisers:
        reviser.verify.analyze.checks = False
    found = _found_errors(run)
    asking = Asking(sample.train_size if found is None else len(found), known=found is not None)
    for item in sample.train if found is None else [item for item in sample.train if item.id in found]:
        scenes: Scenes = {}
        for kind, text in sample.drafts[item.id].items():
            scene = Scene(kind, text)
            if found is None:
                errors = recorder.ask(scene, partial(analyzer.acall, conversation=item, summary=text))[0].errors
            else:
                errors = found[item.id]
            given = Summary(conversation_id=item.id, text=text, system=TEACHER, model="")
            told = {"conversation": item, "draft": given, "errors": errors}
            made = [recorder.ask(scene, partial(reviser.acall, **told)) for reviser in revisers]
            scenes[kind] = [call for _, calls in made for call in calls]
        asking.sampled.append(scenes)
    return asking


def _found_errors(run: Run) -> dict[str, tuple[ErrorNote, ...]] | None:
    if not run.folder.errors.exists():
        return None
    return {row.conversation_id: row.errors for row in read_jsonl(run.folder.errors, DraftErrors)}


def ask_evaluate(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Summaries by every system, analyst and judge for each summary, and the judge for each pair of systems."""
    config = run.config.evaluate
    analyzer = build_analyzer(run, model=config.analyst)
    analyzer.checks = False
    programs = [_system(run, model) for model in models_of_systems(run).values()]
    reviser = build_reviser(run) if config.reviser else None
    if reviser is not None:
        reviser.verify.analyze.checks = False
    asking = Asking(sample.holdout_size)
    for item in sample.holdout:
        about = [_analysed(analyzer, item, sample, recorder)]
        about += [_rated(run, item, sample, recorder)] if config.judge else []
        made = [_summarised(program, item, sample, recorder) for program in programs]
        made += [_revised(run, reviser, item, sample, recorder)] if reviser is not None else []
        judged = len(pairs_to_compare(run)) if config.judge and config.pairwise else 0
        compared = [_compared(run, item, sample, recorder)] * judged if judged else []
        asking.sampled.append(_joined([*about * (1 + len(made)), *made, *compared]))
    return asking


def _rated(run: Run, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    judge = build_judge(run)
    return {
        kind: recorder.ask(Scene(kind, text), partial(judge.acall, conversation=item, summary=text))[1]
        for kind, text in sample.drafts[item.id].items()
    }


def _revised(run: Run, reviser: Revise, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    """The reviser over a holdout draft: analysed as in training, then revised and verified."""
    analyzer = build_analyzer(run)
    analyzer.checks = False
    scenes: Scenes = {}
    for kind, text in sample.drafts[item.id].items():
        scene = Scene(kind, text)
        found, asked = recorder.ask(scene, partial(analyzer.acall, conversation=item, summary=text))
        given = Summary(conversation_id=item.id, text=text, system=TEACHER, model="")
        work = partial(reviser.acall, conversation=item, draft=given, errors=found.errors)
        scenes[kind] = [*asked, *recorder.ask(scene, work)[1]]
    return scenes


def _compared(run: Run, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    judge = ComparePair(retries=0)
    judge.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    scenes: Scenes = {}
    for kind, text in sample.drafts[item.id].items():
        a, b = (Summary(conversation_id=item.id, text=said, system=said, model="") for said in (text, f"{text} Again."))
        scenes[kind] = recorder.ask(Scene(kind, text), partial(judge.acall, conversation=item, a=a, b=b))[1]
    return scenes


def _system(run: Run, model: ModelConfig) -> Summarize:
    program = Summarize(run.config.summarize.instruction, retries=0)
    program.set_lm(build_lm(model, seed=run.config.seed))
    return program


def _analysed(analyzer: Analyze, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    return {
        kind: recorder.ask(Scene(kind, text), partial(analyzer.acall, conversation=item, summary=text))[1]
        for kind, text in sample.drafts[item.id].items()
    }


def _summarised(program: Summarize, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    return {
        kind: recorder.ask(Scene(kind, text), partial(program.acall, conversation=item))[1]
        for kind, text in sample.drafts[item.id].items()
    }


def _joined(parts: Sequence[Scenes]) -> Scenes:
    return {kind: [call for part in parts for call in part[kind]] for kind in KINDS}


def _both(sample: Sample) -> list[Conversation]:
    return [*sample.train, *sample.holdout]


ASKING: Final[dict[str, Callable[[Run, Sample, Recorder], Asking]]] = {
    "draft": ask_draft,
    "taxonomy": ask_taxonomy,
    "analyze": ask_analyze,
    "revise": ask_revise,
    "evaluate": ask_evaluate,
}
"""The stages that ask models, in their order."""
