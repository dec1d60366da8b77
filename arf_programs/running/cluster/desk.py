"""A worker's side of the owner: what a call needs of the store and the budget, asked for over Ray."""

from __future__ import annotations

import asyncio
from typing import Any

from arf_programs.models.spent import Call
from arf_programs.models.call_budget import BudgetSpent, Need
from arf_programs.models.call_store import call_of, replay_of, text_of
from arf_programs.models.keyed_cache import KeyedCache
from arf_programs.running.cluster.messages import GiveBack, Leave, LookUp, Message, Reply, Spend, TakeIn
from arf_programs.running.cluster.owner import HEARTBEAT

_ASK_AGAIN = 0.05  # seconds


class Line:
    """The line to the owner. What several rows have to say while it is busy goes as one call: a call over Ray costs
    the owner more than what is in it.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name
        self._waiting: list[tuple[Message, asyncio.Future[Reply]]] = []
        self._passed = self._waiting
        self._something = asyncio.Event()
        self._closed = False

    async def ask(self, message: Message) -> Reply:
        """The owner's reply, when it is not to wait."""
        while (reply := await self._reply(message)).wait:
            await asyncio.sleep(_ASK_AGAIN)
        return reply

    async def keep_open(self) -> None:
        """Pass messages on, and give a sign of life where there are none; ends only when the owner has, by raising.
        Whoever waits for a reply is cancelled then.
        """
        try:
            await self._pass_on()
        finally:
            self._closed = True
            for _, future in (*self._passed, *self._waiting):
                future.cancel()

    async def _pass_on(self) -> None:
        while True:
            try:
                await asyncio.wait_for(self._something.wait(), HEARTBEAT)
            except TimeoutError:
                await self._owner.hear.remote(self._name, [])
                continue
            self._something.clear()
            self._passed, self._waiting = self._waiting, []
            replies = await self._owner.hear.remote(self._name, [message for message, _ in self._passed])
            for (_, future), reply in zip(self._passed, replies, strict=True):
                if not future.done():
                    future.set_result(reply)

    def _reply(self, message: Message) -> asyncio.Future[Reply]:
        if self._closed:
            raise asyncio.CancelledError
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting.append((message, future))
        self._something.set()
        return future


class RemoteStore(KeyedCache):
    """In the place of DSPy's cache; answers are kept at the other end of `line`."""

    def __init__(self, line: Line, *, caps_usd: bool) -> None:
        super().__init__()
        self.desk = OwnersDesk(self, line, caps_usd=caps_usd)


class OwnersDesk:
    """The Desk of a worker. Only keys, answers and figures are sent: no request, and no secret in one."""

    def __init__(self, store: RemoteStore, line: Line, *, caps_usd: bool) -> None:
        self._store, self._line = store, line
        self.caps_usd = caps_usd
        self._asking: set[str] = set()

    async def look_up(self, key: str, request: dict[str, Any], *, anew: bool) -> Any:
        reply = await self._line.ask(LookUp(key, replay_of(request), anew))
        if reply.text is not None:
            return self._store.replayed(reply.text)
        self._asking.add(key)
        return None

    async def spend(self, need: Need) -> None:
        reply = await self._line.ask(Spend(need))
        if reply.text is not None:
            raise BudgetSpent(reply.text)

    async def give_back(self, need: Need, lost: Call | None) -> None:
        await self._line.ask(GiveBack(need, lost))

    async def take_in(self, key: str, request: dict[str, Any], response: Any, need: Need) -> Call:
        call = call_of(request, response)
        await self._line.ask(TakeIn(key, text_of(response), call, need))
        self._asking.discard(key)  # the owner knows by the answer
        return call

    async def leave(self, key: str) -> None:
        if key in self._asking:
            self._asking.discard(key)
            await self._line.ask(Leave(key))
