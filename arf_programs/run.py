"""What every stage is given: the configuration, the run's folder, and a way to ask models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from arf_programs.config.schema import Config
from arf_programs.fingerprint import digest, file_digest
from arf_programs.jsonl import read_jsonl
from arf_programs.jsonl_index import JsonlIndex
from arf_programs.progress import Progress
from arf_programs.run_folder import RunFolder
from signatures.records import Conversation, Record, Summary


class SplitConversation(Record):
    """A row of `conversations.jsonl`."""

    split: Literal["train", "holdout"]
    conversation: Conversation


@dataclass(frozen=True)
class Run:
    """One run. `base_dir` is the folder of arf.yaml, to which its paths are relative.

    With `again`, rows that failed are tried again, and stored answers that were no use are asked for anew.
    """

    config: Config
    base_dir: Path
    folder: RunFolder
    progress: Progress
    again: bool = False

    def conversations(self, split: Literal["train", "holdout"] | None = None) -> Mapping[str, Conversation]:
        """The conversations by id, in the corpus's order; of one side of the split, or of both. Each is read when asked
        for.
        """
        return JsonlIndex(
            self.folder.conversations,
            SplitConversation,
            key=lambda row: row["conversation"]["id"] if split in (None, row["split"]) else None,
            value=lambda row: row.conversation,
        )

    def drafts(self, split: Literal["train", "holdout"]) -> Iterator[Summary]:
        """The teacher's drafts on one side of the split, one at a time."""
        known = self.conversations(split)
        return (draft for draft in read_jsonl(self.folder.drafts, Summary) if draft.conversation_id in known)

    @property
    def calls(self) -> Path:
        """Where answers are stored: in the run's folder, or in `calls_dir`."""
        given = self.config.calls_dir
        return self.folder.calls if given is None else self.base_dir / given

    def content_digest(self, path: str) -> str:
        """Hash of a configured file or folder, beside arf.yaml or in the working directory; a hub id is its own."""
        for place in (self.base_dir / path, Path(path)):
            if path and place.exists():
                return file_digest(place)
        return digest(path)
