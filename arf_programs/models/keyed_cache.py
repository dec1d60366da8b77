"""What tells calls apart in the store: all that determines the answer, and nothing else.

DSPy's own keys leave out the endpoint and the weights behind an embedded model; neither has a key or a secret in it.
"""

from __future__ import annotations

import json
from copy import deepcopy
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from dspy.clients.cache import Cache
from pydantic import BaseModel

from arf_programs.models.spent import Call
from arf_programs.models.cache_marks import CACHE_MARKS
from arf_programs.models.call_budget import Need
from arf_programs.models.weights_digest import weights_digest

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
