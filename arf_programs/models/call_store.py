"""The store of answers: no answer that arrived is ever asked, or paid, for again.

DSPy consults `dspy.cache` before each call and hands it each answer as it arrives. This one keeps answers as JSON (no
pickle) in diskcache, never evicts, and tells calls apart by all that determines the answer: also by the endpoint, which
DSPy's own cache leaves out, and by the weights behind an embedded model; never by a key or a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import diskcache
import dspy
from dspy.clients.cache import Cache
from pydantic import BaseModel, ConfigDict

from arf_programs.jsonl import JsonlAppender, read_jsonl
from arf_programs.models.cache_marks import CACHE_MARKS
from arf_programs.models.call_budget import CallBudget, Need
from arf_programs.models.network_folder import refuse_network_folder
from arf_programs.models.text_disk import TextDisk
from arf_programs.models.weights_digest import weights_digest

_SECRET_KEYS = {"api_key", "extra_headers", "headers", "aws_secret_access_key", "aws_session_token", "azure_ad_token"}
# DSPy names the function that sends, which differs for calls that wait and calls that do not; both get the same answer.
_WITHOUT_EFFECT = {*_SECRET_KEYS, "_fn_identifier", "timeout", CACHE_MARKS}
_PAGES = 1024  # of 4 KiB
_stage: ContextVar[str] = ContextVar("arf_stage", default="")


class Call(BaseModel):
    """One line of `calls.jsonl`: tokens and US dollars of one call. A replayed (`cached`) one costs nothing; one that
    `failed` was sent and brought no answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    model: str
    cached: bool
    failed: bool = False
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether a model answered it, now and not from the store."""
        return not (self.cached or self.failed)


@contextmanager
def calls_of(stage: str) -> Iterator[None]:
    """Within this context, calls are booked to `stage`."""
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


class CallStore(Cache):  # type: ignore[misc, unused-ignore]
    """Answers under `folder`, and a ledger of all calls in `ledger`; `budget` limits what is asked beyond the store."""

    def __init__(self, folder: Path, ledger: Path, budget: CallBudget | None = None) -> None:
        super().__init__(enable_disk_cache=False, enable_memory_cache=False, disk_cache_dir=None)
        folder.mkdir(parents=True, exist_ok=True)
        refuse_network_folder(folder)
        folder.chmod(0o700)
        self._answers = diskcache.Cache(
            str(folder),
            disk=TextDisk,
            eviction_policy="none",
            timeout=60,
            # Its defaults (32 MB of pages, 64 MB mapped) grow with the store, and an answer is read once.
            sqlite_cache_size=_PAGES,
            sqlite_mmap_size=0,
        )
        self._ledger = JsonlAppender(ledger)
        self.budget = budget or CallBudget()
        self._schemas: WeakKeyDictionary[type, Any] = WeakKeyDictionary()
        self._schemas_lock = Lock()

    def cache_key(self, request: dict[str, Any], ignored_args_for_cache_key: list[str] | None = None) -> str:
        """SHA-256 of what determines the answer."""
        known = {key: self._as_asked(value) for key, value in request.items() if key not in _WITHOUT_EFFECT}
        known["weights"] = weights_digest(str(request.get("model", "")))
        return str(super().cache_key(known, []))

    def get(self, request: dict[str, Any], ignored_args_for_cache_key: list[str] | None = None) -> Any:
        """The stored answer, or None, whereupon DSPy asks the model. Raises BudgetSpent where that may not be."""
        stored = self.find(self.cache_key(request), request)
        if stored is None:
            self.budget.spend()
        return stored

    def put(
        self,
        request: dict[str, Any],
        value: Any,
        ignored_args_for_cache_key: list[str] | None = None,
        enable_memory_cache: bool = True,
    ) -> None:
        """Store an answer as it arrives, and book the call."""
        call = self.keep(self.cache_key(request), request, value)
        self.budget.settle(Need(), tokens=call.prompt_tokens + call.completion_tokens, usd=call.usd)

    def find(self, key: str, request: dict[str, Any]) -> Any:
        """The answer stored under `key`, booked as a replay; None if there is none."""
        stored = self._answers.get(key)
        if stored is None:
            return None
        self.budget.replay()
        from litellm import ModelResponse

        self._book(request, cached=True)
        return self._prepare_cached_response(ModelResponse(**json.loads(stored)))

    def keep(self, key: str, request: dict[str, Any], response: Any) -> Call:
        """Store an answer under `key`, and return the call as it was booked."""
        self._answers.set(key, json.dumps(response.model_dump(mode="json")))
        usage = getattr(response, "usage", None)
        return self._book(
            request,
            cached=False,
            prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
            completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
            usd=getattr(response, "_hidden_params", {}).get("response_cost") or 0.0,
        )

    def lose(self, request: dict[str, Any]) -> None:
        """Book a try that was sent and brought no answer."""
        self._book(request, cached=False, failed=True)

    def close(self) -> None:
        """Close the files."""
        self._answers.close()
        self._ledger.close()

    def _as_asked(self, value: Any) -> Any:
        """A schema as it was before the call: LiteLLM rewrites it in place, and the answer must be found again."""
        if not (isinstance(value, type) and issubclass(value, BaseModel)):
            return value
        with self._schemas_lock:
            if value not in self._schemas:
                self._schemas[value] = deepcopy(value.model_json_schema())
            return self._schemas[value]

    def _book(self, request: dict[str, Any], **figures: Any) -> Call:
        call = Call(stage=_stage.get(), model=str(request.get("model", "")), **figures)
        self._ledger.append(call)
        return call


@contextmanager
def call_store(folder: Path, ledger: Path, budget: CallBudget | None = None) -> Iterator[CallStore]:
    """Make a CallStore DSPy's cache within this context."""
    store = CallStore(folder, ledger, budget)
    before, dspy.cache = dspy.cache, store
    try:
        yield store
    finally:
        dspy.cache = before
        store.close()


def iter_ledger(path: Path) -> Iterator[Call]:
    """The calls booked so far, one after another; none if there is no ledger."""
    if path.exists():
        yield from read_jsonl(path, Call, ignore_half_line=True)


def read_ledger(path: Path) -> list[Call]:
    """The calls booked so far; none if there is no ledger."""
    return list(iter_ledger(path))
