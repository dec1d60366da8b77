"""Stage `analyze`: the typed errors of every training draft. Other stages build their analyst here too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from arf_programs.config import AUTO, Config, ModelConfig, find_path
from arf_programs.corpus import LabeledExample, load_labeled, read_taxonomy
from arf_programs.metrics import (
    Calibration,
    EmbeddingRanking,
    find_model,
    load_embedder,
    mismatches,
    read_calibration,
)
from arf_programs.models import build_lm, gives_logprobs
from arf_programs.programs import (
    Analyze,
    CheckerSupport,
    HolisticAnalysis,
    Revise,
    SentenceSupport,
    SentencewiseAnalysis,
    analysis_examples,
    program_fingerprint,
    show,
    usable_examples,
    use_compiled,
)
from arf_programs.report import calibration_lines
from arf_programs.runner import RowKey, Step, StepOutcome, reopen_step, run_steps
from arf_programs.runs import (
    Run,
    RunFolder,
    digest,
    digest_file,
    digest_model,
    digest_privacy,
    digest_prompts,
    read_jsonl,
)
from arf_programs.stages.calibration import (
    calibrate_analyst,
    calibration_fingerprint,
    makes_own_calibration,
    own_calibration,
    subtracts_prior,
)
from arf_programs.stages.stage import Stage
from arf_programs.text import Ranking, WordRanking
from signatures.describe_error import DescribeError
from signatures.exceptions import ConfigError
from signatures.find_errors import FindAndCorrect, FindErrors
from signatures.find_omissions import FindOmissions
from signatures.records import DraftErrors, Summary, Taxonomy
from signatures.support_sentence import SupportSentence

ANALYSIS_SIGNATURES = (FindErrors, SupportSentence, DescribeError, FindOmissions)


def analyst_fingerprint(run: Run) -> dict[str, str]:
    """Return the hashes of all that the analyst's answers depend on, in every stage that asks it."""
    config = run.config
    return {
        "taxonomy.yaml": digest_file(run.folder.taxonomy),
        "models.analyst": digest_model(config.models.analyst),
        **({} if config.analyze.analyst else {"analyze.analyst": digest(False)}),
        "analyze.strategy": digest(config.analysis_form()),
        "analyze.checks": digest(config.analyze.checks),
        "analyze.values": digest(config.analyze.values),
        "analyze.samples": digest(config.analyze.samples),
        "analyze.calibration": _calibration_digest(run),
        "analysis prompts": digest_prompts(ANALYSIS_SIGNATURES),
        **({"corrections": digest_prompts([FindAndCorrect])} if config.analyst_corrects else {}),
        **_checker_fingerprint(run),
        "labeled.demos": demos_digest(run),
        **({"analyze.subtract_prior": digest(True)} if subtracts_prior(config) else {}),
        "seed": digest(config.seed),
        **program_fingerprint(run, "analyze"),
        **digest_privacy(config),
    }


def _checker_fingerprint(run: Run) -> dict[str, str]:
    """Return a hash of the checker's weights and form; empty if there is none."""
    checker = run.config.analyze.checker
    if checker.model is None:
        return {}
    return {"analyze.checker": digest([run.content_digest(checker.model), checker.form])}


def checker_digest(run: Run) -> str:
    """Return a hash of all that the checker's decisions depend on; empty if there is none."""
    parts = _checker_fingerprint(run)
    return digest({**parts, "calibration": _calibration_digest(run)}) if parts else ""


def _calibration_digest(run: Run) -> str:
    given = run.config.analyze.calibration
    if makes_own_calibration(run):
        return calibration_fingerprint(run, demos_digest(run))
    return run.content_digest("" if given in (None, AUTO) else given)


def demos_digest(run: Run) -> str:
    """Return a hash of the demonstrations that analyst and editor are shown."""
    labeled = run.config.labeled
    by = run.content_digest(labeled.embedding) if labeled.embedding else "BM25"
    picked = {"shortest": [], "random": ["random"], "nearest": ["nearest", by]}[labeled.pick]
    return digest([labeled.demos, run.content_digest(labeled.path or "") if labeled.demos else "", *picked])


def build_analyzer(
    run: Run,
    *,
    model: bool = True,
    taxonomy: Taxonomy | None = None,
    labeled: Sequence[LabeledExample] | None = None,
    compiled: bool = True,
    calibrated: bool = True,
) -> Analyze:
    """Build the analyst as configured. Without `model`, or with `analyze.analyst: false`, it only runs the checks.

    `taxonomy` and `labeled` are those of the run unless they are given; demonstrations come from `labeled`. Without
    `calibrated` the run's own calibration is not used. Without `compiled` neither it nor a compiled program is used. A
    model that cannot tell errors, by the run's own calibration, is left out. Raises ConfigError for a calibration of
    another model or wording.
    """
    config = run.config
    if not (model and config.analyze.analyst):
        return Analyze(None, checks=True, values=config.analyze.values)
    taxonomy = taxonomy or read_taxonomy(run.folder.taxonomy)
    corrections = compiled and config.analyst_corrects
    analysis = _strategy(run, taxonomy, corrections=corrections)
    program = Analyze(analysis, checks=config.analyze.checks, values=config.analyze.values)
    if not (compiled and use_compiled(run, "analyze", program)) and config.labeled.demos:
        labeled = load_labeled(run) if labeled is None else labeled
        examples = usable_examples(labeled, taxonomy, config.labeled.demos, config.labeled.pick)
        nearest = config.labeled.demos if config.labeled.pick == "nearest" else None
        shown = analysis_examples(examples, taxonomy, config.analysis_form())
        show(program, shown, nearest=nearest, rank=example_ranking(run))
    if compiled and calibrated:
        _use_calibration(run, program)
    program.set_lm(build_lm(config.models.analyst, seed=config.seed))
    return program


def example_ranking(run: Run) -> Callable[[Sequence[str]], Ranking]:
    """Return what ranks labelled examples by how near they are to a question: BM25, or the configured embedding.

    Raises ConfigError for an embedding that is not there, and MissingExtra if it needs a package.
    """
    name = run.config.labeled.embedding
    if name is None or run.config.labeled.pick != "nearest":
        return WordRanking
    embed = load_embedder(find_model(name, run.base_dir, key="labeled.embedding"))
    return lambda texts: EmbeddingRanking(embed, texts)


def build_support(run: Run) -> SentenceSupport:
    """Build what scores sentences: the configured checker, else the support question, still without a model."""
    config = run.config
    checker = config.analyze.checker
    if checker.model is not None:
        place = find_path(checker.model, run.base_dir)
        found = checker.model_copy(update={"model": str(place)}) if place else checker
        return CheckerSupport(found, name=checker.model, calibration=read_run_calibration(run))
    return SentenceSupport(
        retries=config.models.analyst.parse_retries,
        logprobs=gives_logprobs(config.models.analyst),
        samples=config.analyze.samples,
        subtract_prior=subtracts_prior(config),
        calibration=read_run_calibration(run),
    )


def load_checkers(program: Analyze | Revise) -> None:
    """Load the checker of a program, if it has one. Raises DataError for a model that cannot be loaded."""
    for _, support in program.named_sub_modules(CheckerSupport):
        support.load()


def read_run_calibration(run: Run) -> Calibration | None:
    """Read the configured calibration, if a file is named. Raises DataError for one that is missing or not valid."""
    given = run.config.analyze.calibration
    if given in (None, AUTO):
        return None
    return read_calibration(find_path(given, run.base_dir) or Path(given))


def calibrate(run: Run) -> None:
    """Make the run's own calibration before its analyst is asked, unless it is there or another one is configured."""
    support = support_to_calibrate(run)
    if support is not None:
        calibrate_analyst(run, demos_digest(run), support)


def support_to_calibrate(run: Run) -> SentenceSupport | None:
    """Return the question that the run has yet to calibrate; None if there is nothing to do, or no score to expect."""
    if not makes_own_calibration(run) or own_calibration(run, demos_digest(run)) is not None:
        return None
    program = build_analyzer(run, calibrated=False)
    support: SentenceSupport = next(part for _, part in program.named_sub_modules(SentenceSupport))
    if isinstance(support, CheckerSupport):
        support.load()
    return support if support.logprobs or support.samples > 1 or run.config.analyze.stack else None


def calibration_notes(run: Run) -> list[str]:
    """Say what the run's own calibration has shown; empty without one."""
    made = own_calibration(run, demos_digest(run)) if makes_own_calibration(run) else None
    return [] if made is None else [f"Calibration of the analyst. {line}" for line in calibration_lines(made)]


def _use_calibration(run: Run, program: Analyze) -> None:
    if not isinstance(program.analysis, SentencewiseAnalysis):
        return
    support = program.analysis.support
    if makes_own_calibration(run):
        made = own_calibration(run, demos_digest(run))
        support.calibration = made.calibration if made else None
        if made and made.outcome == "cannot_tell":
            program.analysis = None
    # A compiled program has its calibration on its own card.
    refuse_calibration(run, support, prompt=run.config.programs.analyze is None)


def refuse_calibration(run: Run, support: SentenceSupport, *, prompt: bool = True) -> None:
    """Raise ConfigError if the calibration in use was fitted for another question. Without `prompt`, compare models."""
    calibration = support.calibration
    if calibration is None:
        return
    asked = support.prompt_digest() if prompt else calibration.prompt
    model = run.config.analyze.checker.model or run.config.models.analyst.model
    problems = mismatches(calibration, model=model, prompt=asked)
    if problems:
        given = run.config.analyze.calibration
        raise ConfigError(
            f"analyze.calibration: {given}: " + "; ".join(problems) + f": fit it again, or set the key to {AUTO}"
        )


def _strategy(run: Run, taxonomy: Taxonomy, *, corrections: bool) -> HolisticAnalysis | SentencewiseAnalysis:
    retries = run.config.models.analyst.parse_retries
    match run.config.analysis_form():
        case "holistic":
            return HolisticAnalysis(taxonomy, retries=retries, corrections=corrections)
        case "sentencewise":
            return SentencewiseAnalysis(taxonomy, build_support(run), retries=retries)


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.errors,)


def depends(run: Run) -> dict[str, str]:
    """Return the hashes of all that the errors of a draft depend on beside the draft."""
    return {"conversations.jsonl": digest_file(run.folder.conversations), **analyst_fingerprint(run)}


def fingerprint(run: Run) -> dict[str, str]:
    return {"drafts.jsonl": digest_file(run.folder.drafts), **depends(run)}


def prepare(run: Run) -> Callable[[Summary], Awaitable[DraftErrors]]:
    """Build the analyst, and return the function that finds the errors of one draft."""
    conversations = run.conversations("train")
    program = build_analyzer(run)
    load_checkers(program)

    async def analyze(draft: Summary) -> DraftErrors:
        conversation = conversations[draft.conversation_id]
        answer = await program.acall(conversation=conversation, summary=draft.text)
        return DraftErrors(
            conversation_id=draft.conversation_id,
            system=draft.system,
            errors=answer.errors,
            rejected=answer.rejected,
        )

    return analyze


def row_key(row: Summary) -> RowKey:
    return RowKey(row.conversation_id)


def output(folder: RunFolder) -> Path:
    return folder.errors


def models(run: Run) -> tuple[ModelConfig, ...]:
    return analysts(run.config)


def analysts(config: Config) -> tuple[ModelConfig, ...]:
    """Return the model that looks for errors in drafts; none if the checks do that alone."""
    return (config.models.analyst,) if config.analyze.analyst else ()


STEP = Step(
    stage="analyze",
    row=Summary,
    result=DraftErrors,
    prepare=prepare,
    key=row_key,
    output=output,
    depends=depends,
    models=models,
)


def work(run: Run) -> dict[str, int]:
    calibrate(run)
    (outcome,) = run_steps(run, [STEP], run.drafts("train"), total=len(run.conversations("train")))
    return finish(run, outcome)


def finish(run: Run, outcome: StepOutcome) -> dict[str, int]:
    """Store the failures, and return the counts that the stage prints."""
    run.folder.replace_failures(STAGE.name, outcome.failures)
    counted: Counter[str] = Counter()
    for row in read_jsonl(run.folder.errors, DraftErrors):
        counted["with errors"] += bool(row.errors)
        counted["errors"] += len(row.errors)
        counted["refused notes"] += len(row.rejected)
    counts = {name: counted[name] for name in ("with errors", "errors", "refused notes")}
    return {"drafts": outcome.done, **counts, "failed": outcome.failed}


def reopen(run: Run) -> None:
    reopen_step(run, STEP, run.drafts("train"))


STAGE = Stage(
    "analyze",
    "typed errors for every draft",
    outputs,
    fingerprint,
    work,
    asks=analysts,
    reopen=reopen,
)
