"""A scratch run for the estimate: the same configuration and files of whole stages, in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arf_programs import pipeline
from arf_programs.config import Config, DraftColumn, ModelConfig
from arf_programs.corpus import load_configured_taxonomy, write_taxonomy
from arf_programs.models import is_local
from arf_programs.runs import Run, RunFolder
from arf_programs.stages import StageState, store_conversations


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
    models = {role: _teacher_or_model(model) for role, model in config.models}
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
