"""The client of a provider's batch API, through LiteLLM: upload, submit, look up and download."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from arf_programs.models.batch.lines import ENDPOINT, Body, body_of
from arf_programs.models.providers.litellm import import_litellm
from signatures.exceptions import ConfigError

PROVIDERS: Final = ("openai", "hosted_vllm", "litellm_proxy", "azure")
ENDED: Final = frozenset({"completed", "expired", "failed", "cancelled"})
_PAGE: Final = 100
_PAGES: Final = 50
_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 60.0


class BatchClient:
    """The batches of one model at one endpoint. Raises ConfigError for a provider without a supported batch API.

    `retries` is how often a request of the client (an upload, a look-up) is tried again after a transient failure.
    """

    def __init__(
        self, model: str, *, api_base: str | None = None, api_key: str | None = None, retries: int = 8
    ) -> None:
        litellm = import_litellm()
        self.model = model
        self.api_base = api_base
        self.name, self.provider, usual_key, _ = litellm.get_llm_provider(model, api_base=api_base, api_key=api_key)
        if self.provider not in PROVIDERS:
            raise ConfigError(
                f"{model}: batch mode speaks OpenAI's batch API ({', '.join(PROVIDERS)}): leave out `mode: batch`, or "
                "reach the provider by a gateway that speaks it."
            )
        self._retries = retries
        self._endpoint: dict[str, Any] = {"custom_llm_provider": self.provider, "api_base": api_base}
        # A private server may take no key, but OpenAI's client does not start without one.
        self._endpoint["api_key"] = usual_key or ("no-key" if api_base and self.provider != "azure" else None)

    def body_of(self, request: Mapping[str, Any]) -> Body:
        """Return the body of a call."""
        return body_of(request, self.name, self.provider)

    async def upload(self, lines: list[bytes]) -> str:
        """Upload the input of a batch, and return the file id."""
        litellm = import_litellm()
        content = b"".join(lines)
        file = await litellm.acreate_file(
            file=("batch.jsonl", content), purpose="batch", max_retries=self._retries, **self._endpoint
        )
        return str(file.id)

    async def submit(self, file_id: str, *, may_exist: bool) -> str:
        """Submit an uploaded file once, and return the id of the batch.

        `may_exist` says that an earlier try may have succeeded: then its batch is searched for first.
        """
        litellm = import_litellm()
        for attempt in range(self._retries + 1):
            if may_exist and (batch_id := await self._find(file_id)):
                return batch_id
            try:
                batch = await litellm.acreate_batch(
                    completion_window="24h",
                    endpoint=ENDPOINT,
                    input_file_id=file_id,
                    max_retries=0,  # a failed try may have been accepted: search for it before the next one
                    **self._endpoint,
                )
                return str(batch.id)
            except Exception as error:
                if attempt == self._retries or not is_transient(error):
                    raise
                may_exist = True
                await asyncio.sleep(min(_WAIT * 2**attempt, _LONGEST_WAIT))
        raise AssertionError("unreachable")

    async def retrieve(self, batch_id: str) -> Any:
        """Return the batch with its present status."""
        litellm = import_litellm()
        return await litellm.aretrieve_batch(
            batch_id=batch_id,
            max_retries=self._retries,
            # Otherwise LiteLLM downloads the results of every finished batch again, to log the cost.
            litellm_metadata={"batch_ignore_default_logging": True},
            **self._endpoint,
        )

    async def download(self, batch: Any) -> bytes:
        """Return the result lines of an ended batch, with those of failed calls."""
        litellm = import_litellm()
        parts = []
        for file_id in (batch.output_file_id, batch.error_file_id):
            if file_id:
                content = await litellm.afile_content(file_id=file_id, max_retries=self._retries, **self._endpoint)
                parts.append(content.content.rstrip(b"\n"))
        return b"\n".join(part for part in parts if part) + b"\n"

    async def _find(self, file_id: str) -> str | None:
        """Return the id of the batch of a file; None if it is not among the last 5,000 batches."""
        litellm = import_litellm()
        after = None
        for _ in range(_PAGES):
            page = await litellm.alist_batches(after=after, limit=_PAGE, max_retries=self._retries, **self._endpoint)
            for batch in page.data:
                if batch.input_file_id == file_id:
                    return str(batch.id)
            if not page.data or not getattr(page, "has_more", False):
                return None
            after = page.data[-1].id
        return None


def is_transient(error: Exception) -> bool:
    """Return whether a request may succeed later: after no answer, a rate limit or a server error."""
    litellm = import_litellm()
    status = getattr(error, "status_code", None)
    unanswered = isinstance(error, litellm.exceptions.openai.APIConnectionError | ConnectionError | TimeoutError)
    return unanswered or status == 429 or (status or 0) >= 500


def failure_of(batch: Any) -> tuple[str, str]:
    """Return the error code and the message of a batch that the provider refused."""
    errors = getattr(batch.errors, "data", None) or []
    first = errors[0] if errors else None
    return str(getattr(first, "code", "") or ""), str(getattr(first, "message", "") or f"the batch {batch.status}")
