"""One call from request to answer: from the store, else from its endpoint, and stored before it is used."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from dspy.utils.exceptions import LMError, is_retryable_lm_error

from arf_programs.models.budget import Need
from arf_programs.models.pacing import Endpoint, Pace
from arf_programs.models.providers import CACHE_MARKS, CACHE_WRITE, import_litellm, listed_price, skip_litellms_logging
from arf_programs.models.store import KeyedCache, lost_of

Request = dict[str, Any]
# Of a request, its key in the store, and whether it is asked anew.
Sender = Callable[[Request, str, bool], Awaitable[Any]]

_BYTES_A_TOKEN = 3  # few tokens are shorter: what a call may use at most
_NOT_SENT = ("rollout_id",)  # tells stored answers apart


@dataclass
class Meter:
    """What the calls of one row came to: tries that were sent, US dollars."""

    tries: int = 0
    usd: float = 0.0


@dataclass
class LastAnswer:
    """Of the last answer to one question: why it ended, and whether it was stored."""

    finish_reason: str = ""
    replayed: bool = False


@dataclass
class Session:
    """What the calls of one event loop share while a stage runs in it.

    With `again`, a stored answer that turns out to be unusable is asked for anew.
    """

    say: Callable[[str], None] = lambda _: None
    workers: int = 1
    again: bool = False
    senders: dict[str, Sender] = field(default_factory=dict)
    _endpoints: dict[str, Endpoint] = field(default_factory=dict)
    pending: dict[str, asyncio.Event] = field(default_factory=dict)

    @property
    def in_flight(self) -> int:
        """Calls under way."""
        return sum(endpoint.in_flight for endpoint in self._endpoints.values())

    def endpoint(self, name: str, pace: Pace) -> Endpoint:
        """The endpoint of that name, made when it is first asked for."""
        if name not in self._endpoints:
            self._endpoints[name] = Endpoint(name, pace.share(self.workers), say=self.say)
        return self._endpoints[name]


_session: ContextVar[Session | None] = ContextVar("arf_session", default=None)
_meter: ContextVar[Meter | None] = ContextVar("arf_meter", default=None)
_last: ContextVar[LastAnswer | None] = ContextVar("arf_last_answer", default=None)


@contextmanager
def use_session(session: Session) -> Iterator[Session]:
    """Within this context, calls go through the gates of `session`."""
    token = _session.set(session)
    try:
        yield session
    finally:
        _session.reset(token)


@contextmanager
def metered() -> Iterator[Meter]:
    """Within this context, calls are counted in the Meter that it gives."""
    token = _meter.set(meter := Meter())
    try:
        yield meter
    finally:
        _meter.reset(token)


def current_meter() -> Meter:
    """The meter of the row at work; one that nobody reads where there is none."""
    return _meter.get() or Meter()


@contextmanager
def last_answer() -> Iterator[LastAnswer]:
    """Within this context, which is that of one question, the LastAnswer that it gives tells of the latest answer."""
    token = _last.set(last := LastAnswer())
    try:
        yield last
    finally:
        _last.reset(token)


def current_answer() -> LastAnswer:
    """The LastAnswer of the question that is asked; one that nobody reads where there is none."""
    return _last.get() or LastAnswer()


_anew: ContextVar[bool] = ContextVar("arf_anew", default=False)


@contextmanager
def asking_anew(anew: bool) -> Iterator[None]:
    """Within this context, if `anew`, calls are sent even where an answer is stored, which the new one replaces."""
    token = _anew.set(anew)
    try:
        yield
    finally:
        _anew.reset(token)


def may_be_asked_anew() -> bool:
    """Whether the last answer of this row was a stored one, in a run that tries failed rows again."""
    session = _session.get()
    return session is not None and session.again and current_answer().replayed


async def answer(
    store: KeyedCache, request: Request, *, name: str, pace: Pace, wrap: Callable[[Exception], LMError]
) -> Any:
    """LiteLLM's response to `request`: the stored one, or that of the endpoint `name`, which is then stored.

    The same question asked twice at once is sent once. `wrap` turns LiteLLM's exceptions into DSPy's. Raises LMError
    when no try succeeded, BudgetSpent where no call may be sent.
    """
    key = store.cache_key(request)
    session = _session.get() or Session()
    while (other := session.pending.get(key)) is not None:
        await other.wait()
    session.pending[key] = asked = asyncio.Event()
    try:
        stored = await store.desk.look_up(key, request, anew=_anew.get())
        current_answer().replayed = stored is not None
        if stored is not None:
            return stored
        return await _ask_and_leave(session, store, key, request, name, pace, wrap)
    finally:
        del session.pending[key]
        asked.set()


async def _ask_and_leave(session: Session, store: KeyedCache, key: str, *rest: Any) -> Any:
    try:
        return await _ask(session, store, key, *rest)
    finally:
        await store.desk.leave(key)


async def _ask(
    session: Session,
    store: KeyedCache,
    key: str,
    request: Request,
    name: str,
    pace: Pace,
    wrap: Callable[[Exception], LMError],
) -> Any:
    desk = store.desk
    need = need_of(request, with_usd=desk.caps_usd, schema=store.as_asked(request.get("response_format")))
    batched = name in session.senders
    sender = session.senders.get(name, _send)

    async def send() -> Any:
        await desk.spend(need)
        current_meter().tries += 1
        try:
            response = await sender(request, key, _anew.get())
        except Exception as error:
            await desk.give_back(need, lost_of(request))
            raise wrap(error) from error
        except BaseException:
            # A batch goes on when nobody waits any longer, and its answer is booked later.
            await desk.give_back(need, None if batched else lost_of(request))
            raise
        call = await desk.take_in(key, request, response, need)
        current_meter().usd += call.usd
        return response

    if batched:
        return await _until_it_passes(send, pace.retries)  # a batch has no gate
    return await session.endpoint(name, pace).call(send, tokens=need.tokens, used=_tokens, headers=_headers)


async def _until_it_passes(send: Callable[[], Awaitable[Any]], retries: int) -> Any:
    """The answer of the first try that brings one; the next batch takes further tries along."""
    for attempt in range(retries + 1):
        try:
            return await send()
        except LMError as error:
            if attempt == retries or not is_retryable_lm_error(error):
                raise
    raise AssertionError("unreachable: the last try returns or raises")


async def _send(request: Request, _key: str, _anew: bool) -> Any:
    litellm = import_litellm()
    wire = {key: value for key, value in request.items() if key not in _NOT_SENT}
    skip_litellms_logging()
    # Tries are counted and made in one place; the clients below LiteLLM would make their own.
    return await litellm.acompletion(**{"num_retries": 0, "max_retries": 0, **wire})


def need_of(request: Request, *, with_usd: bool, schema: Any = None) -> Need:
    """What a call may use at most: a token for three bytes of its messages and of the JSON `schema` beside them, its
    longest answer, and their price.
    """
    said = sum(len(str(message.get("content") or "").encode()) for message in request["messages"])
    asked = 0 if schema is None else len(json.dumps(schema).encode())
    prompt = (said + asked) / _BYTES_A_TOKEN
    longest = float(request.get("max_tokens") or request.get("max_completion_tokens") or 0)
    price = listed_price(str(request["model"])) if with_usd else None
    input_price, output_price = price or (0.0, 0.0)  # a model without a price counts as free
    if CACHE_MARKS in request:
        input_price *= CACHE_WRITE
    return Need(tokens=prompt + longest, usd=prompt * input_price + longest * output_price)


def _tokens(response: Any) -> float:
    return float(getattr(getattr(response, "usage", None), "total_tokens", 0) or 0)


def _headers(response: Any) -> Mapping[str, str]:
    told = getattr(response, "_hidden_params", {}).get("additional_headers") or {}
    return {name: str(value) for name, value in told.items()}
