"""What tells calls apart in the store: all that determines the answer, and nothing else.

DSPy's own keys leave out the endpoint and the weights behind an embedded model; neither has a key or a secret in it.


The store of answers: no answer that arrived is ever asked, or paid, for again.

DSPy consults `dspy.cache` before each call and hands it each answer as it arrives. This one keeps answers as JSON (no
pickle) in diskcache, never evicts, and tells calls apart by all that determines the answer (`keyed_cache`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import dspy
from dspy.clients.cache import Cache
from pydantic import BaseModel

from arf_programs.models.answer_files import AnswerFiles
from arf_programs.models.budget import BudgetSpent, CallBudget, Need
from arf_programs.models.providers import CACHE_MARKS
from arf_programs.models.weights import weights_digest
from arf_programs.runs import Call

_SECRET_KEYS = {"api_key", "extra_headers", "headers", "aws_secret_access_key", "aws_session_token", "azure_ad_token"}
# DSPy names the function that sends, which differs for calls that wait and calls that do not; both get the same answer.
_WITHOUT_EFFECT = {*_SECRET_KEYS, "_fn_identifier", "timeout", CACHE_MARKS}


class Desk(Protocol):
    """Who keeps answers and budget for the calls of one event loop: files of this machine, or an actor elsewhere."""

    @property
    def caps_usd(self) -> bool:
        """Whether money is capped, so that what a call may cost has to be known."""
        ...

    async def look_up(self, key: str, request: dict[str, Any], *, anew: bool) -> Any:
        """The stored answer; None where it has to be asked for, as it is `anew` even if one is stored."""
        ...

    async def spend(self, need: Need) -> None:
        """Count a call that is about to be sent; waits while calls under way hold what is left. Raises BudgetSpent."""
        ...

    async def give_back(self, need: Need, lost: Call | None) -> None:
        """Release what a call held that brought no answer; the try is booked as `lost`, None for one that goes on."""
        ...

    async def take_in(self, key: str, request: dict[str, Any], response: Any, need: Need) -> Call:
        """Store an answer, and count what it used; the call as it was booked."""
        ...

    async def leave(self, key: str) -> None:
        """Say that `key`, which was looked up in vain, is answered, or will not be."""
        ...


class KeyedCache(Cache):  # type: ignore[misc, unused-ignore]
    """In the place of DSPy's cache: gives keys, and the desk that answers are kept at."""

    desk: Desk

    def __init__(self) -> None:
        super().__init__(enable_disk_cache=False, enable_memory_cache=False, disk_cache_dir=None)
        self._schemas: WeakKeyDictionary[type, Any] = WeakKeyDictionary()
        self._schemas_lock = Lock()

    def cache_key(self, request: dict[str, Any], ignored_args_for_cache_key: list[str] | None = None) -> str:
        """SHA-256 of what determines the answer."""
        known = {key: self.as_asked(value) for key, value in request.items() if key not in _WITHOUT_EFFECT}
        known["weights"] = weights_digest(str(request.get("model", "")))
        return str(super().cache_key(known, []))

    def replayed(self, stored: str) -> Any:
        """The response that was stored as a text."""
        from litellm import ModelResponse

        return self._prepare_cached_response(ModelResponse(**json.loads(stored)))

    def as_asked(self, value: Any) -> Any:
        """A schema as it was before the call: LiteLLM rewrites it in place, and the answer must be found again."""
        if not (isinstance(value, type) and issubclass(value, BaseModel)):
            return value
        with self._schemas_lock:
            if value not in self._schemas:
                self._schemas[value] = deepcopy(value.model_json_schema())
            return self._schemas[value]


_WAIT_FOR_BUDGET = 0.05
_stage: ContextVar[str] = ContextVar("arf_stage", default="")
_strategy: ContextVar[str] = ContextVar("arf_strategy", default="")


@contextmanager
def calls_of(stage: str) -> Iterator[None]:
    """Within this context, calls are booked to `stage`."""
    token = _stage.set(stage)
    try:
        yield
    finally:
        _stage.reset(token)


@contextmanager
def calls_by(strategy: str) -> Iterator[None]:
    """Within this context, calls are booked to a strategy of revision."""
    token = _strategy.set(strategy)
    try:
        yield
    finally:
        _strategy.reset(token)


class CallStore(KeyedCache):
    """Answers under `folder`, and a ledger of all calls in `ledger`; `budget` limits what is asked beyond the store."""

    def __init__(self, folder: Path, ledger: Path, budget: CallBudget | None = None) -> None:
        super().__init__()
        self._files = AnswerFiles(folder, ledger)
        self.budget = budget or CallBudget()
        self.desk = FileDesk(self)

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
        self.keep(self.cache_key(request), request, value, Need())

    def find(self, key: str, request: dict[str, Any]) -> Any:
        """The answer stored under `key`, booked as a replay; None if there is none."""
        stored = self._files.find(key)
        if stored is None:
            return None
        self.budget.replay()
        self._files.book(replay_of(request))
        return self.replayed(stored)

    def keep(self, key: str, request: dict[str, Any], response: Any, need: Need) -> Call:
        """Store an answer under `key`, count what it used of its `need`, and return the call as it was booked."""
        call = call_of(request, response)
        self._files.keep(key, text_of(response))
        self._files.book(call)
        self.budget.settle(need, tokens=call.tokens, usd=call.usd)
        return call

    def give_back(self, need: Need, lost: Call | None) -> None:
        """Release what a call held, and book the try that is lost."""
        self.budget.settle(need)
        if lost is not None:
            self._files.book(lost)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


class FileDesk:
    """The Desk of a CallStore."""

    def __init__(self, store: CallStore) -> None:
        self._store = store

    @property
    def caps_usd(self) -> bool:
        return self._store.budget.caps_usd

    async def look_up(self, key: str, request: dict[str, Any], *, anew: bool) -> Any:
        return None if anew else self._store.find(key, request)

    async def spend(self, need: Need) -> None:
        await spend(self._store.budget, need)

    async def give_back(self, need: Need, lost: Call | None) -> None:
        self._store.give_back(need, lost)

    async def take_in(self, key: str, request: dict[str, Any], response: Any, need: Need) -> Call:
        return self._store.keep(key, request, response, need)

    async def leave(self, key: str) -> None:
        pass


async def spend(budget: CallBudget, need: Need) -> None:
    """Count the call; where calls under way hold what is left, wait for what they really use."""
    while True:
        try:
            budget.spend(need)
        except BudgetSpent:
            if not budget.is_held:
                raise
            await asyncio.sleep(_WAIT_FOR_BUDGET)
        else:
            return


def text_of(response: Any) -> str:
    """A response as it is stored."""
    return json.dumps(response.model_dump(mode="json"))


def replay_of(request: dict[str, Any]) -> Call:
    """The call that the store answered."""
    return Call(**_made_for(request), cached=True)


def lost_of(request: dict[str, Any]) -> Call:
    """The try that was sent and brought no answer."""
    return Call(**_made_for(request), cached=False, failed=True)


def call_of(request: dict[str, Any], response: Any) -> Call:
    """The call that a model answered, with its tokens and US dollars."""
    usage = getattr(response, "usage", None)
    return Call(
        **_made_for(request),
        cached=False,
        prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
        completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
        usd=getattr(response, "_hidden_params", {}).get("response_cost") or 0.0,
    )


def _made_for(request: dict[str, Any]) -> dict[str, str]:
    return {"stage": _stage.get(), "strategy": _strategy.get(), "model": str(request.get("model", ""))}


@contextmanager
def call_store(folder: Path, ledger: Path, budget: CallBudget | None = None) -> Iterator[CallStore]:
    """Make a CallStore DSPy's cache within this context."""
    store = CallStore(folder, ledger, budget)
    with as_cache(store):
        try:
            yield store
        finally:
            store.close()


@contextmanager
def as_cache(store: KeyedCache) -> Iterator[None]:
    """Make `store` DSPy's cache within this context."""
    before, dspy.cache = dspy.cache, store
    try:
        yield
    finally:
        dspy.cache = before
