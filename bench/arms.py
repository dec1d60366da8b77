"""The ways to analyse and to mend that `analysts.py` compares, each with the calls that it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dspy
from labelled_places import Case, labelled_notes
from rich.console import Console

from arf_programs.checks.run import run_checks
from arf_programs.config.models import ModelConfig
from arf_programs.corpus.taxonomy import load_seed_taxonomy
from arf_programs.metrics.detectors.calibration import Calibration, fit_calibration
from arf_programs.models.answers.store import open_store
from arf_programs.models.calls.lm import build_lm, gives_logprobs
from arf_programs.models.calls.session import CallContext, Session, calling
from arf_programs.programs.analysis.analyze import Analyze, HolisticAnalysis, SentencewiseAnalysis
from arf_programs.programs.analysis.reported_errors import is_omission, merge_errors
from arf_programs.programs.analysis.support import SentenceSupport, support_of
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.propose import EditSummary, Propose
from arf_programs.programs.revision.revise import Revise
from arf_programs.programs.revision.verify import VerifyRevision
from arf_programs.runner.rows import RowKey, run_rows
from arf_programs.runs.ledger import read_ledger
from arf_programs.runs.progress import Progress
from arf_programs.text.error_notes import group_by_sentence
from arf_programs.text.sentences import split_sentences
from signatures.records import ErrorNote, Summary

Notes = Mapping[str, Sequence[ErrorNote]]
Strategy = Literal["holistic", "sentencewise"]
RETRIES = 1
MIN_WORDS = 8


@dataclass(frozen=True)
class Arm:
    """One way to analyse: the errors of each case by its name, and a score of each whole summary.

    `strategy` and `calibrations` (by conversation) belong to the analyst that verifies revisions.
    """

    name: str
    notes: Notes
    scores: Mapping[str, float] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    strategy: Strategy | None = None
    calibrations: Mapping[str, Calibration | None] = field(default_factory=dict)


class Bench:
    """The model, the cases and the store of answers."""

    def __init__(self, config: ModelConfig, cases: list[Case], folder: Path) -> None:
        self.config, self.cases, self.folder = config, cases, folder
        self.lm = build_lm(config, seed=17)
        self.taxonomy = load_seed_taxonomy()
        self.progress = Progress(Console(stderr=True))

    def ask(self, stage: str, work: Callable[[Case], Awaitable[Any]], cases: Sequence[Case]) -> dict[str, Any]:
        """The results of `work` by the names of the cases. Cases that fail are printed and left out."""
        with (
            open_store(self.folder / "calls", self.folder / "calls.jsonl") as store,
            calling(CallContext(Session(store), stage=stage)),
            dspy.context(adapter=dspy.JSONAdapter(), disable_history=True),
        ):
            outcome = asyncio.run(
                run_rows(
                    cases,
                    work,
                    key=lambda case: RowKey(case.name),
                    stage=stage,
                    concurrency=self.config.concurrency,
                    progress=self.progress,
                )
            )
        for failure in outcome.failures:
            self.progress.say(f"{stage}: {failure.conversation_id}: {failure.reason}")
        return outcome.results

    def support(self, calibration: Calibration | None = None) -> SentenceSupport:
        """The support question to the model."""
        made = SentenceSupport(retries=RETRIES, logprobs=gives_logprobs(self.config), calibration=calibration)
        made.set_lm(self.lm)
        return made

    def analyzer(
        self, strategy: Strategy | None, calibration: Calibration | None = None, *, checks: bool = False
    ) -> Analyze:
        """An analyser with a strategy; without one it has checks alone."""
        if strategy is None:
            return Analyze(None, checks=True)
        analysis: HolisticAnalysis | SentencewiseAnalysis = HolisticAnalysis(self.taxonomy, retries=RETRIES)
        if strategy == "sentencewise":
            analysis = SentencewiseAnalysis(self.taxonomy, self.support(calibration), retries=RETRIES)
        program = Analyze(analysis, checks=checks)
        program.set_lm(self.lm)
        return program

    def reviser(self, arm: Arm, call: str, form: str) -> Revise:
        """A reviser for the conversation `call`. Its verifier is the arm's analyst with checks."""
        calibration = arm.calibrations.get(call)
        propose: Propose = EditSentences(retries=RETRIES, min_words=MIN_WORDS)
        if form == "together":
            propose = EditSummary(retries=RETRIES)
        propose.use(self.lm)
        analyze = self.analyzer(arm.strategy, calibration, checks=True)
        verify = VerifyRevision(analyze, max_change=0.6, min_words=MIN_WORDS, support=self.support(calibration))
        return Revise(propose, verify, attempts=2, on_reject="keep_partial")

    def usage(self, stages: Sequence[str], summaries: int) -> tuple[float, float]:
        """(calls, tokens) a summary, without answers from the store."""
        booked = [call for call in read_ledger(self.folder / "calls.jsonl") if call.stage in stages and call.paid]
        tokens = sum(call.prompt_tokens + call.completion_tokens for call in booked)
        return len(booked) / max(1, summaries), tokens / max(1, summaries)


def all_arms(bench: Bench, strategies: Sequence[str]) -> list[Arm]:
    """Every arm, analysed."""
    checked = {case.name: about_statements(run_checks(case.conversation, case.summary)) for case in bench.cases}
    arms = [Arm("checks only", checked, {name: float(len(notes)) for name, notes in checked.items()})]
    if "holistic" in strategies:
        arms += _with_and_without_checks(bench, _holistic(bench), checked)
    if "sentencewise" in strategies:
        by_word, calibrated = _sentencewise(bench)
        arms += [by_word, *_with_and_without_checks(bench, calibrated, checked)]
    return arms


def about_statements(notes: Sequence[ErrorNote]) -> list[ErrorNote]:
    """The errors without omissions, which these labels do not cover."""
    return [note for note in notes if not is_omission(note.category)]


def revise_all(bench: Bench, arm: Arm, form: str, cases: Sequence[Case]) -> dict[str, str]:
    """The revised summary of each case."""
    calls = dict.fromkeys(case.conversation.id for case in cases)
    revisers = {call: bench.reviser(arm, call, form) for call in calls}

    async def revise(case: Case) -> str:
        draft = Summary(conversation_id=case.conversation.id, text=case.summary, system="bench", model="")
        errors = tuple(arm.notes.get(case.name, ()))
        program = revisers[case.conversation.id]
        answer = await program.acall(conversation=case.conversation, draft=draft, errors=errors)
        return str(answer.revision.after)

    return bench.ask(f"fix {arm.name} {form}", revise, cases)


def _holistic(bench: Bench) -> Arm:
    program = bench.analyzer("holistic")
    answers = bench.ask(
        "holistic", lambda case: program.acall(conversation=case.conversation, summary=case.summary), bench.cases
    )
    notes = {name: about_statements(answer.errors) for name, answer in answers.items()}
    scores = {name: float(len(found)) for name, found in notes.items()}
    return Arm("holistic", notes, scores, ("holistic",), "holistic")


def _sentencewise(bench: Bench) -> tuple[Arm, Arm]:
    """(by the word, calibrated). The calibration of the second never saw the conversation of the summary."""
    scores = _sentence_scores(bench)
    # The score of a summary is that of its worst sentence.
    worst = {name: max((v for v in values if v is not None), default=0.0) for name, values in scores.items()}
    cases = [case for case in bench.cases if case.name in scores]
    by_word = Arm(
        "sentencewise, by the word",
        {case.name: _unsupported(case, scores[case.name]) for case in cases},
        worst,
        ("support",),
        "sentencewise",
    )
    fitted = _cross_fitted(bench, scores)
    programs = {call: bench.analyzer("sentencewise", calibration) for call, calibration in fitted.items()}
    answers = bench.ask(
        "sentencewise",
        lambda case: programs[case.conversation.id].acall(conversation=case.conversation, summary=case.summary),
        cases,
    )
    notes = {name: about_statements(answer.errors) for name, answer in answers.items()}
    return by_word, Arm("sentencewise", notes, worst, ("support", "sentencewise"), "sentencewise", fitted)


def _sentence_scores(bench: Bench) -> dict[str, list[float]]:
    """The raw score of each sentence; 0 or 1 if the model gives no probabilities."""
    question = bench.support()

    async def ask_all(case: Case) -> list[float]:
        scores = []
        for text in split_sentences(case.summary):
            answer = await question.acall(conversation=case.conversation, sentence=text)
            scores.append(1 - support_of(answer.score))
        return scores

    return bench.ask("support", ask_all, bench.cases)


def _unsupported(case: Case, scores: Sequence[float]) -> list[ErrorNote]:
    scored = zip(split_sentences(case.summary), scores, strict=True)
    return [
        ErrorNote(id=text, category="fabricated", quote=text, score=score) for text, score in scored if score >= 0.5
    ]


def _cross_fitted(bench: Bench, scores: Mapping[str, list[float]]) -> dict[str, Calibration | None]:
    """The calibration for each conversation on the sentences of all others; None without both kinds of sentence."""
    fitted: dict[str, Calibration | None] = {}
    for call in dict.fromkeys(case.conversation.id for case in bench.cases):
        others = (case for case in bench.cases if case.conversation.id != call)
        rows = [row for case in others for row in _sentence_rows(case, scores)]
        values, wrong = [score for score, _ in rows], [label for _, label in rows]
        both = len(set(wrong)) == 2
        fitted[call] = fit_calibration(values, wrong, model=bench.config.model, prompt="") if both else None
    return fitted


def _sentence_rows(case: Case, scores: Mapping[str, list[float]]) -> list[tuple[float, bool]]:
    """(score, wrong) of each sentence; none for a flawed summary without a correction."""
    if case.name not in scores or (case.flawed and not case.places):
        return []
    wrong = group_by_sentence(case.summary, labelled_notes(case))
    return [(score, index in wrong) for index, score in enumerate(scores[case.name])]


def _with_and_without_checks(bench: Bench, arm: Arm, checked: Notes) -> list[Arm]:
    """The arm by its model only, and with the checks. An error of a check counts more than any score."""
    texts = {case.name: case.summary for case in bench.cases}
    both = {name: merge_errors(checked[name], notes, texts[name]) for name, notes in arm.notes.items()}
    top = max(arm.scores.values(), default=0.0)
    scored = {name: score + (top + len(checked[name]) if checked[name] else 0.0) for name, score in arm.scores.items()}
    rest = (arm.stages, arm.strategy, arm.calibrations)
    return [
        Arm(f"{arm.name}, model only", arm.notes, arm.scores, *rest),
        Arm(f"{arm.name}, with checks", both, scored, *rest),
    ]
