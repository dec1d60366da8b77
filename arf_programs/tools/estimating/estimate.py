"""Compute the estimate of a run from the calls about sampled rows.

The rows go through the stages in a scratch run: the same configuration and files, in a temporary folder.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from pathlib import Path
from typing import NamedTuple

from arf_programs import pipeline
from arf_programs.config import Config, DraftColumn, ModelConfig, Role
from arf_programs.corpus import load_configured_taxonomy, write_taxonomy
from arf_programs.models import is_local
from arf_programs.runs import Run, RunFolder
from arf_programs.stages import StageState, models_of_systems, store_conversations
from arf_programs.tools.estimating.figures import (
    Estimate,
    Line,
    Range,
    around,
    larger,
    ordered,
    price_of,
    summed,
    total,
)
from arf_programs.tools.estimating.history import ROLE_OF, History, PastCalls, read_history
from arf_programs.tools.estimating.recorder import Asked, recording
from arf_programs.tools.estimating.rows import ASKING, Asking, Scenes, draw

_MINUTE = 60.0
SAMPLE = 10
WITH_ERRORS = 0.5
"""The assumed share of drafts with an error if no run has measured it."""


def estimate_run(run: Run, *, sample: int = SAMPLE, history: Sequence[RunFolder] = ()) -> Estimate:
    """Estimate what the stages that are not whole would ask, and its cost. No call is made, nothing is written.

    `sample` conversations of each side of the split are tried. The ledgers of the runs in `history` count as well as
    that of this run. Raises DataError for a corpus or a history that cannot be read.
    """
    past = read_history([run.folder, *history])
    states = pipeline.status(run)
    lines: list[Line] = []
    with scratch_run(run, states) as scratch, recording(run) as recorder:
        drawn = draw(scratch, sample)
        for stage, ask in ASKING.items():
            if states[stage].state == "whole":
                lines.append(Line(stage=stage, model="", source="done"))
                continue
            asking = ask(scratch, drawn, recorder)
            flight = min(_concurrency(run, ROLE_OF[stage]), max(1, asking.rows))
            for line in _lines(stage, asking, past, _models(scratch, stage), flight):
                # A student lies in the folder of its run.
                model = line.model.replace(str(scratch.folder.path), str(run.folder.path))
                lines.append(line.model_copy(update={"model": model}))
    tried = len(drawn.train) + len(drawn.holdout)
    return summed(str(run.folder.path), drawn.train_size + drawn.holdout_size, tried, lines, _notes(run, past, lines))


def _concurrency(run: Run, role: Role) -> int:
    """The calls in flight that a role may have; 1 for a role that nobody plays."""
    return max((model.concurrency for model in run.config.models.asked((role,)).values()), default=1)


def _models(run: Run, stage: str) -> dict[str, ModelConfig]:
    """The models that a stage may ask, by their strings."""
    roles: dict[str, tuple[Role, ...]] = {"draft": ("teacher",), "revise": ("editor", "analyst")}
    asked = list(run.config.models.asked(roles.get(stage, ("analyst", "judge"))).values())
    if stage == "revise":
        asked += run.config.models.editors
    if stage == "evaluate":
        asked += [*models_of_systems(run).values(), run.config.models.editor]
    return {model.model: model for model in reversed(asked)}


def _lines(stage: str, asking: Asking, history: History, models: dict[str, ModelConfig], flight: int) -> list[Line]:
    """A line for each model that the stage asks in any scene."""
    every = [call for scenes in (*asking.sampled, *asking.once) for calls in scenes.values() for call in calls]
    names = dict.fromkeys(call.model for call in every)
    return [_line(stage, models[name], asking, history, flight) for name in names]


def _line(stage: str, model: ModelConfig, asking: Asking, history: History, flight: int) -> Line:
    """Return what a stage asks of one model. `flight` is the number of calls that it has in flight."""
    assumed = WITH_ERRORS if history.with_errors is None else history.with_errors
    figures, source = _of_sample(model.model, asking, 1.0 if asking.errors_known else assumed), "sample"
    stored, past = _stored(model.model, asking), history.calls.get((stage, model.model))
    if past is not None:
        figures, source = _by_history(figures, past, asking.rows * (1 - stored)), "history"
    work = None if model.mode == "batch" else history.seconds.get(stage)
    allowed = _at_allowed_rates(model, figures)
    worked = None if work is None else figures.calls.times(work / flight)
    return Line(
        stage=stage,
        model=model.model,
        source=source,
        calls=figures.calls,
        tokens_in=figures.tokens_in,
        tokens_out=figures.tokens_out,
        usd=_usd(model, figures),
        seconds=larger(worked, allowed or Range()) if worked else allowed,
        at_least=worked is None and allowed is not None,
        stored=stored,
    )


class _Figures(NamedTuple):
    calls: Range
    tokens_in: Range
    tokens_out: Range


def _of_sample(model: str, asking: Asking, share: float) -> _Figures:
    """The figures of the sample, scaled to all rows. `share` is the share of drafts with an error."""

    def scaled(bounds: Callable[[Asked], Range]) -> Range:
        rows = [_of_row(scenes, model, share, bounds) for scenes in asking.sampled]
        once = [_of_row(scenes, model, share, bounds) for scenes in asking.once]
        low, mid, high = (
            _scaled([row[n] for row in rows], asking.rows, sign) + sum(row[n] for row in once)
            for n, sign in ((0, -1), (1, 0), (2, 1))
        )
        return ordered(low, mid, high)

    one = Range(low=1, mid=1, high=1)
    return _Figures(scaled(lambda _: one), scaled(lambda call: call.tokens_in), scaled(lambda call: call.tokens_out))


def _of_row(scenes: Scenes, model: str, share: float, bounds: Callable[[Asked], Range]) -> tuple[float, float, float]:
    """(low, mid, high) of one row: a clean draft, a mixture with `share` of typical drafts, and the worst draft."""
    asked = {
        kind: [bounds(call) for call in calls if call.model == model and not call.stored]
        for kind, calls in scenes.items()
    }
    clean, typical = (sum(item.mid for item in asked[kind]) for kind in ("clean", "typical"))
    low, high = sum(item.low for item in asked["clean"]), sum(item.high for item in asked["worst"])
    return low, (1 - share) * clean + share * typical, high


def _scaled(values: Sequence[float], rows: int, sign: int) -> float:
    """The sum over all rows from the mean of a sample, with `sign` times two standard errors of that mean.

    The finite population correction sqrt(1 - n / N) makes the error zero where the sample is everything (Cochran 1977,
    "Sampling Techniques", section 2.6).
    """
    if not values:
        return 0.0
    number = len(values)
    error = statistics.stdev(values) / number**0.5 * max(0.0, 1 - number / rows) ** 0.5 if number > 1 else 0.0
    return rows * (statistics.fmean(values) + 2 * sign * error)


def _by_history(sample: _Figures, past: PastCalls, rows: float) -> _Figures:
    """The figures by the history, within the bounds of the calls that the programs can make."""
    calls = sample.calls
    if past.rows:
        mid = min(max(past.calls / past.rows * rows, calls.low), calls.high)
        expected = around(mid, past.margin)
        calls = ordered(max(expected.low, calls.low), mid, min(expected.high, calls.high))
    return _Figures(calls, calls.times(past.tokens_in.mean()), calls.times(past.tokens_out.mean()))


def _stored(model: str, asking: Asking) -> float:
    """The share of the calls about typical drafts that the run's store answers."""
    calls = [call for scenes in (*asking.sampled, *asking.once) for call in scenes["typical"] if call.model == model]
    return sum(call.stored for call in calls) / len(calls) if calls else 0.0


def _at_allowed_rates(config: ModelConfig, figures: _Figures) -> Range | None:
    """Seconds that these calls and tokens take at the configured rates; None without rates, and for a batch."""
    if config.mode == "batch":
        return None
    tokens = total([figures.tokens_in, figures.tokens_out])
    limits = ((figures.calls, config.requests_per_minute), (tokens, config.tokens_per_minute))
    times = [figure.times(_MINUTE / rate) for figure, rate in limits if rate]
    return reduce(larger, times) if times else None


def _usd(config: ModelConfig, figures: _Figures) -> Range | None:
    price = price_of(config)
    if price is None:
        return None
    paid = total([figures.tokens_in.times(price[0]), figures.tokens_out.times(price[1])])
    return paid.times(config.batch.discount if config.mode == "batch" else 1.0)


def _in_batches(run: Run, lines: Sequence[Line]) -> list[str]:
    models = {model.model: model for line in lines for model in _models(run, line.stage).values()}
    return [name for name in dict.fromkeys(line.model for line in lines) if models[name].mode == "batch"]


def _notes(run: Run, history: History, lines: Sequence[Line]) -> list[str]:
    """What the figures are based on, in words."""
    notes = []
    if any(line.source == "sample" and line.calls.high for line in lines):
        notes.append(
            "The figures come from the sample alone. The low end has clean drafts and short answers. The high end has "
            "an error in every sentence, attempts that all fail, and long answers. A first run with --limit, or "
            "--history, narrows the range."
        )
    if history.with_errors is None:
        notes.append(f"No run has shown how many drafts have errors: {WITH_ERRORS:.0%} is assumed.")
    asking = [line for line in lines if line.calls.high]
    if any(line.at_least for line in asking):
        notes.append("No run has shown how long a call takes: the time is the least that the allowed rates give.")
    if any(line.seconds is None for line in asking) and not history.seconds:
        notes.append("The time is unknown: no run has shown how long a call takes, and no rate is configured.")
    notes += [
        f"{name}: each of its batches takes the provider's time, up to 24 hours." for name in _in_batches(run, asking)
    ]
    notes += [
        f"{model}: its price is unknown: set input_price and output_price of this model"
        for model in dict.fromkeys(line.model for line in lines if line.usd is None)
    ]
    return notes


@contextmanager
def scratch_run(run: Run, states: dict[str, StageState]) -> Iterator[Run]:
    """Make a run over the same corpus in a temporary folder. It needs no keys, since nothing is sent.

    Files of whole stages are linked. Without them the corpus is read, and the taxonomy is the configured one or the
    seed. Raises DataError for a corpus that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as folder:
        config = run.config.model_copy(update={"run_dir": Path(folder), **_without_keys(run.config)})
        scratch = Run(config, run.base_dir, RunFolder(Path(folder)), run.progress)
        _link_whole(run, scratch, states)
        if not scratch.folder.conversations.exists():
            store_conversations(scratch)
        if not scratch.folder.taxonomy.exists():
            write_taxonomy(scratch.folder.taxonomy, load_configured_taxonomy(run))
        yield scratch


def _link_whole(run: Run, scratch: Run, states: dict[str, StageState]) -> None:
    """Link the files of whole stages, and the calibration, into the scratch folder. Students are not needed."""
    if run.folder.calibration.exists():
        scratch.folder.calibration.symlink_to(run.folder.calibration.resolve())
    for stage in pipeline.STAGES:
        if states[stage.name].state != "whole" or stage.name in ("train", "report"):
            continue
        for path in stage.outputs(run):
            (scratch.folder.path / path.name).symlink_to(path.resolve())


def _without_keys(config: Config) -> dict[str, object]:
    """The parts of a configuration that name models, with a made-up key instead of each variable that holds one."""
    models: dict[str, object] = {
        role: tuple(map(_with_any_key, model)) if isinstance(model, tuple) else _teacher_or_model(model)
        for role, model in config.models
        if model is not None
    }
    evaluate = {
        "serve": {name: _with_any_key(model) for name, model in config.evaluate.serve.items()},
        "systems": {name: _with_any_key(model) for name, model in config.evaluate.systems.items()},
    }
    return {
        "models": config.models.model_copy(update=models),
        "evaluate": config.evaluate.model_copy(update=evaluate),
    }


def _teacher_or_model(model: ModelConfig | DraftColumn) -> ModelConfig | DraftColumn:
    if isinstance(model, ModelConfig):
        return _with_any_key(model)
    return model.model_copy(update={"otherwise": model.otherwise and _with_any_key(model.otherwise)})


def _with_any_key(model: ModelConfig) -> ModelConfig:
    """The model with a made-up key. Nothing is sent, and the keys of stored answers do not contain it."""
    if is_local(model.model):
        return model
    return model.model_copy(update={"api_key_env": None, "parameters": {**model.parameters, "api_key": "none"}})
