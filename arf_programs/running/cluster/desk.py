"""A worker's side of the owner: what a call needs of the store and the budget, asked for over Ray."""

from __future__ import annotations

from typing import Any

from arf_programs.models.answer_files import Call
from arf_programs.models.call_budget import BudgetSpent, Need
from arf_programs.models.call_store import call_of, replay_of, text_of
from arf_programs.models.keyed_cache import KeyedCache


class RemoteStore(KeyedCache):
    """In the place of DSPy's cache; answers are kept by `owner`, an actor handle of `Owner`."""

    def __init__(self, owner: Any, asker: str, *, caps_usd: bool) -> None:
        super().__init__()
        self.desk = OwnersDesk(self, owner, asker, caps_usd=caps_usd)


class OwnersDesk:
    """The Desk of a worker, which the owner knows as `asker`. Only keys, answers and figures are sent, no request."""

    def __init__(self, store: RemoteStore, owner: Any, asker: str, *, caps_usd: bool) -> None:
        self._store, self._owner, self._asker = store, owner, asker
        self.caps_usd = caps_usd
        self._asking: set[str] = set()

    async def look_up(self, key: str, request: dict[str, Any], *, anew: bool) -> Any:
        stored = await self._owner.look_up.remote(self._asker, key, replay_of(request), anew)
        if stored is None:
            self._asking.add(key)
            return None
        return self._store.replayed(stored)

    async def spend(self, need: Need) -> None:
        refused = await self._owner.spend.remote(self._asker, need)
        if refused:
            raise BudgetSpent(refused)

    async def give_back(self, need: Need) -> None:
        await self._owner.give_back.remote(self._asker, need)

    async def take_in(self, key: str, request: dict[str, Any], response: Any, need: Need) -> Call:
        call = call_of(request, response)
        await self._owner.take_in.remote(self._asker, key, text_of(response), call, need)
        self._asking.discard(key)  # the owner knows by the answer
        return call

    async def leave(self, key: str) -> None:
        if key in self._asking:
            self._asking.discard(key)
            await self._owner.leave.remote(self._asker, key)
