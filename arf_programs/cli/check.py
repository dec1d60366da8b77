"""What can be known before anything is spent; all problems at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from arf_programs.config import PIPELINE_ROLES, ROLES, ModelConfig, Role
from arf_programs.models import terms_warnings
from arf_programs.runs import Run
from signatures.exceptions import ArfError, ConfigError

_TINY = 8
_QUESTION = "Answer with the one word: yes"


@dataclass
class Findings:
    """Good news, warnings and problems, each a sentence; a warning stops nothing."""

    good: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.problems, "good": self.good, "warnings": self.warnings, "problems": self.problems}

    def problem(self, error: ArfError) -> None:
        self.problems += getattr(error, "problems", None) or str(error).splitlines()


def preflight(run: Run) -> Findings:
    """Check files, split, taxonomy, student base, run folder, keys, and that every role answers one tiny call."""
    findings = Findings()
    for step in (_check_corpus, _check_taxonomy, _check_base, _check_folder):
        try:
            findings.good += step(run)
        except ArfError as error:
            findings.problem(error)
    try:
        findings.warnings += _check_programs(run)
    except ArfError as error:
        findings.problem(error)
    _check_calibration(run, findings)
    findings.warnings += terms_warnings(run.config)
    _check_evaluation(run, findings)
    asyncio.run(_check_models(run, findings))
    findings.warnings += _unpriced(run)
    return findings


def _unpriced(run: Run) -> list[str]:
    """The models that a cap in dollars does not see; to be asked when their prices have been declared."""
    from arf_programs.models import is_local, listed_price

    if run.config.budget.usd is None:
        return []
    asked = dict.fromkeys(run.config.models.of(role).model for role in PIPELINE_ROLES)
    unknown = [model for model in asked if not is_local(model) and listed_price(model) is None]
    return [
        f"budget.usd does not count {model}, whose price is not known: set its input_price and output_price, or "
        "budget.calls or budget.tokens"
        for model in unknown
    ]


def _check_corpus(run: Run) -> list[str]:
    from arf_programs.corpus import store_corpus
    from arf_programs.stages import split_corpus

    config = run.config.corpus
    with TemporaryDirectory() as folder:
        corpus = store_corpus(config, base_dir=run.base_dir, path=Path(folder) / "corpus.jsonl")
        sides, labeled = split_corpus(run, corpus)
    both = f"{len(sides.train)} for training and {len(sides.holdout)} held out"
    lines = [f"{config.path}: {len(corpus.conversations)} conversations, {both}"]
    if corpus.skipped:
        lines.append(f"{config.path}: {len(corpus.skipped)} skipped: {corpus.skipped[0].reason}")
    if labeled:
        lines.append(f"{run.config.labeled.path}: {len(labeled)} labelled summaries")
    return lines


def _check_taxonomy(run: Run) -> list[str]:
    from arf_programs.corpus import read_taxonomy

    given = run.config.analyze.taxonomy
    if not given:
        return []
    beside = run.base_dir / given
    taxonomy = read_taxonomy(beside if beside.exists() else Path(given))
    return [f"{given}: {len(taxonomy.categories)} categories"]


def _check_calibration(run: Run, findings: Findings) -> None:
    if not run.config.analyze.calibration:
        return
    from arf_programs.stages import build_support, calibration_warnings

    try:
        support = build_support(run)
    except ArfError as error:
        findings.problem(error)
        return
    findings.good.append(f"{run.config.analyze.calibration}: a calibration, threshold {support.threshold:.2f}")
    # Which demonstrations the question is shown with is known once there is a taxonomy: stage analyze compares them.
    findings.warnings += calibration_warnings(run, support, prompt=not run.config.labeled.demos)


def _check_evaluation(run: Run, findings: Findings) -> None:
    """Whether the judge may have favourites, and an embedding model that the configuration names is here."""
    from arf_programs.config import AUTO
    from arf_programs.metrics import find_model
    from arf_programs.models import judge_notes

    findings.warnings += judge_notes(run.config)
    name = run.config.evaluate.similarity
    if name in (None, AUTO):
        return
    try:
        find_model(name, run.base_dir)
    except ArfError as error:
        findings.problem(error)


def _check_base(run: Run) -> list[str]:
    from arf_programs.models import resolve_weights

    where = resolve_weights(run.config.train.base)
    return [f"train.base: {run.config.train.base}" + ("" if isinstance(where, Path) else " (from the hub)")]


def _check_folder(run: Run) -> list[str]:
    from arf_programs.runs import refuse_foreign_folder

    refuse_foreign_folder(run)
    return [f"run folder: {run.folder.path}"]


def _check_programs(run: Run) -> list[str]:
    from arf_programs.programs import TARGET_ROLES, program_folder, program_notes, read_card, strategy_of

    for target in TARGET_ROLES:
        folder = program_folder(run, target)
        wanted = strategy_of(run, target)
        if folder is not None and read_card(folder, target).strategy != wanted:
            raise ConfigError(f"programs.{target}: {folder} is for another strategy than {target}.strategy: {wanted}")
    return program_notes(run)


async def _check_models(run: Run, findings: Findings) -> None:
    """One call for each different model; roles that share one are named together.

    A prompt or reflection model is asked where it is one of its own: left out, it is the analyst.
    """
    models: list[tuple[ModelConfig, list[Role]]] = []
    for role in ROLES:
        config = run.config.models.of(role)
        if role not in PIPELINE_ROLES and config == run.config.models.analyst:
            continue
        same = next((names for other, names in models if other == config), None)
        if same is None:
            models.append((config, [role]))
        else:
            same.append(role)
    outcomes = await asyncio.gather(*(_try_model(run, config) for config, _ in models))
    for (config, names), problem in zip(models, outcomes, strict=True):
        who = " and ".join(names)
        if problem:
            findings.problems.append(f"models.{who}: {config.model} does not answer: {problem}")
        else:
            findings.good.append(f"models.{who}: {config.model} answers")


async def _try_model(run: Run, config: ModelConfig) -> str:
    """Empty if the model answers, else why not."""
    from dspy.utils.exceptions import DSPyError

    from arf_programs.models import build_lm, is_local

    # A hosted reasoning model refuses a small max_tokens, and ends after one word anyway.
    tokens = _TINY if is_local(config.model) else config.max_tokens
    tiny = config.model_copy(update={"max_tokens": tokens, "retries": 0})
    try:
        lm = build_lm(tiny, seed=run.config.seed)
        await lm.copy(cache=False).acall(_QUESTION)
    except (ArfError, DSPyError) as error:
        return " ".join(str(error).split())
    return ""
