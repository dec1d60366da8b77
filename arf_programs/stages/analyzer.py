"""Analyst of a run, put together as configured, and what its answers depend on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from arf_programs.calibration import Calibration, mismatches, read_calibration
from arf_programs.compiling.saved import program_fingerprint, use_compiled
from arf_programs.demos import analysis_examples, show, usable_examples
from arf_programs.fingerprint import digest, file_digest, model_digest, prompts_digest
from arf_programs.labeled import LabeledExample, labeled_of
from arf_programs.models.lm import build_lm
from arf_programs.models.logprobs import gives_logprobs
from arf_programs.programs.analyze import AnalyzeSummary
from arf_programs.programs.holistic import HolisticAnalysis
from arf_programs.programs.sentencewise import SentencewiseAnalysis
from arf_programs.programs.support import SentenceSupport
from arf_programs.run import Run
from arf_programs.taxonomy.files import read_taxonomy
from signatures.describe_error import DescribeError
from signatures.find_errors import FindErrors
from signatures.find_omissions import FindOmissions
from signatures.records import Taxonomy
from signatures.support_sentence import SupportSentence

ANALYSIS_SIGNATURES = (FindErrors, SupportSentence, DescribeError, FindOmissions)


def analyst_fingerprint(run: Run) -> dict[str, str]:
    """What the analyst's answers depend on, wherever it is asked."""
    config = run.config
    return {
        "taxonomy.yaml": file_digest(run.folder.taxonomy),
        "models.analyst": model_digest(config.models.analyst),
        "analyze.strategy": digest(config.analyze.strategy),
        "analyze.checks": digest(config.analyze.checks),
        "analyze.samples": digest(config.analyze.samples),
        "analyze.calibration": run.content_digest(config.analyze.calibration or ""),
        "analysis prompts": prompts_digest(ANALYSIS_SIGNATURES),
        "labeled.demos": demos_digest(run),
        "seed": digest(config.seed),
        **program_fingerprint(run, "analyze"),
    }


def demos_digest(run: Run) -> str:
    """Hash of the demonstrations that analyst and editor are shown."""
    labeled = run.config.labeled
    return digest([labeled.demos, run.content_digest(labeled.path or "") if labeled.demos else ""])


def build_analyzer(
    run: Run,
    *,
    model: bool = True,
    taxonomy: Taxonomy | None = None,
    labeled: Sequence[LabeledExample] | None = None,
    compiled: bool = True,
) -> AnalyzeSummary:
    """The analyser as configured; without `model`, its deterministic checks alone.

    `taxonomy` and `labeled`, of which demonstrations are taken, are those of the run unless they are given. Without
    `compiled`, a compiled program is left aside.
    """
    config = run.config
    if not model:
        return AnalyzeSummary(None, checks=True)
    taxonomy = taxonomy or read_taxonomy(run.folder.taxonomy)
    program = AnalyzeSummary(_strategy(run, taxonomy), checks=config.analyze.checks)
    if not (compiled and use_compiled(run, "analyze", program)) and config.labeled.demos:
        known = labeled_of(run) if labeled is None else labeled
        examples = usable_examples(known, taxonomy, config.labeled.demos)
        show(program, analysis_examples(examples, taxonomy, config.analyze.strategy))
    program.set_lm(build_lm(config.models.analyst, seed=config.seed))
    return program


def build_support(run: Run) -> SentenceSupport:
    """The support question to the analyst, as configured, without a language model yet."""
    config = run.config
    return SentenceSupport(
        retries=config.analyze.parse_retries,
        logprobs=gives_logprobs(config.models.analyst),
        samples=config.analyze.samples,
        calibration=read_run_calibration(run),
    )


def read_run_calibration(run: Run) -> Calibration | None:
    """The configured calibration, None where none is. Raises DataError for a file that is missing or is none."""
    given = run.config.analyze.calibration
    if not given:
        return None
    beside = run.base_dir / given
    return read_calibration(beside if beside.exists() else Path(given))


def calibration_warnings(run: Run, support: SentenceSupport, *, prompt: bool = True) -> list[str]:
    """Why the configured calibration may not fit what the analyst is asked; empty if it does, or there is none.

    Without `prompt`, only the model is compared.
    """
    known = support.calibration
    if known is None:
        return []
    asked = support.prompt_digest() if prompt else known.prompt
    told = mismatches(known, model=run.config.models.analyst.model, prompt=asked)
    return [f"{run.config.analyze.calibration}: {problem}" for problem in told]


def _strategy(run: Run, taxonomy: Taxonomy) -> HolisticAnalysis | SentencewiseAnalysis:
    retries = run.config.analyze.parse_retries
    match run.config.analyze.strategy:
        case "holistic":
            return HolisticAnalysis(taxonomy, retries=retries)
        case "sentencewise":
            return SentencewiseAnalysis(taxonomy, build_support(run), retries=retries)
