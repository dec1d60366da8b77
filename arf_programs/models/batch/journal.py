"""What a run remembers of its batches, so that a killed one finds them again. No key and no prompt is in it.

A batch is noted when its file is uploaded, that is before it is submitted, again with its id, and when its results
are on disk. The results stay beside the journal, one file a batch: an answer that arrived is never asked for again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from arf_programs.jsonl import JsonlAppender, read_jsonl
from arf_programs.models.batch.lines import Outcome, key_in, outcome_of

State = Literal["uploaded", "submitted", "done", "lost"]


class Job(BaseModel):
    """One line of `batches.jsonl`; a later line of the same file id takes the earlier one's place.

    `keys`, the calls in it, are written with the first line only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_id: str
    state: State
    model: str
    api_base: str | None = None
    batch_id: str = ""
    keys: tuple[str, ...] = ()


class BatchJournal:
    """The jobs in `path`, and their results in the folder beside it that is named like it without the ending."""

    def __init__(self, path: Path) -> None:
        self._results = path.with_suffix("")
        self._jobs: dict[str, Job] = {}
        self._by_key: dict[str, str] = {}
        self._offsets: dict[str, dict[str, int]] = {}
        if path.exists():
            for line in read_jsonl(path, Job, ignore_half_line=True):
                self._take(line)
        self._file = JsonlAppender(path)

    def job_of(self, key: str, model: str, api_base: str | None) -> Job | None:
        """The last job of this model and endpoint that a call is in, unless that job is lost."""
        job = self._jobs.get(self._by_key.get(key, ""))
        known = job is not None and job.state != "lost" and (job.model, job.api_base) == (model, api_base)
        return job if known else None

    def uploaded(self, file_id: str, model: str, api_base: str | None, keys: tuple[str, ...]) -> Job:
        """Note a file that is about to be submitted."""
        return self._write(Job(file_id=file_id, state="uploaded", model=model, api_base=api_base, keys=keys))

    def submitted(self, job: Job, batch_id: str) -> Job:
        """Note the provider's id of a job."""
        return self._write(job.model_copy(update={"state": "submitted", "batch_id": batch_id}))

    def done(self, job: Job, results: bytes) -> Job:
        """Keep the lines of a job's results, then note that they are there."""
        self._results.mkdir(parents=True, exist_ok=True)
        self._results.chmod(0o700)
        path = self._path(job)
        part = path.with_suffix(".part")
        part.write_bytes(results)
        part.replace(path)
        return self._write(job.model_copy(update={"state": "done"}))

    def lost(self, job: Job) -> Job:
        """Note that a job will bring no results: its calls are to be sent anew."""
        return self._write(job.model_copy(update={"state": "lost"}))

    def outcome(self, job: Job, key: str) -> Outcome:
        """What a done job says of a call; one that it says nothing of was never worked on."""
        if job.file_id not in self._offsets:
            self._offsets[job.file_id] = _offsets(self._path(job))
        offset = self._offsets[job.file_id].get(key)
        if offset is None:
            return Outcome(status=408, message="the results lack this request")
        with self._path(job).open("rb") as file:
            file.seek(offset)
            return outcome_of(file.readline())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _path(self, job: Job) -> Path:
        return self._results / f"{_safe(job.batch_id)}.jsonl"

    def _write(self, job: Job) -> Job:
        self._file.append(job if job.state == "uploaded" else job.model_copy(update={"keys": ()}))
        return self._take(job)

    def _take(self, line: Job) -> Job:
        before = self._jobs.get(line.file_id)
        job = line.model_copy(update={"keys": before.keys}) if before and not line.keys else line
        self._jobs[job.file_id] = job
        if job.state == "uploaded":
            self._by_key |= dict.fromkeys(job.keys, job.file_id)
        return job


def _offsets(path: Path) -> dict[str, int]:
    """Where the line of each call begins."""
    offsets, offset = {}, 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                offsets[key_in(line)] = offset
            offset += len(line)
    return offsets


def _safe(batch_id: str) -> str:
    """A provider's id as a file name, which cannot lead out of the folder."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in batch_id)
