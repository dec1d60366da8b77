"""A run beside the run: the same configuration and what is whole of its files, in a folder that goes away."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from arf_programs import pipeline
from arf_programs.config.models import ModelConfig
from arf_programs.config.schema import Config
from arf_programs.models.lm import is_local
from arf_programs.run import Run
from arf_programs.run_folder import RunFolder
from arf_programs.stages import corpus
from arf_programs.stages.stage import StageState
from arf_programs.taxonomy.files import read_taxonomy, write_taxonomy
from arf_programs.taxonomy.seed import seed_taxonomy
from signatures.records import Taxonomy

NO_KEY: Final = "ARF_ESTIMATE_NO_KEY"


@contextmanager
def scratch_run(run: Run, states: dict[str, StageState]) -> Iterator[Run]:
    """A run over the same corpus that leaves `run`'s folder alone, and needs no keys: nothing is sent.

    Files of whole stages are linked; a corpus that is not is read, and a taxonomy that is missing is the configured
    one, else the seed. Raises DataError for a corpus that cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as folder, _variable(NO_KEY, "none"):
        config = run.config.model_copy(update={"run_dir": Path(folder), **_without_keys(run.config)})
        scratch = Run(config, run.base_dir, RunFolder(Path(folder)), run.progress)
        _link_whole(run, scratch, states)
        if not scratch.folder.conversations.exists():
            corpus.work(scratch)
        if not scratch.folder.taxonomy.exists():
            write_taxonomy(scratch.folder.taxonomy, _taxonomy(run))
        yield scratch


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


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
        return seed_taxonomy()
    beside = run.base_dir / given
    return read_taxonomy(beside if beside.exists() else Path(given))


def _without_keys(config: Config) -> dict[str, object]:
    """`models` and `evaluate` in which every key is taken from a variable that holds none."""
    models = config.models.model_copy(
        update={role: _without_key(model) for role, model in config.models if isinstance(model, ModelConfig)}
    )
    serve = {system: _without_key(model) for system, model in config.evaluate.serve.items()}
    return {"models": models, "evaluate": config.evaluate.model_copy(update={"serve": serve})}


def _without_key(model: ModelConfig) -> ModelConfig:
    return model if is_local(model.model) else model.model_copy(update={"api_key_env": NO_KEY})
