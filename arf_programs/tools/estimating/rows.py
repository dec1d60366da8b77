"""The calls that each stage would make about sampled conversations: its own programs run with stand-in answers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from arf_programs.config import ModelConfig
from arf_programs.corpus import load_seed_taxonomy
from arf_programs.models import build_lm
from arf_programs.programs import Analyze, CheckerSupport, ComparePair, Judge, MergeNotes, Revise, Summarize, TakeNotes
from arf_programs.runs import Run, draw_key, read_jsonl
from arf_programs.stages import (
    AT_ONCE,
    TEACHER,
    Variant,
    build_analyzer,
    build_judge,
    build_reviser,
    build_teacher,
    further_programs,
    models_of_systems,
    pairs_to_compare,
    planted_talks,
    support_to_calibrate,
)
from arf_programs.text import locate_error
from arf_programs.tools.estimating.recorder import KINDS, Asked, Kind, Recorder, Scene, stand_in_draft
from signatures.records import Conversation, DraftErrors, ErrorNote, Summary


@dataclass(frozen=True)
class Sample:
    """Sampled conversations of both sides, the sizes of the sides, and drafts by conversation id and kind."""

    train: Sequence[Conversation]
    holdout: Sequence[Conversation]
    train_size: int
    holdout_size: int
    drafts: Mapping[str, Mapping[Kind, str]]


def draw(run: Run, size: int) -> Sample:
    """Draw at most `size` conversations of each side, by a hash of seed and id. A larger sample holds a smaller one.

    A draft is the teacher's if that stage is whole or the corpus has it, else a stand-in.
    """
    sides = run.conversations("train"), run.conversations("holdout")
    train, holdout = (_first(side.values(), size, run.config.seed) for side in sides)
    written: dict[str, str] = {}
    if run.folder.drafts.exists():
        written = {item.conversation_id: item.text for side in ("train", "holdout") for item in run.drafts(side)}
    drafts = {
        item.id: {kind: written.get(item.id) or item.draft or stand_in_draft(item, kind) for kind in KINDS}
        for item in (*train, *holdout)
    }
    return Sample(train, holdout, len(sides[0]), len(sides[1]), drafts)


def _first(conversations: Iterable[Conversation], size: int, seed: int) -> list[Conversation]:
    return sorted(conversations, key=lambda item: draw_key(seed, item.id))[:size]


_NOTE = "The summary says this, but the conversation says something else, and the customer was told otherwise."
Work = Coroutine[Any, Any, Any]
Scenes = dict[Kind, list[Asked]]
"""The calls about one row, scene by scene."""


_NOBODY_ASKED: Final[Scenes] = {kind: [] for kind in KINDS}


@dataclass
class Asking:
    """The calls of a stage: those about each tried row (`sampled`), and those made once whatever the number of rows.

    `rows` is the number of all rows. With `errors_known` the errors are those of the run's own drafts, so no share of
    clean drafts has to be assumed.
    """

    rows: int
    sampled: list[Scenes] = field(default_factory=list)
    once: list[Scenes] = field(default_factory=list)
    errors_known: bool = False


def ask_draft(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """One call for each conversation that has no draft in the corpus; none where no model is asked for drafts."""
    if not run.config.models.asked(("teacher",)):
        return Asking(0)
    teacher = build_teacher(run)
    rows = [
        _summarised(teacher, item, sample, recorder) if item.draft is None else _NOBODY_ASKED
        for item in (*sample.train, *sample.holdout)
    ]
    return Asking(sample.train_size + sample.holdout_size, rows)


def ask_taxonomy(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Open notes on a sample of drafts, and the categories made of them; nothing if a taxonomy is given."""
    config = run.config
    rows = 0 if config.analyze.taxonomy else min(config.analyze.notes_sample, sample.train_size)
    if not rows:
        return Asking(0)
    lm = build_lm(config.models.analyst, seed=config.seed)
    take = TakeNotes(retries=config.models.analyst.parse_retries)
    merge = MergeNotes(max_categories=config.analyze.max_categories, retries=config.models.analyst.parse_retries)
    take.set_lm(lm)
    merge.set_lm(lm)
    asking, notes = Asking(rows), dict.fromkeys(KINDS, 0)
    for item in sample.train[:rows]:
        scenes: Scenes = {}
        for kind, text in sample.drafts[item.id].items():
            answer, scenes[kind] = recorder.ask(Scene(kind, text), take.acall(conversation=item, summary=text))
            notes[kind] += len(answer.notes)
        asking.sampled.append(scenes)
    merged: Scenes = {}
    for kind in KINDS:
        texts = [_NOTE] * (notes[kind] * rows // len(asking.sampled))
        work = merge.acall(notes=texts, seed=load_seed_taxonomy()) if texts else None
        merged[kind] = recorder.ask(Scene(kind, ""), work)[1] if work else []
    asking.once.append(merged)
    return asking


def ask_analyze(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """The analyst's strategy over training drafts, and before it the questions of the run's own calibration."""
    analyzer = _analyzer(run, recorder)
    rows = [_about_draft(analyzer, item, sample, recorder) for item in sample.train]
    return Asking(sample.train_size, rows, [_calibration(run, recorder)])


def _calibration(run: Run, recorder: Recorder) -> Scenes:
    """The support questions that calibrate the analyst. At best they end early, since the model cannot tell."""
    support = support_to_calibrate(run)
    talks = planted_talks(run) if support is not None else []
    asked: list[Asked] = []
    for talk in talks:
        for item in talk.sentences:
            work = support.acall(conversation=talk.summary.conversation, sentence=item.sentence) if support else None
            asked += recorder.ask(Scene("clean", item.sentence), work)[1] if work else []
    return {"clean": asked[:AT_ONCE], "typical": asked, "worst": asked}


def ask_revise(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Editor and verifier over training drafts, by every strategy, sample and editor.

    The errors are those that the run's analyst reported if that stage is whole, else those of the scene.
    """
    analyzer = _analyzer(run, recorder)
    variants = [Variant(run.config.revise.strategy), *further_programs(run.config)]
    revisers = [_reviser(run, recorder, variant) for variant in variants]
    reported = _reported_errors(run)
    asking = Asking(sample.train_size if reported is None else len(reported), errors_known=reported is not None)
    for item in sample.train:
        if reported is not None and item.id not in reported:
            continue
        scenes: Scenes = {}
        for kind, text in sample.drafts[item.id].items():
            scene = Scene(kind, text)
            errors = _find(analyzer, item, text, scene, recorder)[0] if reported is None else reported[item.id]
            draft = _as_draft(item, text)
            works = [reviser.acall(conversation=item, draft=draft, errors=errors) for reviser in revisers]
            scenes[kind] = [call for work in works for call in recorder.ask(scene, work)[1]]
        asking.sampled.append(scenes)
    return asking


def _reported_errors(run: Run) -> dict[str, tuple[ErrorNote, ...]] | None:
    if not run.folder.errors.exists():
        return None
    return {row.conversation_id: row.errors for row in read_jsonl(run.folder.errors, DraftErrors)}


def ask_evaluate(run: Run, sample: Sample, recorder: Recorder) -> Asking:
    """Summaries by every system, analyst and judge for each summary, and the judge for each pair of systems."""
    config = run.config.evaluate
    raters: list[Analyze | Judge] = [
        _analyzer(run, recorder, model=config.analyst),
        *([build_judge(run)] if config.judge else []),
    ]
    systems = [_system(run, model) for model in models_of_systems(run).values()]
    analyzer, reviser = _analyzer(run, recorder), _reviser(run, recorder) if config.reviser else None
    pairs = len(pairs_to_compare(run)) if config.judge and config.pairwise else 0
    comparison = ComparePair(retries=0)
    if pairs:
        comparison.set_lm(build_lm(run.config.models.judge, seed=run.config.seed))
    asking = Asking(sample.holdout_size)
    for item in sample.holdout:
        ratings = [_about_draft(rater, item, sample, recorder) for rater in raters]
        summaries = [_summarised(system, item, sample, recorder) for system in systems]
        summaries += [_revised(analyzer, reviser, item, sample, recorder)] if reviser else []
        compared = [_compared(comparison, item, sample, recorder)] * pairs if pairs else []
        parts = [*ratings * (1 + len(summaries)), *summaries, *compared]
        asking.sampled.append({kind: [call for part in parts for call in part[kind]] for kind in KINDS})
    return asking


def _revised(analyzer: Analyze, reviser: Revise, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    """The calls of the reviser about a holdout draft: it is analysed as in training, then revised and verified."""
    scenes: Scenes = {}
    for kind, text in sample.drafts[item.id].items():
        scene = Scene(kind, text)
        errors, analysed = _find(analyzer, item, text, scene, recorder)
        work = reviser.acall(conversation=item, draft=_as_draft(item, text), errors=errors)
        scenes[kind] = [*analysed, *recorder.ask(scene, work)[1]]
    return scenes


def _find(
    analyzer: Analyze, item: Conversation, text: str, scene: Scene, recorder: Recorder
) -> tuple[Sequence[ErrorNote], list[Asked]]:
    """Return the errors of a scene, and the calls that find them. Without an analyst the checks find them."""
    if analyzer.analysis is not None:
        answer, asked = recorder.ask(scene, analyzer.acall(conversation=item, summary=text))
        return answer.errors, asked
    note = partial(locate_error, text, item, category="wrong_fact", evidence=[1], explanation=_NOTE, source="check")
    return [note(quote=sentence) for sentence in scene.wrong(text)], []


def _compared(judge: ComparePair, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    def compare(text: str) -> Work:
        a, b = (Summary(conversation_id=item.id, text=each, system=each, model="") for each in (text, f"{text} Again."))
        work: Work = judge.acall(conversation=item, a=a, b=b)
        return work

    return _in_scenes(item, sample, recorder, compare)


def _system(run: Run, model: ModelConfig) -> Summarize:
    program = Summarize(run.config.summarize.instruction, retries=0)
    program.set_lm(build_lm(model, seed=run.config.seed))
    return program


def _analyzer(run: Run, recorder: Recorder, *, model: bool = True) -> Analyze:
    """Build the analyst without checks, since the scene says what is wrong."""
    analyzer = build_analyzer(run, model=model)
    analyzer.checks = False
    _spare_checker(analyzer, recorder)
    return analyzer


def _spare_checker(program: Analyze | Revise, recorder: Recorder) -> None:
    """Let the scene answer in place of a checker, which costs no call and would take long to load."""

    async def supports(conversation: Conversation, sentence: str) -> float:
        return 0.0 if recorder.scene.wrong(sentence) else 1.0

    for _, support in program.named_sub_modules(CheckerSupport):
        support.supports = supports


def _reviser(run: Run, recorder: Recorder, variant: Variant | None = None) -> Revise:
    reviser = build_reviser(run, variant=variant)
    reviser.verify.analyze.checks = False
    _spare_checker(reviser, recorder)
    return reviser


def _summarised(program: Summarize, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    return _in_scenes(item, sample, recorder, lambda _: program.acall(conversation=item))


def _about_draft(program: Analyze | Judge, item: Conversation, sample: Sample, recorder: Recorder) -> Scenes:
    return _in_scenes(item, sample, recorder, lambda text: program.acall(conversation=item, summary=text))


def _in_scenes(item: Conversation, sample: Sample, recorder: Recorder, work: Callable[[str], Work]) -> Scenes:
    """The calls of `work`, which is given the draft of each scene."""
    return {kind: recorder.ask(Scene(kind, text), work(text))[1] for kind, text in sample.drafts[item.id].items()}


def _as_draft(item: Conversation, text: str) -> Summary:
    return Summary(conversation_id=item.id, text=text, system=TEACHER, model="")


ASKING: Final[dict[str, Callable[[Run, Sample, Recorder], Asking]]] = {
    "draft": ask_draft,
    "taxonomy": ask_taxonomy,
    "analyze": ask_analyze,
    "revise": ask_revise,
    "evaluate": ask_evaluate,
}
"""The stages that ask models, in their order."""
