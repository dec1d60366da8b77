"""What the calls of a command share, and what one call belongs to.

A `Session` has the store, the endpoints, the batch senders, and one event loop for synchronous callers. A `CallContext`
has a session, and adds the stage, the strategy and the row that a call is booked to. It stands in one context variable,
and `within` changes parts of it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dspy.lm15 import ConfigurationError
from pydantic import BaseModel

from arf_programs.models.answers.store import Question, Store
from arf_programs.models.calls.fallbacks import describe
from arf_programs.models.calls.pacing import Endpoint, Pace
from arf_programs.privacy import Guard
from signatures.records import Conversation

Result = TypeVar("Result")
# Sends a question; the flag says whether its answer has to be a new one. Returns LiteLLM's response.
Sender = Callable[[Question, bool], Awaitable[Any]]
_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}  # by process id: a forked child has no thread of its parent's


class Endpoints:
    """The endpoints of a command by name, with their rates and what they refuse. Its stages share one object.

    Args:
        say: prints a line for the user.
        workers: processes that share the endpoints.
    """

    def __init__(self, *, say: Callable[[str], None] = lambda _: None, workers: int = 1) -> None:
        self._say = say
        self._workers = workers
        self._endpoints: dict[str, Endpoint] = {}
        self._refused: dict[str, list[str]] = {}

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return sum(endpoint.in_flight for endpoint in self._endpoints.values())

    def say(self, text: str) -> None:
        """Print a line for the user."""
        self._say(text)

    def get(self, name: str, pace: Pace) -> Endpoint:
        """Return the endpoint of that name. It is made at its first call."""
        if name not in self._endpoints:
            self._endpoints[name] = Endpoint(name, pace.share(self._workers), say=self._say)
        return self._endpoints[name]

    def refused_by(self, name: str) -> tuple[str, ...]:
        """Return the features that the endpoint has refused so far."""
        return tuple(self._refused.get(name, ()))

    def refuse(self, name: str, feature: str) -> None:
        """Remember a feature that the endpoint refuses, and say so the first time."""
        refused = self._refused.setdefault(name, [])
        if feature not in refused:
            refused.append(feature)
            self._say(f"{name} {describe(feature)}")


class Session:
    """What the calls of a stage, a compilation or a notebook share: store, endpoints, batch senders, event loop.

    Args:
        store: keeps the answers, and holds the budget.
        endpoints: those of the command.
        again: whether a stored answer that cannot be used is asked for anew.
        background: whether calls come from several threads or loops (DSPy's optimizers, a notebook). They then run on
            the event loop in the background, so they share the endpoints. A stage awaits its calls on its own loop.
        senders: batch senders by the name of their endpoint.
        falls_back: whether a request is sent again without a feature that its endpoint refuses.
        guard: replaces private values in what leaves this process; None where the run does not ask for it.
    """

    def __init__(
        self,
        store: Store,
        *,
        endpoints: Endpoints | None = None,
        again: bool = False,
        background: bool = False,
        senders: Mapping[str, Sender] | None = None,
        falls_back: bool = True,
        guard: Guard | None = None,
    ) -> None:
        self.store = store
        self.guard = guard
        self.again = again
        self.falls_back = falls_back
        self.senders = dict(senders or {})
        self.pending: dict[str, asyncio.Event] = {}
        self.endpoints = endpoints or Endpoints()
        self._background = background

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Await `work` on the loop of the session."""
        return await (run_in_background(work) if self._background else work)

    def run_sync(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run `work` for a caller that cannot await it. Raises ConfigurationError in a session of a stage."""
        if not self._background:
            work.close()
            raise ConfigurationError("A stage awaits its models: call the program by `acall`.")
        return run_sync(work)


def run_sync(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine and return its result, also while an event loop is running, as in Jupyter.

    All callers share one loop, so calls from several threads share pacing and are asked once. The coroutine sees the
    caller's context variables. Raises what the coroutine raises, and RuntimeError when it is called on that loop
    itself, where the caller can `await`.
    """
    loop = background_loop()
    if _running_loop() is loop:
        work.close()
        raise RuntimeError("a synchronous call inside an asynchronous one: use `await program.acall(...)` here")
    future = asyncio.run_coroutine_threadsafe(work, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def run_in_background(work: Coroutine[Any, Any, Result]) -> Result:
    """Await a coroutine on the loop in the background, from any other loop or from itself."""
    loop = background_loop()
    if asyncio.get_running_loop() is loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of this process. Its thread starts with the first call."""
    with _lock:
        loop = _loops.get(os.getpid())
        if loop is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="arf-calls", daemon=True).start()
        return loop


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@dataclass
class Meter:
    """The tries that were sent for one row, and their cost in US dollars."""

    tries: int = 0
    usd: float = 0.0


@dataclass
class LastAnswer:
    """The last answer to one question: how it ended, why it has no text, and whether it came from the store."""

    ending: str = ""
    problem: str = ""
    replayed: bool = False


@dataclass(frozen=True)
class RequestExtras:
    """What DSPy's Request leaves out of a call: the rollout, the schema as a type, and the name of the token limit."""

    rollout_id: int | None = None
    schema: type[BaseModel] | None = None
    limit: str = "max_tokens"


@dataclass(frozen=True)
class CallContext:
    """What a call belongs to.

    Attributes:
        session: what it shares with other calls.
        stage: what it is booked to; required.
        strategy: the strategy of revision that it is booked to.
        meter: counts the calls of the row.
        answer: records the last answer to the question.
        anew: whether it is sent even if its answer is stored.
        extras: what DSPy's Request leaves out; None where DSPy did not tell.
        conversation: what the question is about; None where it is about several, or about none.
    """

    session: Session
    stage: str = ""
    strategy: str = ""
    meter: Meter = field(default_factory=Meter)
    answer: LastAnswer = field(default_factory=LastAnswer)
    anew: bool = False
    extras: RequestExtras | None = None
    conversation: Conversation | None = None


call_context: ContextVar[CallContext | None] = ContextVar("arf_call_context", default=None)


def current_context() -> CallContext | None:
    """Return the context of the work at hand, or None outside of any."""
    return call_context.get()


@contextmanager
def calling(context: CallContext) -> Iterator[CallContext]:
    """Make calls to models belong to `context` inside this block."""
    token = call_context.set(context)
    try:
        yield context
    finally:
        call_context.reset(token)


@contextmanager
def within(**changes: Any) -> Iterator[CallContext | None]:
    """Change parts of the present context inside this block. Without a context, nothing happens."""
    context = call_context.get()
    if context is None:
        yield None
        return
    with calling(replace(context, **changes)) as changed:
        yield changed
