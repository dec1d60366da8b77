"""A run beside the run: the same configuration and what is whole of its files, in a folder that goes away.

From calls about sampled rows to an estimate of a run.
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
from arf_programs.config import Config, ModelConfig, Role
from arf_programs.corpus import load_seed_taxonomy, read_taxonomy, write_taxonomy
from arf_programs.estimating.figures import Estimate, Line, Range, larger, ordered, price_of, summed, total
from arf_programs.estimating.history import ROLE_OF, History, Known, read_history
from arf_programs.estimating.recorder import Asked, recording
from arf_programs.estimating.rows import ASKING, Asking, Scenes, draw
from arf_programs.models import is_local
from arf_programs.runs import Run, RunFolder
from arf_programs.stages import StageState, models_of_systems, store_conversations
from signatures.records import Taxonomy


@contextmanager
def scratch_run(run: Run, states: dict[str, StageState]) -> Iterator[Run]:
    """A run over the same corpus that leaves `run`'s folder alone, and needs no keys: nothing is sent.

    Files of whole stages are linked; a corpus that is not is read, and a taxonomy that is missing is the configured
    one, else the seed. Raises DataError for a corpus that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as folder:
        config = run.config.model_copy(update={"run_dir": Path(folder), **_without_keys(run.config)})
        scratch = Run(config, run.base_dir, RunFolder(Path(folder)), run.progress)
        _link_whole(run, scratch, states)
        if not scratch.folder.conversations.exists():
            store_conversations(scratch)
        if not scratch.folder.taxonomy.exists():
            write_taxonomy(scratch.folder.taxonomy, _taxonomy(run))
        yield scratch


def _link_whole(run: Run, scratch: Run, states: dict[str, StageState]) -> None:
    """Make what whole stages wrote readable in the scratch folder; students are not needed."""
    for stage in pipeline.STAGES:
        if states[stage.name].state != "whole" or stage.name in ("train", "report"):
            continue
        for path in stage.outputs(run):
            (scratch.folder.path / path.name).symlink_to(path.resolve())


def _taxonomy(run: Run) -> Taxonomy:
    given = run.config.analyze.taxonomy
    if not given:
        return load_seed_taxonomy()
    beside = run.base_dir / given
    return read_taxonomy(beside if beside.exists() else Path(given))


def _without_keys(config: Config) -> dict[str, object]:
    """The parts of a configuration that name models, with a key in the place of each variable that holds one."""
    models = {role: _with_any_key(model) for role, model in config.models if isinstance(model, ModelConfig)}
    evaluate = {
        "serve": {name: _with_any_key(model) for name, model in config.evaluate.serve.items()},
        "systems": {name: _with_any_key(model) for name, model in config.evaluate.systems.items()},
    }
    return {
        "models": config.models.model_copy(update=models),
        "evaluate": config.evaluate.model_copy(update=evaluate),
    }


def _with_any_key(model: ModelConfig) -> ModelConfig:
    """The model with a key that opens nothing. Nothing is sent, and stored answers are kept without their key."""
    if is_local(model.model):
        return model
    return model.model_copy(update={"api_key_env": None, "parameters": {**model.parameters, "api_key": "none"}})


_MINUTE = 60.0
SAMPLE = 10
WITH_ERRORS = 0.5
"""Share of drafts taken to have an error where no run has said it."""


def estimate_run(run: Run, *, sample: int = SAMPLE, history: Sequence[RunFolder] = ()) -> Estimate:
    """What the stages that are not whole would ask, and what that would cost. No call is made, nothing is written.

    `sample` is the number of conversations of each side of the split that are tried; `history` names other runs whose
    ledgers count beside that of this run. Raises DataError for a corpus or a history that cannot be read.
    """
    known = read_history([run.folder, *history])
    states = pipeline.status(run)
    lines: list[Line] = []
    with scratch_run(run, states) as scratch, recording(run) as recorder:
        drawn = draw(scratch, sample)
        for stage, ask in ASKING.items():
            if states[stage].state == "whole":
                lines.append(Line(stage=stage, model="", source="done"))
                continue
            asking = ask(scratch, drawn, recorder)
            flight = min(run.config.models.of(ROLE_OF[stage]).concurrency, max(1, asking.rows))
            for line in _lines(stage, asking, known, _models(scratch, stage), flight):
                # A student lies in the folder of its run.
                model = line.model.replace(str(scratch.folder.path), str(run.folder.path))
                lines.append(line.model_copy(update={"model": model}))
    tried = len(drawn.train) + len(drawn.holdout)
    return summed(str(run.folder.path), drawn.train_size + drawn.holdout_size, tried, lines, _notes(run, known, lines))


def _models(run: Run, stage: str) -> dict[str, ModelConfig]:
    """The models that a stage may ask, by their strings."""
    roles: dict[str, tuple[Role, ...]] = {"draft": ("teacher",), "revise": ("editor", "analyst")}
    asked = [run.config.models.of(role) for role in roles.get(stage, ("analyst", "judge"))]
    if stage == "evaluate":
        asked += [*models_of_systems(run).values(), run.config.models.editor]
    return {model.model: model for model in reversed(asked)}


def _lines(stage: str, asking: Asking, history: History, models: dict[str, ModelConfig], flight: int) -> list[Line]:
    """A line for each model that the stage asks in any scene."""
    every = [call for scenes in (*asking.sampled, *asking.once) for calls in scenes.values() for call in calls]
    names = dict.fromkeys(call.model for call in every)
    return [_line(stage, models[name], asking, history, flight) for name in names]


def _line(stage: str, model: ModelConfig, asking: Asking, history: History, flight: int) -> Line:
    """What a stage asks of one model; `flight` is its number of calls in flight."""
    supposed = WITH_ERRORS if history.with_errors is None else history.with_errors
    figures, source = _of_sample(model.model, asking, 1.0 if asking.known else supposed), "sample"
    stored, known = _stored(model.model, asking), history.known.get((stage, model.model))
    if known is not None:
        figures, source = _by_history(figures, known, asking.rows * (1 - stored)), "history"
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
    """The sample's figures, raised to all rows; `share` is that of drafts with an error."""

    def raised(bounds: Callable[[Asked], Range]) -> Range:
        rows = [_of_row(scenes, model, share, bounds) for scenes in asking.sampled]
        once = [_of_row(scenes, model, share, bounds) for scenes in asking.once]
        low, mid, high = (
            _raised([row[n] for row in rows], asking.rows, sign) + sum(row[n] for row in once)
            for n, sign in ((0, -1), (1, 0), (2, 1))
        )
        return ordered(low, mid, high)

    one = Range(low=1, mid=1, high=1)
    return _Figures(raised(lambda _: one), raised(lambda call: call.tokens_in), raised(lambda call: call.tokens_out))


def _of_row(scenes: Scenes, model: str, share: float, bounds: Callable[[Asked], Range]) -> tuple[float, float, float]:
    """(low, mid, high) of one row: low if its draft is clean, high in the worst case, and between them by `share`."""
    asked = {
        kind: [bounds(call) for call in calls if call.model == model and not call.stored]
        for kind, calls in scenes.items()
    }
    clean, typical = (sum(item.mid for item in asked[kind]) for kind in ("clean", "typical"))
    low, high = sum(item.low for item in asked["clean"]), sum(item.high for item in asked["worst"])
    return low, (1 - share) * clean + share * typical, high


def _raised(values: Sequence[float], rows: int, sign: int) -> float:
    """The sum over all rows, from a sample's mean; `sign` 1 and -1 add and take two standard errors of that mean.

    The finite population correction sqrt(1 - n / N) makes the error zero where the sample is everything (Cochran 1977,
    "Sampling Techniques", section 2.6).
    """
    if not values:
        return 0.0
    number = len(values)
    error = statistics.stdev(values) / number**0.5 * max(0.0, 1 - number / rows) ** 0.5 if number > 1 else 0.0
    return rows * (statistics.fmean(values) + 2 * sign * error)


def _by_history(sample: _Figures, known: Known, rows: float) -> _Figures:
    """The figures of what was booked, within the bounds of what the programs can ask at all."""
    calls = sample.calls
    if known.rows:
        mid = min(max(known.calls / known.rows * rows, calls.low), calls.high)
        low, high = mid * (1 - known.margin_calls), mid * (1 + known.margin_calls)
        calls = ordered(max(low, calls.low), mid, min(high, calls.high))
    return _Figures(
        calls,
        calls.times(_around(known.tokens_in, known.margin_in)),
        calls.times(_around(known.tokens_out, known.margin_out)),
    )


def _around(value: float, margin: float) -> Range:
    return ordered(value * (1 - margin), value, value * (1 + margin))


def _stored(model: str, asking: Asking) -> float:
    """The share of the calls about typical drafts that the run's store answers."""
    calls = [call for scenes in (*asking.sampled, *asking.once) for call in scenes["typical"] if call.model == model]
    return sum(call.stored for call in calls) / len(calls) if calls else 0.0


def _at_allowed_rates(config: ModelConfig, figures: _Figures) -> Range | None:
    """Seconds that so many calls and tokens take at the configured rates; None where there are none. A batch has none
    either: it takes the provider's time.
    """
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
    """What the figures rest on, in words."""
    notes = []
    if any(line.source == "sample" and line.calls.high for line in lines):
        notes.append(
            "From the sample alone: the low end has clean drafts and short answers, the high end an error in every "
            "sentence, attempts that all fail, and long answers. A first run with --limit, or --history, "
            "narrows it."
        )
    if history.with_errors is None:
        notes.append(f"No run has said how many drafts have errors: {WITH_ERRORS:.0%} is supposed.")
    asking = [line for line in lines if line.calls.high]
    if any(line.at_least for line in asking):
        notes.append("At least: no run has said how long a call takes; that is the time at the allowed rates.")
    if any(line.seconds is None for line in asking) and not history.seconds:
        notes.append("No time: no run has said how long a call takes, and no rate is configured.")
    notes += [
        f"{name}: each of its batches takes the provider's time, up to 24 hours." for name in _in_batches(run, asking)
    ]
    notes += [
        f"{model}: nobody knows its price: set input_price and output_price on it"
        for model in dict.fromkeys(line.model for line in lines if line.usd is None)
    ]
    return notes
