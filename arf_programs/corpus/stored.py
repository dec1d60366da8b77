"""The corpus as it was read, in a file, so that its size is not bounded by the memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from arf_programs.config.schema import CorpusConfig
from arf_programs.corpus.read import CorpusReader
from arf_programs.jsonl import write_jsonl_atomic
from arf_programs.jsonl_index import JsonlIndex
from signatures.records import Conversation, Failure


@dataclass(frozen=True)
class StoredCorpus:
    """Conversations by id, in the order of the file, each read when asked for; and those left out."""

    conversations: Mapping[str, Conversation]
    skipped: tuple[Failure, ...]


def store_corpus(config: CorpusConfig, *, base_dir: Path, path: Path) -> StoredCorpus:
    """Read the corpus into a file of Conversation records at `path`. Raises what `CorpusReader` raises."""
    reader = CorpusReader(config, base_dir=base_dir)
    write_jsonl_atomic(path, reader.conversations())
    index = JsonlIndex(path, Conversation, key=lambda row: row["id"], value=lambda conversation: conversation)
    return StoredCorpus(index, tuple(reader.skipped))
