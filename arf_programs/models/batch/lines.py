"""The lines of a batch's files in OpenAI's format, and the journal of batches that a killed run continues from.

The format is at platform.openai.com/docs/api-reference/batch. The journal has no keys of providers and no prompts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from arf_programs.config import mask, without_login
from arf_programs.models.providers.litellm import import_litellm
from arf_programs.runs import JsonlAppender, make_private_folder, read_jsonl

Body = dict[str, Any]
ENDPOINT = "/v1/chat/completions"
# These are for the client, like the parameters that LiteLLM lists as its own. The model does not get them.
_OF_CLIENT = {"model", "messages", "base_url", "timeout", "stream", "extra_headers", "rollout_id"}


@dataclass(frozen=True)
class Outcome:
    """The result of one call: its `answer` (a chat completion), or an error with HTTP `status` and `message`."""

    answer: Body | None = None
    status: int = 200
    message: str = ""


def body_of(request: Mapping[str, Any], name: str, provider: str) -> Body:
    """Return the body that LiteLLM's `acompletion` would send: the provider's parameters and a JSON schema."""
    litellm = import_litellm()
    owned = litellm.types.utils.is_litellm_owned_kwarg
    given = {
        key: value for key, value in request.items() if value is not None and key not in _OF_CLIENT and not owned(key)
    }
    parameters = litellm.utils.get_optional_params(
        model=name, custom_llm_provider=provider, messages=request["messages"], **given
    )
    extra_body = parameters.pop("extra_body", None) or {}
    sent = {key: value for key, value in parameters.items() if key not in _OF_CLIENT and not owned(key)}
    return {"model": name, "messages": request["messages"], **sent, **extra_body}


def key_of_line(api_base: str | None, body: Body) -> str:
    """Return the SHA-256 of a call's endpoint and body."""
    return hashlib.sha256(json.dumps([api_base, body], sort_keys=True).encode()).hexdigest()


def line_of(key: str, body: Body) -> bytes:
    """Return the line of a call in a batch's input file."""
    line = {"custom_id": key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def key_in(line: bytes) -> str:
    """Return the key of a result line; empty if the line cannot be read."""
    return str(_entry(line).get("custom_id") or "")


def outcome_of(line: bytes) -> Outcome:
    """Read a result line, whatever it is. An expired or cancelled call has status 408, and so has an odd answer."""
    entry = _entry(line)
    response = _mapping(entry.get("response"))
    body = _mapping(response.get("body"))
    code = response.get("status_code")
    status = int(str(code)) if str(code).isdecimal() and len(str(code)) == 3 else 0
    if status == 200 and body.get("choices"):
        return _answered(body)
    error = entry.get("error") or body.get("error") or {}
    message = error.get("message") if isinstance(error, dict) else error
    return Outcome(
        status=status if status not in (0, 200) else 408, message=str(message or "no answer and no reason")[:500]
    )


def _answered(body: Body) -> Outcome:
    """Return the outcome of an answer that LiteLLM can read, if need be without its usage."""
    for answer in (body, {**body, "usage": None}):
        if _is_completion(answer):
            return Outcome(answer=answer)
    return Outcome(status=408, message="the answer is no chat completion")


def _is_completion(body: Body) -> bool:
    if not isinstance(body["choices"], list):
        return False
    try:
        import_litellm().ModelResponse(**body)
    except Exception:  # LiteLLM raises various exceptions for an odd answer
        return False
    return True


def _entry(line: bytes) -> Body:
    """Return a result line as a mapping; empty if it is none."""
    try:
        return _mapping(json.loads(line))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Body:
    return value if isinstance(value, dict) else {}


def response_of(answer: Body, model: str, discount: float) -> Any:
    """Return the answer as LiteLLM's ModelResponse. Its price, if known, is `discount` times that of a live call."""
    litellm = import_litellm()
    response = litellm.ModelResponse(**answer)
    try:
        price = litellm.completion_cost(completion_response=response, model=model)
    except Exception:  # LiteLLM raises a plain Exception for a model without a price
        return response
    response._hidden_params["response_cost"] = price * discount
    return response


def error_of(outcome: Outcome, model: str, provider: str) -> Exception:
    """Return the error that LiteLLM raises for such a status in a live call."""
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
    kind = kinds.get(outcome.status) or partial(litellm.APIError, status_code=outcome.status)
    error: Exception = kind(message=message, model=model, llm_provider=provider)
    return error


def as_litellm(error: Exception, model: str, provider: str) -> Exception:
    """Return the LiteLLM error for a failed request of the client. LiteLLM's file calls raise OpenAI's errors."""
    litellm = import_litellm()
    status = getattr(error, "status_code", None)
    if status:
        return error_of(Outcome(status=status, message=str(error)), model, provider)
    if isinstance(error, litellm.exceptions.openai.APIConnectionError):
        lost: Exception = litellm.APIConnectionError(message=str(error), llm_provider=provider, model=model)
        return lost
    return error


def chunk(sizes: Iterable[tuple[str, int]], max_requests: int, max_bytes: int) -> Iterator[str]:
    """Yield the first keys whose lines fit in one file, at least one. `sizes` are keys with their bytes."""
    total = 0
    for count, (key, size) in enumerate(sizes):
        total += size
        if count and (count >= max_requests or total > max_bytes):
            return
        yield key


State = Literal["uploaded", "submitted", "done", "lost"]


class Job(BaseModel):
    """One line of `batches.jsonl`. A later line of the same file id replaces the earlier one.

    Only the first line has `keys`, the calls of the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_id: str
    state: State
    model: str
    api_base: str | None = None
    batch_id: str = ""
    keys: tuple[str, ...] = ()


class BatchJournal:
    """The jobs in `path`, with their results in the folder beside it (`batches/` for `batches.jsonl`).

    A job is recorded when its file is uploaded (before it is submitted), when it has an id, and when its results are on
    disk. The results stay there, one file a batch, so an answer that arrived is never paid for again.
    """

    def __init__(self, path: Path) -> None:
        self._results = path.with_suffix("")
        self._jobs: dict[str, Job] = {}
        self._by_key: dict[str, str] = {}
        self._offsets: dict[str, dict[str, int]] = {}
        if path.exists():
            for line in read_jsonl(path, Job, ignore_half_line=True):
                self._add(line)
        self._file = JsonlAppender(path)

    def job_of(self, key: str, model: str, api_base: str | None) -> Job | None:
        """Return the last job with this call for a model at an endpoint; None if there is none, or if it is lost."""
        job = self._jobs.get(self._by_key.get(key, ""))
        if job is None or job.state == "lost" or (job.model, _public(job.api_base)) != (model, _public(api_base)):
            return None
        return job

    def record_upload(self, file_id: str, model: str, api_base: str | None, keys: tuple[str, ...]) -> Job:
        """Record a file that is about to be submitted."""
        return self._write(Job(file_id=file_id, state="uploaded", model=model, api_base=_public(api_base), keys=keys))

    def record_submission(self, job: Job, batch_id: str) -> Job:
        """Record the provider's id of a job."""
        return self._write(job.model_copy(update={"state": "submitted", "batch_id": batch_id}))

    def record_results(self, job: Job, results: bytes) -> Job:
        """Write the result lines of a job to disk, then record that they are there."""
        make_private_folder(self._results)
        path = self._path(job)
        part = path.with_suffix(".part")
        part.write_bytes(mask(results.decode(errors="surrogateescape")).encode(errors="surrogateescape"))
        part.replace(path)
        return self._write(job.model_copy(update={"state": "done"}))

    def record_loss(self, job: Job) -> Job:
        """Record that a job will have no results: its calls are sent again."""
        return self._write(job.model_copy(update={"state": "lost"}))

    def outcome(self, job: Job, key: str) -> Outcome:
        """Return the outcome of a call in a done job. A call without a result line has status 408."""
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
        return self._add(job)

    def _add(self, line: Job) -> Job:
        before = self._jobs.get(line.file_id)
        job = line.model_copy(update={"keys": before.keys}) if before and not line.keys else line
        self._jobs[job.file_id] = job
        if job.state == "uploaded":
            self._by_key |= dict.fromkeys(job.keys, job.file_id)
        return job


def _offsets(path: Path) -> dict[str, int]:
    """Return the byte offset of each call's line."""
    offsets, offset = {}, 0
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                offsets[key_in(line)] = offset
            offset += len(line)
    return offsets


def _public(api_base: str | None) -> str | None:
    """Return an address without user and password."""
    return api_base and without_login(api_base)


def _safe(batch_id: str) -> str:
    """Return a provider's id as a file name that stays inside the folder."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in batch_id)
