"""From a call to a line of a batch's file, and from a line of its results to an outcome. Pure functions.

The lines are OpenAI's (platform.openai.com/docs/api-reference/batch).


What a run remembers of its batches, so that a killed one finds them again. No key and no prompt is in it.

A batch is noted when its file is uploaded, that is before it is submitted, again with its id, and when its results
are on disk. The results stay beside the journal, one file a batch: an answer that arrived is never asked for again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from arf_programs.models.providers import import_litellm
from arf_programs.runs import JsonlAppender, read_jsonl

Body = dict[str, Any]
ENDPOINT = "/v1/chat/completions"
# Said to the client that sends, beside what LiteLLM knows as its own, and not to the model that answers.
_OF_CLIENT = {"model", "messages", "base_url", "timeout", "stream", "extra_headers", "rollout_id"}


@dataclass(frozen=True)
class Outcome:
    """What became of one call: the `answer` (a chat completion), or an error with its HTTP status and `message`."""

    answer: Body | None = None
    status: int = 200
    message: str = ""


def body_of(request: Mapping[str, Any], name: str, provider: str) -> Body:
    """The body that LiteLLM would send for a call of `acompletion`: the provider's parameters and a JSON schema."""
    litellm = import_litellm()
    owned = litellm.types.utils.is_litellm_owned_kwarg
    asked = {
        key: value for key, value in request.items() if value is not None and key not in _OF_CLIENT and not owned(key)
    }
    parameters = litellm.utils.get_optional_params(
        model=name, custom_llm_provider=provider, messages=request["messages"], **asked
    )
    further = parameters.pop("extra_body", None) or {}
    known = {key: value for key, value in parameters.items() if key not in _OF_CLIENT and not owned(key)}
    return {"model": name, "messages": request["messages"], **known, **further}


def key_of_line(api_base: str | None, body: Body) -> str:
    """SHA-256 of a call's endpoint and body."""
    return hashlib.sha256(json.dumps([api_base, body], sort_keys=True).encode()).hexdigest()


def line_of(key: str, body: Body) -> bytes:
    """One line of a batch's input file."""
    line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def key_in(line: bytes) -> str:
    """The key of a line of results."""
    return str(json.loads(line)["custom_id"])


def outcome_of(line: bytes) -> Outcome:
    """What a line of results says. An expired or cancelled call has status 408."""
    entry = json.loads(line)
    response = entry.get("response") or {}
    body = response.get("body") or {}
    status = int(response.get("status_code") or 0)
    if status == 200 and body.get("choices"):
        return Outcome(answer=body)
    error = entry.get("error") or (body.get("error") if isinstance(body, dict) else None) or {}
    message = error.get("message") if isinstance(error, dict) else str(error)
    return Outcome(status=status if status not in (0, 200) else 408, message=message or "no answer and no reason")


def response_of(answer: Body, model: str, discount: float) -> Any:
    """The answer as LiteLLM's ModelResponse, with its price: `discount` times the live one, None where unknown."""
    litellm = import_litellm()
    response = litellm.ModelResponse(**answer)
    try:
        price = litellm.completion_cost(completion_response=response, model=model)
    except Exception:  # LiteLLM raises a plain Exception for a model without a price
        return response
    response._hidden_params["response_cost"] = price * discount
    return response


def error_of(outcome: Outcome, model: str, provider: str) -> Exception:
    """The error that LiteLLM raises for such a status in a live call."""
    litellm = import_litellm()
    kinds = {
        400: litellm.BadRequestError,
        401: litellm.AuthenticationError,
        404: litellm.NotFoundError,
        408: litellm.Timeout,
        429: litellm.RateLimitError,
        500: litellm.InternalServerError,
        503: litellm.ServiceUnavailableError,
    }
    message = f"in a batch: {outcome.message}"
    kind = kinds.get(outcome.status)
    if kind is None:
        status = outcome.status
        unknown: Exception = litellm.APIError(status_code=status, message=message, llm_provider=provider, model=model)
        return unknown
    known: Exception = kind(message=message, model=model, llm_provider=provider)
    return known


def as_litellm(error: Exception, model: str, provider: str) -> Exception:
    """A failure of the batch's own requests, as LiteLLM names it: its files calls let OpenAI's errors through."""
    litellm = import_litellm()
    status = getattr(error, "status_code", None)
    if status:
        return error_of(Outcome(status=status, message=str(error)), model, provider)
    if isinstance(error, litellm.exceptions.openai.APIConnectionError):
        lost: Exception = litellm.APIConnectionError(message=str(error), llm_provider=provider, model=model)
        return lost
    return error


def chunk(sizes: Iterable[tuple[str, int]], max_requests: int, max_bytes: int) -> Iterator[str]:
    """The first keys whose lines (their sizes in bytes) fit one file; at least one."""
    total = 0
    for count, (key, size) in enumerate(sizes):
        total += size
        if count and (count >= max_requests or total > max_bytes):
            return
        yield key


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
