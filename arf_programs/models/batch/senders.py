"""The senders of the models whose configuration says `mode: batch`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from arf_programs.config.models import ModelConfig
from arf_programs.models.batch.client import BatchClient
from arf_programs.models.batch.journal import BatchJournal
from arf_programs.models.batch.sender import BatchSender
from arf_programs.models.lm import endpoint_name, key_of
from arf_programs.models.sending import Sender
from arf_programs.run_folder import RunFolder


@contextmanager
def batch_senders(models: Iterable[ModelConfig], folder: RunFolder) -> Iterator[dict[str, Sender]]:
    """A sender for each endpoint in batch mode, by the endpoint's name; they share the run's journal of jobs.

    Raises ConfigError for a provider whose batch API is not known, or a key that is not set.
    """
    wanted = {endpoint_name(model.model, model.api_base): model for model in models if model.mode == "batch"}
    if not wanted:
        yield {}
        return
    journal = BatchJournal(folder.batches)
    try:
        yield {name: _sender(model, journal).send for name, model in wanted.items()}
    finally:
        journal.close()


def _sender(model: ModelConfig, journal: BatchJournal) -> BatchSender:
    key = key_of(model) if model.api_key_env else None
    client = BatchClient(model.model, api_base=model.api_base, api_key=key)
    return BatchSender(client, journal, settings=model.batch)
