"""Stage `revise`: the editor mends each training draft, and each revision is verified.

Beside the main revisions there may be further ones: by the strategies of other arms, samples (rejection sampling), and
those of further editors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import dspy

from arf_programs.config import Config, ModelConfig, Strategy
from arf_programs.corpus import LabeledExample, load_labeled, read_taxonomy
from arf_programs.models import build_lm, within
from arf_programs.programs import (
    Analyze,
    CheckerSupport,
    EditSentences,
    EditSummary,
    Propose,
    Revise,
    Rewrite,
    RewriteByTaxonomy,
    SentenceSupport,
    SentencewiseAnalysis,
    Summarize,
    VerifyRevision,
    new_summary_instruction,
    program_fingerprint,
    revision_examples,
    show,
    usable_examples,
    use_compiled,
)
from arf_programs.review import verdict_name
from arf_programs.runner import RowKey, Step, StepOutcome, reopen_step, run_steps
from arf_programs.runs import (
    JsonlIndex,
    Run,
    RunFolder,
    digest,
    digest_file,
    digest_model,
    digest_prompts,
    read_jsonl,
    read_lines,
)
from arf_programs.stages import analyze
from arf_programs.stages.analyze import (
    analyst_fingerprint,
    build_analyzer,
    build_support,
    example_ranking,
    load_checkers,
)
from arf_programs.stages.stage import Stage
from arf_programs.stages.variants import (
    Variant,
    further_fingerprint,
    further_outputs,
    further_strategies,
    samples_of,
    write_distinct,
)
from signatures.check_revision import CheckRevision
from signatures.propose_edits import ProposeEdits
from signatures.records import DraftErrors, Failure, Record, Revision, Summary, Taxonomy, Verdict
from signatures.rewrite_sentence import RewriteSentence
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary
from signatures.write_missing import WriteMissing

_SAMPLING_TEMPERATURE = 0.7
_APART = 10_000  # separates the answers of one sample from the further tries and candidates of another
REVISION_SIGNATURES = (RewriteSentence, WriteMissing, ProposeEdits, RewriteSummary, ReviseByTaxonomy, CheckRevision)


def build_reviser(
    run: Run,
    *,
    taxonomy: Taxonomy | None = None,
    labeled: Sequence[LabeledExample] | None = None,
    compiled: bool = True,
    variant: Variant | None = None,
) -> Revise:
    """Build editor and verifier as configured. `taxonomy` and `labeled` are as in `build_analyzer`.

    Without `compiled`, a compiled editor is not used; the verifier is the analyst in use. A `variant` of another
    strategy or editor than the configured one is never compiled. Each of its samples beyond the first is another
    answer of the editor.
    """
    variant = variant or Variant(run.config.revise.strategy)
    run = _with_editor(run, variant.editor)
    config, strategy, sample = run.config.revise, variant.strategy, variant.sample
    taxonomy = taxonomy or read_taxonomy(run.folder.taxonomy)
    corrections = compiled and run.config.analyst_corrects and variant == Variant(strategy)
    propose = _strategy(run, taxonomy, strategy, corrections=corrections)
    analyzer = build_analyzer(run, model=config.verify_with_analyst, taxonomy=taxonomy, labeled=labeled)
    verify = VerifyRevision(
        analyzer,
        max_change=config.max_change,
        min_words=config.min_words,
        support=_support(run, analyzer),
    )
    write = _writer(run, sample) if run.config.asks_editor else None
    program = Revise(propose, verify, attempts=config.attempts, on_reject=config.on_reject, write=write)
    compiled = compiled and strategy == config.strategy and not variant.editor
    if not (compiled and use_compiled(run, "revise", program)) and run.config.labeled.demos:
        demos, pick = run.config.labeled.demos, run.config.labeled.pick
        examples = usable_examples(load_labeled(run) if labeled is None else labeled, taxonomy, demos, pick)
        nearest = demos if pick == "nearest" else None
        shown = revision_examples(examples, strategy, run.config.edits_form())
        show(propose, shown, nearest=nearest, rank=example_ranking(run))
    if run.config.asks_editor:
        propose.set_lm(_editor(run, sample))
    return program


def _with_editor(run: Run, editor: int) -> Run:
    return replace(run, config=run.config.with_editor(editor)) if editor else run


def _writer(run: Run, sample: int) -> Summarize:
    """Build the program that writes a summary in the place of a draft that retells the conversation."""
    instruction = new_summary_instruction(run.config.summarize.instruction)
    program = Summarize(instruction, retries=run.config.models.editor.parse_retries)
    program.set_lm(_editor(run, sample))
    return program


def _editor(run: Run, sample: int) -> dspy.LM:
    """Build the editor's model. A further sample has another temperature, and its answers are stored separately."""
    lm = build_lm(run.config.models.editor, seed=run.config.seed)
    if sample == 1:
        return lm
    temperature = max(run.config.models.editor.temperature, _SAMPLING_TEMPERATURE)
    return lm.copy(rollout_id=sample * _APART, temperature=temperature)


def _strategy(run: Run, taxonomy: Taxonomy, strategy: Strategy, *, corrections: bool) -> Propose:
    retries, config = run.config.models.editor.parse_retries, run.config.revise
    match strategy:
        case "edits" if run.config.edits_form() == "one_by_one":
            return EditSentences(
                retries=retries, candidates=config.candidates, min_words=config.min_words, values=config.values
            )
        case "edits":
            return EditSummary(retries=retries, corrections=corrections)
        case "rewrite":
            return Rewrite(retries=retries)
        case "taxonomy":
            return RewriteByTaxonomy(taxonomy, retries=retries)


def scores_sentences(config: Config) -> bool:
    """Say whether a run asks the support question: for the analysis, or about an editor's candidates.

    A checker answers it without being asked.
    """
    if config.analyze.checker.model is not None:
        return False
    revise = config.revise
    forms = {config.with_editor(place).edits_form() for place in range(len(config.models.editors) + 1)}
    chooses = revise.strategy == "edits" and "one_by_one" in forms and revise.verify_with_analyst
    return chooses or config.analysis_form() == "sentencewise"


def _support(run: Run, analyzer: Analyze) -> SentenceSupport | None:
    """Return the question that scores candidates: the analyst's own, or a new one to the same model."""
    if isinstance(analyzer.analysis, SentencewiseAnalysis):
        return analyzer.analysis.support
    if analyzer.analysis is None:
        return None
    support = build_support(run)
    if isinstance(support, CheckerSupport):
        return support
    support.set_lm(build_lm(run.config.models.analyst, seed=run.config.seed))
    return support


STAGE_NAME = "revise"


class DraftToMend(Record):
    """A draft and the errors found in it."""

    draft: Summary
    errors: DraftErrors


def revision_prompts(run: Run) -> dict[str, str]:
    """Return the hashes of all prompts of editor and verifier that come with the code or the configuration."""
    return {
        "revision prompts": digest_prompts(REVISION_SIGNATURES),
        "instruction for a new summary": digest(new_summary_instruction(run.config.summarize.instruction)),
    }


def depends(run: Run) -> dict[str, str]:
    """Return the hashes of all that a revision depends on beside its draft and errors."""
    return {
        "conversations.jsonl": digest_file(run.folder.conversations),
        "models.editor": digest_model(run.config.models.editor),
        "revise": digest(run.config.revise.model_dump(mode="json", exclude={"human"})),
        **revision_prompts(run),
        **analyst_fingerprint(run),
        **program_fingerprint(run, "revise"),
    }


def prepare(run: Run, *, variant: Variant | None = None) -> Callable[[DraftToMend], Awaitable[Revision]]:
    """Build editor and verifier, and return the function that revises one draft."""
    conversations = run.conversations("train")
    program = build_reviser(run, variant=variant)
    load_checkers(program)
    strategy = variant.strategy if variant else run.config.revise.strategy

    async def revise(row: DraftToMend) -> Revision:
        with within(strategy=strategy):
            answer = await program.acall(
                conversation=conversations[row.draft.conversation_id], draft=row.draft, errors=row.errors.errors
            )
        revision: Revision = answer.revision
        return revision

    return revise


def row_key(row: DraftToMend, system: str = "") -> RowKey:
    return RowKey(row.draft.conversation_id, system)


def output(folder: RunFolder) -> Path:
    return folder.revisions


def output_by(folder: RunFolder, *, variant: Variant) -> Path:
    """Return the file of a variant's revisions. The file of a further sample or editor goes when the stage is whole."""
    if variant == Variant(variant.strategy):
        return folder.revisions_by(variant.strategy)
    by = f"-{variant.editor}" if variant.editor else ""
    return folder.parts / f"revise-sampled-{variant.strategy}-{variant.sample}{by}.jsonl"


def models(run: Run, *, editor: int = 0) -> tuple[ModelConfig, ...]:
    config = run.config.with_editor(editor)
    return (config.models.editor, config.models.analyst)


def depends_by(run: Run, *, editor: int) -> dict[str, str]:
    return depends(_with_editor(run, editor))


STEP = Step(
    stage=STAGE_NAME,
    row=DraftToMend,
    result=Revision,
    prepare=prepare,
    key=row_key,
    output=output,
    depends=depends,
    models=models,
)


def further_step(variant: Variant) -> Step[DraftToMend, Revision]:
    """Return the step of an arm's own strategy, of a sample beyond the first, or of a further editor."""
    return Step(
        stage=STAGE_NAME,
        name=variant.name,
        row=DraftToMend,
        result=Revision,
        prepare=partial(prepare, variant=variant),
        key=partial(row_key, system=variant.name),
        output=partial(output_by, variant=variant),
        depends=partial(depends_by, editor=variant.editor),
        models=partial(models, editor=variant.editor),
    )


Rows = Callable[[], Iterator[DraftToMend]]


@dataclass
class Further:
    """The counts and failures of the further revisions."""

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def revise_further(run: Run, rows: Rows) -> Further:
    """Write the files of `further_outputs`, if there are any, from the drafts that `rows` returns.

    For each draft and strategy, `revise.samples` - 1 further revisions are sampled. The verified ones are kept, unless
    an earlier one has the same text. With `models.editors` each of them samples `revise.samples` revisions by the
    configured strategy, and of all revisions of a draft `choose_distinct` keeps those whose facts differ. Raises what
    `run_steps` raises.
    """
    further = Further()
    if not further_outputs(run):
        return further
    written: dict[Strategy, Path] = {run.config.revise.strategy: run.folder.revisions}
    for strategy in further_strategies(run.config):
        written[strategy] = _revise(run, Variant(strategy), rows, further)
        further.counts[f"{_name(run, Verdict.VERIFIED)} by {strategy}"] = sum(
            row.verdict is Verdict.VERIFIED for row in read_jsonl(written[strategy], Revision)
        )
    if run.config.samples_revisions:
        samples = {strategy: _sample(run, strategy, rows, further) for strategy in written}
        kept = write_distinct(run, written, samples)
        further.counts[f"further samples {_name(run, Verdict.VERIFIED)}"] = kept
    return further


def _name(run: Run, verdict: Verdict) -> str:
    return verdict_name(verdict.value, checks_alone=not run.config.models_verify)


def _sample(run: Run, strategy: Strategy, rows: Rows, further: Further) -> list[Path]:
    """Write the samples of a strategy, one file each, of the drafts that the strategy revises."""
    everything = not build_reviser(run, variant=Variant(strategy)).propose.needs_errors

    def drafts_to_sample() -> Iterator[DraftToMend]:
        return (row for row in rows() if everything or row.errors.errors)

    return [_revise(run, variant, drafts_to_sample, further) for variant in samples_of(run.config, strategy)]


def _revise(run: Run, variant: Variant, rows: Rows, further: Further) -> Path:
    step = further_step(variant)
    (outcome,) = run_steps(run, [step], rows(), total=sum(1 for _ in rows()))
    further.failures += outcome.failures
    return step.output(run.folder)


def outputs(run: Run) -> tuple[Path, ...]:
    return (run.folder.revisions, *further_outputs(run))


def fingerprint(run: Run) -> dict[str, str]:
    return {
        "drafts.jsonl": digest_file(run.folder.drafts),
        "errors.jsonl": digest_file(run.folder.errors),
        **depends(run),
        **further_fingerprint(run),
    }


def draft_to_mend(draft: Summary, errors: DraftErrors) -> DraftToMend:
    """Return the row of a draft that was just analysed."""
    return DraftToMend(draft=draft, errors=errors)


ANALYZE_THEN = replace(analyze.STEP, then=draft_to_mend)


def drafts_to_mend(run: Run) -> Iterator[DraftToMend]:
    """Return the drafts that were analysed, with their errors."""
    errors = JsonlIndex(run.folder.errors, DraftErrors, key=lambda row: row["conversation_id"], value=lambda row: row)
    return (
        DraftToMend(draft=draft, errors=errors[draft.conversation_id])
        for draft in run.drafts("train")
        if draft.conversation_id in errors
    )


def work(run: Run) -> dict[str, int]:
    analyze.calibrate(run)
    (outcome,) = run_steps(run, [STEP], drafts_to_mend(run), total=sum(1 for _ in read_lines(run.folder.errors)))
    return _finish(run, outcome)


def analyze_and_revise(run: Run) -> tuple[dict[str, int], dict[str, int]]:
    """Run stages `analyze` and `revise` as one stream: each draft is revised as soon as it is analysed.

    Returns the counts that the two stages print.
    """
    analyze.calibrate(run)
    total = len(run.conversations("train"))
    analyzed, revised = run_steps(run, [ANALYZE_THEN, STEP], run.drafts("train"), total=total)
    return analyze.finish(run, analyzed), _finish(run, revised)


def _finish(run: Run, outcome: StepOutcome) -> dict[str, int]:
    """Make the further revisions, store all failures, and return the counts that the stage prints."""
    further = revise_further(run, lambda: drafts_to_mend(run))
    failures = [*outcome.failures, *further.failures]
    run.folder.replace_failures(STAGE_NAME, failures)
    verdicts = Counter(revision.verdict for revision in read_jsonl(run.folder.revisions, Revision))
    counted = {_name(run, verdict): verdicts[verdict] for verdict in Verdict}
    return {**counted, **further.counts, "failed": len(failures)}


def reopen(run: Run) -> None:
    reopen_step(run, STEP, drafts_to_mend(run))


def asks(config: Config) -> tuple[ModelConfig, ...]:
    editor = (config.models.editor, *config.models.editors) if config.asks_editor else ()
    return (*editor, config.models.analyst) if config.revise.verify_with_analyst else editor


STAGE = Stage(
    STAGE_NAME,
    "mend the errors of each draft, and check each revision",
    outputs,
    fingerprint,
    work,
    asks,
    reopen=reopen,
)
