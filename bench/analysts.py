"""How well an analyst sees, and an editor mends, the errors of summaries with human-checked labels.

    python bench/analysts.py sales_calls.jsonl --model embedded/smollm2-135m --limit 40 --fix 8

Reads JSONL rows with conversation, summary, errors ([] for a right one) and revised (the corrected summary); without a
path, `sales_calls_dev.jsonl` in the folder that ARF_DATA_DIR names. Summaries of one conversation are one cluster:
thresholds are always fitted on the others (leave one conversation out). The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dspy
from labelled_places import Case, kept_share, labelled_notes, place_counts, read_cases, repairs
from rich.console import Console
from sklearn.metrics import roc_auc_score

from arf_programs.calibration import Calibration, balanced_accuracy, best_threshold, fit_calibration
from arf_programs.checks import run_checks
from arf_programs.config.models import ModelConfig
from arf_programs.error_notes import is_omission, merge_errors
from arf_programs.flagged import notes_by_sentence
from arf_programs.models.call_store import call_store, calls_of, read_ledger
from arf_programs.models.lm import build_lm
from arf_programs.models.logprobs import gives_logprobs
from arf_programs.programs.analyze import AnalyzeSummary
from arf_programs.programs.edit_sentences import EditSentences
from arf_programs.programs.holistic import HolisticAnalysis
from arf_programs.programs.propose import EditSummary, Propose
from arf_programs.programs.revise import ReviseDraft
from arf_programs.programs.sentencewise import SentencewiseAnalysis
from arf_programs.programs.support import SentenceSupport
from arf_programs.programs.support_scores import summary_score
from arf_programs.programs.verify import VerifyRevision
from arf_programs.progress import Progress
from arf_programs.runner import RowKey, run_rows
from arf_programs.sentences import split_sentences
from arf_programs.taxonomy.seed import seed_taxonomy
from signatures.records import ErrorNote, Summary

RETRIES = 1


@dataclass
class Arm:
    """One way to analyse: for each case its errors and, where there is one, a score of the whole summary."""

    name: str
    notes: dict[str, Sequence[ErrorNote]]
    scores: dict[str, float]
    stages: tuple[str, ...] = ()
    fix: dict[str, Any] = field(default_factory=dict)


class Bench:
    """The model, the cases and the store of answers."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.config = ModelConfig(model=options.model, concurrency=options.concurrency, max_tokens=options.max_tokens)
        self.lm = build_lm(self.config, seed=17)
        self.cases = read_cases(options.path, options.limit)
        self.folder, self.taxonomy = folder, seed_taxonomy()
        self.progress = Progress(Console(stderr=True))

    def ask(
        self, stage: str, work: Callable[[Case], Awaitable[Any]], cases: Sequence[Case] | None = None
    ) -> dict[str, Any]:
        """`work` on each case, by its name; what fails is named and left out."""
        rows = self.cases if cases is None else cases
        with (
            call_store(self.folder / "calls", self.folder / "calls.jsonl"),
            calls_of(stage),
            dspy.context(adapter=dspy.JSONAdapter(), disable_history=True),
        ):
            outcome = asyncio.run(
                run_rows(
                    rows,
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
        made = SentenceSupport(retries=RETRIES, logprobs=gives_logprobs(self.config), calibration=calibration)
        made.set_lm(self.lm)
        return made

    def analyzer(
        self, strategy: str, calibration: Calibration | None = None, *, checks: bool = False
    ) -> AnalyzeSummary:
        if strategy == "checks":
            return AnalyzeSummary(None, checks=True)
        analysis: HolisticAnalysis | SentencewiseAnalysis = HolisticAnalysis(self.taxonomy, retries=RETRIES)
        if strategy == "sentencewise":
            analysis = SentencewiseAnalysis(self.taxonomy, self.support(calibration), retries=RETRIES)
        program = AnalyzeSummary(analysis, checks=checks)
        program.set_lm(self.lm)
        return program

    def usage(self, stages: Sequence[str]) -> tuple[float, float]:
        """(calls, tokens) a summary, of answers that were not replayed."""
        booked = [call for call in read_ledger(self.folder / "calls.jsonl") if call.stage in stages and not call.cached]
        tokens = sum(call.prompt_tokens + call.completion_tokens for call in booked)
        return len(booked) / len(self.cases), tokens / len(self.cases)


def about_statements(notes: Sequence[ErrorNote]) -> list[ErrorNote]:
    """Without omissions: labels of this kind say nothing of what is missing."""
    return [note for note in notes if not is_omission(note.category)]


def cross_fitted(bench: Bench, scores: dict[str, list[float]]) -> dict[str, Calibration | None]:
    """For each conversation the calibration of the support question on the sentences of all others."""
    made: dict[str, Calibration | None] = {}
    for call in dict.fromkeys(case.conversation.id for case in bench.cases):
        rows = [row for case in bench.cases if case.conversation.id != call for row in sentence_rows(case, scores)]
        both = len({wrong for _, wrong in rows}) == 2
        made[call] = fit_calibration(*zip(*rows, strict=True), model=bench.config.model, prompt="") if both else None  # type: ignore[arg-type]
    return made


def sentence_rows(case: Case, scores: dict[str, list[float]]) -> list[tuple[float, bool]]:
    """(score, wrong) of each sentence; none for a flawed summary of which nobody knows where."""
    if case.name not in scores or (case.flawed and not case.places):
        return []
    wrong = notes_by_sentence(case.summary, labelled_notes(case))
    return [(score, index in wrong) for index, score in enumerate(scores[case.name])]


def arms(bench: Bench, strategies: Sequence[str]) -> list[Arm]:
    """Every arm, analysed."""
    checked = {case.name: about_statements(run_checks(case.conversation, case.summary)) for case in bench.cases}
    made = [Arm("checks only", checked, {name: float(len(notes)) for name, notes in checked.items()})]
    if "holistic" in strategies:
        program = bench.analyzer("holistic")
        answers = bench.ask(
            "holistic", lambda case: program.acall(conversation=case.conversation, summary=case.summary)
        )
        found = {name: about_statements(answer.errors) for name, answer in answers.items()}
        counts = {name: float(len(notes)) for name, notes in found.items()}
        made += pair("holistic", found, counts, checked, ("holistic",))
    if "sentencewise" in strategies:
        made += sentencewise(bench, checked)
    return made


def sentencewise(bench: Bench, checked: dict[str, Sequence[ErrorNote]]) -> list[Arm]:
    """The sentencewise arms: by the word, and with a calibration that never saw the summary's conversation."""
    question = bench.support()

    async def ask_all(case: Case) -> list[float]:
        asked = [
            await question.acall(conversation=case.conversation, sentence=text)
            for text in split_sentences(case.summary)
        ]
        return [
            answer.score.score if answer.score.score is not None else float(answer.score.flagged) for answer in asked
        ]

    scores = bench.ask("support", ask_all)
    worst = {name: summary_score(values) or 0.0 for name, values in scores.items()}
    by_word = {
        case.name: [
            ErrorNote(id=str(n), category="fabricated", quote=text)
            for n, (text, score) in enumerate(zip(split_sentences(case.summary), scores[case.name], strict=True))
            if score >= 0.5
        ]
        for case in bench.cases
        if case.name in scores
    }
    fitted = cross_fitted(bench, scores)
    programs = {call: bench.analyzer("sentencewise", calibration) for call, calibration in fitted.items()}
    answers = bench.ask(
        "sentencewise",
        lambda case: programs[case.conversation.id].acall(conversation=case.conversation, summary=case.summary),
    )
    found = {name: about_statements(answer.errors) for name, answer in answers.items()}
    stages = ("support", "sentencewise")
    return [
        Arm("sentencewise, by the word", by_word, worst, ("support",)),
        *pair("sentencewise", found, worst, checked, stages),
    ]


def pair(
    name: str,
    found: dict[str, Sequence[ErrorNote]],
    scores: dict[str, float],
    checked: dict[str, Sequence[ErrorNote]],
    stages: tuple[str, ...],
) -> list[Arm]:
    """Model only, and with the checks: what they refute counts more than any score."""
    both = {case: merge_errors(checked[case], notes) for case, notes in found.items()}
    top = max(scores.values(), default=0.0)
    scored = {case: score + (top + len(checked[case]) if checked[case] else 0.0) for case, score in scores.items()}
    return [Arm(f"{name}, model only", found, scores, stages), Arm(f"{name}, with checks", both, scored, stages)]


def measures(bench: Bench, arm: Arm) -> dict[str, Any]:
    """The figures of one arm; those of a threshold on the summary's score are cross-fitted by conversation."""
    cases = [case for case in bench.cases if case.name in arm.notes]
    labels = [case.flawed for case in cases]
    called = [bool(arm.notes[case.name]) for case in cases]
    calls, tokens = bench.usage(arm.stages)
    figures: dict[str, Any] = {"arm": arm.name, "summaries": len(cases), "flawed": sum(labels)}
    if len(set(labels)) == 2:
        scores = [arm.scores[case.name] for case in cases]
        figures |= {
            "balanced_accuracy": balanced_accuracy(called, labels),
            "balanced_accuracy_fitted": balanced_accuracy(fitted_calls(cases, scores), labels),
            "auc": float(roc_auc_score(labels, scores)),
        }
    right = sum(a and b for a, b in zip(called, labels, strict=True))
    counts = [place_counts(case, arm.notes[case.name]) for case in cases if case.places or not case.flawed]
    found, missed, false = (sum(column) for column in zip(*counts, strict=True))
    figures |= {"f1_error": f1(right, sum(labels) - right, sum(called) - right), "f1_places": f1(found, missed, false)}
    return {**figures, **arm.fix, "calls": calls, "tokens": tokens}


def fitted_calls(cases: Sequence[Case], scores: Sequence[float]) -> list[bool]:
    """What is called flawed by the threshold that is best on the other conversations."""
    called = []
    for case, score in zip(cases, scores, strict=True):
        others = [
            (s, c.flawed) for c, s in zip(cases, scores, strict=True) if c.conversation.id != case.conversation.id
        ]
        values, labels = [s for s, _ in others], [flawed for _, flawed in others]
        called.append(score >= best_threshold(values, labels)[0] if len(set(labels)) == 2 else False)
    return called


def f1(found: int, missed: int, false: int) -> float:
    return 2 * found / (2 * found + missed + false) if found else 0.0


def fix(
    bench: Bench, arm: Arm, cases: Sequence[Case], form: str, calibrations: dict[str, Calibration | None]
) -> dict[str, Any]:
    """The reviser on flawed summaries, given the arm's errors: shares of places whose wrong words are gone, and that read
    as the correction does; the share of right words that stand; and calls and tokens for one summary."""
    strategy = arm.name.partition(",")[0].split()[0]
    stage = f"fix {arm.name} {form}"
    revisers = {
        case.conversation.id: reviser(bench, strategy, form, calibrations.get(case.conversation.id)) for case in cases
    }

    async def revise(case: Case) -> str:
        draft = Summary(conversation_id=case.conversation.id, text=case.summary, system="bench", model="")
        answer = await revisers[case.conversation.id].acall(
            conversation=case.conversation, draft=draft, errors=tuple(arm.notes.get(case.name, ()))
        )
        return answer.revision.after

    after = bench.ask(stage, revise, cases)
    done = [(case, after[case.name]) for case in cases if case.name in after]
    places = sum(len(case.places) for case, _ in done)
    gone, right = (sum(column) for column in zip(*(repairs(case, text) for case, text in done), strict=True))
    calls, tokens = bench.usage([stage])
    per = len(bench.cases) / max(1, len(done))
    return {
        "gone": gone / max(1, places),
        "fixed": right / max(1, places),
        "kept": sum(kept_share(case, text) for case, text in done) / max(1, len(done)),
        "fix_calls": calls * per,
        "fix_tokens": tokens * per,
    }


def reviser(bench: Bench, strategy: str, form: str, calibration: Calibration | None) -> ReviseDraft:
    """A reviser whose verifier is the arm's analyst, with checks."""
    support = bench.support(calibration)
    analyze = bench.analyzer(strategy if strategy != "labelled" else "checks", calibration, checks=True)
    propose: Propose = (
        EditSummary(retries=RETRIES) if form == "together" else EditSentences(retries=RETRIES, min_words=8)
    )
    propose.use(bench.lm)
    verify = VerifyRevision(analyze, max_change=0.6, min_words=8, support=support)
    return ReviseDraft(propose, verify, attempts=2, on_reject="keep_partial")


COLUMNS = {
    "arm": "arm",
    "balanced_accuracy": "balanced accuracy",
    "balanced_accuracy_fitted": "at the fitted threshold",
    "auc": "AUC",
    "f1_error": "F1 error",
    "f1_places": "F1 places",
    "gone": "wrong words gone",
    "fixed": "fixed",
    "kept": "right words kept",
    "calls": "calls",
    "tokens": "tokens",
    "fix_calls": "calls to fix",
    "fix_tokens": "tokens to fix",
}


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """A Markdown table of the columns that any row has."""
    names = [name for name in COLUMNS if any(name in row for row in rows)]
    lines = [" | ".join(COLUMNS[name] for name in names), " | ".join("---" if n == "arm" else "---:" for n in names)]
    lines += [" | ".join(shown(name, row.get(name)) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return f"{value:.0f}" if "tokens" in name else f"{value:.1f}" if "calls" in name else f"{value:.2f}"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(os.environ.get("ARF_DATA_DIR", "."))
    parser.add_argument("path", nargs="?", type=Path, default=folder / "sales_calls_dev.jsonl")
    parser.add_argument("--model", default="embedded/smollm2-135m", help="analyst and editor, a LiteLLM string")
    parser.add_argument("--strategies", nargs="*", default=["holistic", "sentencewise"])
    parser.add_argument("--limit", type=int, help="so many summaries, spread over the conversations")
    parser.add_argument("--fix", type=int, default=0, help="revise so many of the flawed summaries with each arm")
    parser.add_argument("--forms", nargs="*", default=["one_by_one"], help="one_by_one, together")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--store", type=Path, help="folder for answers, so that a repeated run asks nothing again")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(options, options.store or Path(temporary))
        measured = arms(bench, options.strategies)
        flawed = [case for case in bench.cases if case.places][: options.fix]
        rows = [measures(bench, arm) for arm in measured]
        if flawed:
            labelled = Arm("labelled errors", {case.name: labelled_notes(case) for case in flawed}, {})
            for arm in [*measured, labelled]:
                for form in options.forms:
                    rows.append({"arm": f"{arm.name}: {form}", **fix(bench, arm, flawed, form, {})})
    print(as_table(rows))
    print(
        json.dumps(
            {
                "model": options.model,
                "cases": len(bench.cases),
                "seconds": round(time.monotonic() - start),
                "arms": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
