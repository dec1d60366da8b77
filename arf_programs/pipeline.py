"""The whole story: conversations in, a student that is measured against its teacher out."""

from __future__ import annotations

from dataclasses import replace

from arf_programs.config import dump_config
from arf_programs.models import check_providers, check_terms, terms_warnings
from arf_programs.runs import Manifest, Run, write_text_atomic
from arf_programs.stages import (
    ANALYZE,
    CORPUS,
    DRAFT,
    EVALUATE,
    REPORT,
    REVISE,
    TAXONOMY,
    TRAIN,
    Stage,
    StageState,
    analyze_and_revise,
    run_stage,
    run_together,
    state_of,
)

STAGES: tuple[Stage, ...] = (
    CORPUS,  # conversations, split into training and holdout
    DRAFT,  # the teacher's summaries
    TAXONOMY,  # open notes on a sample, merged into categories; people may edit taxonomy.yaml
    ANALYZE,  # typed errors for every training draft
    REVISE,  # edits that mend them, verified
    TRAIN,  # one student per arm
    EVALUATE,  # base, teacher and students on conversations nobody trained on
    REPORT,  # summary.json and report.html
)


def run_until(run: Run, last: str, *, retry_failed: bool = False) -> None:
    """Bring every stage up to and including `last` up to date; whole stages are left alone.

    With `retry_failed`, rows that failed in a stage that is whole are tried again, and those alone. Unknown models and
    missing keys are named before any call. Raises UserError for what the user can mend, WorkError for what failed at
    work; what was returned by a model is kept, and the next call goes on from there.
    """
    _check_providers(run, last, retry_failed=retry_failed)
    run = replace(run, again=retry_failed)
    write_text_atomic(run.folder.config, dump_config(run.config))
    wanted = STAGES[: [stage.name for stage in STAGES].index(last) + 1]
    failed = _failed_stages(run) if retry_failed else set()
    done: set[str] = set()
    for stage in wanted:
        state = state_of(stage, run)
        if stage.name in done or (state.state == "whole" and stage.name not in failed):
            if stage.name not in done:
                run.progress.say(f"{stage.name}: whole{', ' + state.why if state.why else ''}")
        elif state.state == "whole" and stage.reopen is not None:
            run.progress.say(f"{stage.name}: its failed rows again")
            stage.reopen(run)
            _tell(run, run_stage(stage, run))
        elif stage is ANALYZE and REVISE in wanted:
            run.progress.say(f"{stage.name}, {REVISE.name}: {stage.does}; {REVISE.does}")
            _tell(run, *run_together((stage, REVISE), run, analyze_and_revise))
            done.add(REVISE.name)
        else:
            run.progress.say(f"{stage.name}: {stage.does}")
            _tell(run, run_stage(stage, run))


def _failed_stages(run: Run) -> set[str]:
    """Stages whose failed rows can be tried again: not those whose output a person may have edited or made smaller."""
    found = {failure.stage for failure in run.folder.read_failures()}
    return {stage.name for stage in STAGES if stage.name in found and stage.asks(run.config) and not stage.keeps_edits}


def _tell(run: Run, *manifests: Manifest) -> None:
    for manifest in manifests:
        counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
        name = f"{manifest.stage}: " if len(manifests) > 1 else ""
        run.progress.say(f"  {name}{counts}" + (f" ({manifest.seconds:.0f} s)" if manifest.seconds else ""))


def _check_providers(run: Run, last: str, *, retry_failed: bool) -> None:
    """Raise ConfigError for all models of the work ahead that nobody serves, whose key is not set, or whose terms on
    training with their output are not acknowledged.
    """
    names = [stage.name for stage in STAGES]
    states = status(run)
    wanted = STAGES[: names.index(last) + 1]
    ahead = [stage for stage in wanted if retry_failed or states[stage.name].state != "whole"]
    check_providers(model for stage in ahead for model in stage.asks(run.config))
    if TRAIN in ahead:
        check_terms(run.config)
        for warning in terms_warnings(run.config):
            run.progress.say(warning)


def status(run: Run) -> dict[str, StageState]:
    """The state of each stage; after the first that is not whole, what depends on it cannot be whole either."""
    states: dict[str, StageState] = {}
    blocker = ""
    for stage in STAGES:
        state = state_of(stage, run)
        if blocker and state.state == "whole":
            state = StageState("stale", f"{blocker} comes first")
        states[stage.name] = state
        if state.state != "whole" and not blocker:
            blocker = stage.name
    return states
