"""Editor and verifier of a run, put together as configured."""

from __future__ import annotations

from collections.abc import Sequence

import dspy

from arf_programs.compiling.saved import use_compiled
from arf_programs.config.schema import Strategy
from arf_programs.demos import revision_examples, show, usable_examples
from arf_programs.labeled import LabeledExample, labeled_of
from arf_programs.models.lm import build_lm
from arf_programs.programs.analyze import AnalyzeSummary
from arf_programs.programs.edit_sentences import EditSentences
from arf_programs.programs.propose import EditSummary, Propose, Rewrite, RewriteByTaxonomy
from arf_programs.programs.revise import ReviseDraft
from arf_programs.programs.sentencewise import SentencewiseAnalysis
from arf_programs.programs.support import SentenceSupport
from arf_programs.programs.verify import VerifyRevision
from arf_programs.run import Run
from arf_programs.stages.analyzer import build_analyzer, build_support
from arf_programs.taxonomy.files import read_taxonomy
from signatures.propose_edits import ProposeEdits
from signatures.records import Taxonomy
from signatures.rewrite_sentence import RewriteSentence
from signatures.rewrite_summary import ReviseByTaxonomy, RewriteSummary
from signatures.write_missing import WriteMissing

_SAMPLING_TEMPERATURE = 0.7
_APART = 10_000  # keeps the answers of a sample apart from the further tries and candidates of another
REVISION_SIGNATURES = (RewriteSentence, WriteMissing, ProposeEdits, RewriteSummary, ReviseByTaxonomy)


def build_reviser(
    run: Run,
    *,
    taxonomy: Taxonomy | None = None,
    labeled: Sequence[LabeledExample] | None = None,
    compiled: bool = True,
    strategy: Strategy | None = None,
    sample: int = 1,
) -> ReviseDraft:
    """Editor and verifier as configured; the arguments are those of `build_analyzer`.

    `compiled` is about the editor: the verifier is the analyser in use. Another `strategy` than the configured one is
    never compiled. Each `sample` beyond the first is another answer of the editor.
    """
    config = run.config.revise
    taxonomy = taxonomy or read_taxonomy(run.folder.taxonomy)
    strategy = strategy or config.strategy
    propose = _strategy(run, taxonomy, strategy)
    analyzer = build_analyzer(run, model=config.verify_with_analyst, taxonomy=taxonomy, labeled=labeled)
    verify = VerifyRevision(
        analyzer,
        max_change=config.max_change,
        min_words=config.min_words,
        support=_support(run, analyzer),
    )
    program = ReviseDraft(propose, verify, attempts=config.attempts, on_reject=config.on_reject)
    compiled = compiled and strategy == config.strategy
    if not (compiled and use_compiled(run, "revise", program)) and run.config.labeled.demos:
        known = labeled_of(run) if labeled is None else labeled
        examples = usable_examples(known, taxonomy, run.config.labeled.demos)
        show(propose, revision_examples(examples, strategy, config.edits))
    propose.use(_editor(run, sample))
    return program


def _editor(run: Run, sample: int) -> dspy.LM:
    """The editor's model; for a further sample, one that answers otherwise and whose answers are stored apart."""
    lm = build_lm(run.config.models.editor, seed=run.config.seed)
    if sample == 1:
        return lm
    temperature = max(run.config.models.editor.temperature, _SAMPLING_TEMPERATURE)
    return lm.copy(rollout_id=sample * _APART, temperature=temperature)


def _strategy(run: Run, taxonomy: Taxonomy, strategy: Strategy) -> Propose:
    retries, config = run.config.analyze.parse_retries, run.config.revise
    match strategy:
        case "edits" if config.edits == "one_by_one":
            return EditSentences(retries=retries, candidates=config.candidates, min_words=config.min_words)
        case "edits":
            return EditSummary(retries=retries)
        case "rewrite":
            return Rewrite(retries=retries)
        case "taxonomy":
            return RewriteByTaxonomy(taxonomy, retries=retries)


def _support(run: Run, analyzer: AnalyzeSummary) -> SentenceSupport | None:
    """The question by which candidates are scored: the analyst's own, else asked of the same model."""
    if isinstance(analyzer.analysis, SentencewiseAnalysis):
        return analyzer.analysis.support
    if analyzer.analysis is None:
        return None
    support = build_support(run)
    support.set_lm(build_lm(run.config.models.analyst, seed=run.config.seed))
    return support
