"""Run the stages in order, from conversations to a student that is measured against its teacher."""

from __future__ import annotations

from dataclasses import replace

from arf_programs import stages
from arf_programs.models import check_providers, check_terms, describe_hosts, terms_warnings
from arf_programs.runs import Manifest, Run, private_files, save_config
from arf_programs.stages import Stage, StageState, run_stage, run_together, state_of

STAGES: tuple[Stage, ...] = (
    stages.CORPUS,  # conversations, split into training, holdout and dev
    stages.DRAFT,  # the teacher's summaries
    stages.TAXONOMY,  # open notes on a sample, merged into categories; people may edit taxonomy.yaml
    stages.ANALYZE,  # typed errors for every training draft
    stages.REVISE,  # verified edits that repair them
    stages.TRAIN,  # one student per arm
    stages.EVALUATE,  # base, teacher and students on conversations that no student was trained on
    stages.REPORT,  # summary.json and report.html
)


@private_files()
def run_until(run: Run, last: str, *, retry_failed: bool = False) -> dict[str, list[str]]:
    """Run every stage up to and including `last` that is not whole. Return the hosts that were asked, with the models.

    With `retry_failed`, a whole stage tries the rows that failed again, and no others. Unknown models and missing keys
    are reported before the first call. Raises UserError for a mistake of the user, and WorkError for a failure at work.
    Answers of models are kept, so the next call goes on from there.
    """
    hosts = _check_providers(run, last, retry_failed=retry_failed)
    run = replace(run, again=retry_failed)
    save_config(run)
    wanted = _stages_until(last)
    retried = _stages_to_retry(run) if retry_failed else set()
    done: set[str] = set()
    for place, stage in enumerate(wanted, start=1):
        state, step = state_of(stage, run), f"stage {place} of {len(wanted)}"
        if stage.name in done or (state.state == "whole" and stage.name not in retried):
            if stage.name not in done:
                run.progress.say(f"{stage.name}: whole{', ' + state.why if state.why else ''}")
        elif state.state == "whole" and stage.reopen is not None:
            run.progress.say(f"{stage.name}: its failed rows again")
            stage.reopen(run)
            _report(run, run_stage(stage, run))
        elif stage is stages.ANALYZE and stages.REVISE in wanted:
            run.progress.say(f"{stage.name}, {stages.REVISE.name}: {stage.does}; {stages.REVISE.does} ({step})")
            _report(run, *run_together((stage, stages.REVISE), run, stages.analyze_and_revise))
            done.add(stages.REVISE.name)
        else:
            run.progress.say(f"{stage.name}: {stage.does} ({step})")
            _report(run, run_stage(stage, run))
    return hosts


def _stages_until(last: str) -> tuple[Stage, ...]:
    return STAGES[: [stage.name for stage in STAGES].index(last) + 1]


def _stages_to_retry(run: Run) -> set[str]:
    """Return the stages with failed rows, without those whose output a person may have edited."""
    failed = {failure.stage for failure in run.folder.read_failures()}
    return {stage.name for stage in STAGES if stage.name in failed and stage.asks(run.config) and not stage.keeps_edits}


def _report(run: Run, *manifests: Manifest) -> None:
    for manifest in manifests:
        counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
        name, seconds = f"{manifest.stage}: " if len(manifests) > 1 else "", manifest.seconds
        run.progress.say(f"  {name}{counts}" + (f" ({seconds:.0f} s)" if seconds else ""))


def _check_providers(run: Run, last: str, *, retry_failed: bool) -> dict[str, list[str]]:
    """Say which hosts are asked. Raise UserError for models without address, key or terms, and for an unfit base."""
    states = status(run)
    ahead = [stage for stage in _stages_until(last) if retry_failed or states[stage.name].state != "whole"]
    hosts = check_providers(model for stage in ahead for model in stage.asks(run.config))
    run.progress.say(describe_hosts(hosts))
    if stages.TRAIN in ahead:
        check_terms(run.config)
        stages.preview_unpaid(run)
        for warning in terms_warnings(run.config):
            run.progress.say(warning)
    return hosts


def status(run: Run) -> dict[str, StageState]:
    """Return the state of each stage. No stage is whole after the first that is not whole."""
    states: dict[str, StageState] = {}
    blocker = ""
    for stage in STAGES:
        state = state_of(stage, run)
        if blocker and state.state == "whole":
            state = StageState("stale", f"{blocker} comes first")
        states[stage.name] = state
        blocker = blocker or (stage.name if state.state != "whole" else "")
    return states
