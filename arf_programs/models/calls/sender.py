"""The sender of a question: each try is paid for and bounded in time, and its answer is kept."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from dspy.lm15 import RETRYABLE_ERRORS, LM15Error, TimeoutError

from arf_programs.config import without_user
from arf_programs.models.answers.answer import Received, salvage
from arf_programs.models.answers.budget import Need, cost_of, longest_answer, tokens_sent
from arf_programs.models.answers.store import Body, Question, original_schema
from arf_programs.models.calls.fallbacks import as_refusal, ask_without, refused_feature
from arf_programs.models.calls.pacing import Pace
from arf_programs.models.calls.refusals import (
    UnreadableAnswerError,
    canonical_error,
    failure_of,
    trouble_of_this_machine,
)
from arf_programs.models.calls.session import CallContext
from arf_programs.models.providers.litellm import CACHE_MARKS, CACHE_WRITE, import_litellm, listed_price
from arf_programs.runs import Call, storage_error

Result = TypeVar("Result")
Address = Callable[[], Awaitable[str]]
_NOT_SENT: Final = ("rollout_id",)  # only tells stored answers apart


@dataclass(frozen=True)
class Reply:
    """A try that was answered: LiteLLM's response, the answer as it is stored, and the call as it is booked."""

    response: Any
    answer: Body
    call: Call

    @property
    def tokens(self) -> float:
        """The tokens that it used."""
        return float(self.call.tokens)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the response."""
        headers = getattr(self.response, "_hidden_params", {}).get("additional_headers") or {}
        return {name: str(value) for name, value in headers.items()}


class QuestionSender:
    """Sends one question to the endpoint of a model.

    Args:
        question: what is asked.
        context: what the call belongs to.
        anew: whether an answer that a batch has already brought does not count.
        pace: how fast the model may be asked.
        parameters: those of the model, with its address and its time-out.
        address: gives the address of a server of our own.
    """

    def __init__(
        self,
        question: Question,
        context: CallContext,
        *,
        anew: bool,
        pace: Pace,
        parameters: Mapping[str, Any],
        address: Address | None,
    ) -> None:
        session = context.session
        model = str(question.request["model"])  # a trained model has the engine of its base
        self._question, self._context, self._anew, self._pace, self._address = question, context, anew, pace, address
        self._model, self._name = model, endpoint_name(model, parameters.get("api_base"))
        self._batched = self._name in session.senders
        self._sender = session.senders.get(self._name, send_by_litellm)
        # A batch takes hours, and a wait in the queue of a model in this process is no failure.
        self._seconds = None if self._batched or pace.local else parameters.get("timeout")
        self._need = need_of(question.request, with_usd=session.store.caps_usd)

    async def ask(self) -> Body:
        """Return the answer, asked for without the features that the endpoint refuses.

        Raises LM15Error when no try succeeded, EndpointError for an endpoint that only fails, and BudgetSpent when no
        call may be sent.
        """
        session = self._context.session
        while True:
            asked = ask_without(session.endpoints.refused_by(self._name), self._question.request)
            try:
                return (await self._try(asked)).answer
            except LM15Error as error:
                feature = refused_feature(error, asked) if session.falls_back else None
                if feature is None or ask_without([feature], asked) == asked:
                    raise
                session.endpoints.refuse(self._name, feature)

    async def _try(self, asked: Body) -> Reply:
        """Send the request until it is answered, as often as the pace allows."""
        send = partial(self._send, asked)
        if self._batched:  # it has no gate
            return await _retry_in_next_batch(send, self._pace.retries)
        await self._server()  # a server of our own starts now, which is no time of the call
        endpoint = self._context.session.endpoints.get(self._name, self._pace)
        return await endpoint.call(
            send, tokens=self._need.tokens, used=lambda reply: reply.tokens, headers=lambda reply: reply.headers
        )

    async def _server(self) -> Body:
        """Return the address of a server of our own, if it has the model. Raises EndpointError if it does not run."""
        return {} if self._address is None else {"api_base": await self._address()}

    async def _send(self, asked: Body) -> Reply:
        """Send the request once, and keep its answer."""
        store, received = self._context.session.store, Received()
        request = {**asked, **await self._server()}
        await store.spend(self._need)
        self._context.meter.tries += 1
        if not self._batched:
            request["logger_fn"] = received
        try:
            async with _bounded(self._seconds):
                response = await self._sender(replace(self._question, request=request), self._anew)
            reply = self._reply(response, cost_of(response))
        except Exception as error:
            reply = await self._salvage(error, asked, received)
        except BaseException:
            # A batch goes on when nobody waits any longer, and its answer is booked later.
            await store.give_back(self._need, None if self._batched else self._question.lost())
            raise
        await store.keep(self._question, reply.answer, reply.call, self._need)
        self._context.meter.usd += reply.call.usd
        return reply

    def _reply(self, response: Any, usd: float) -> Reply:
        answer = response.model_dump(mode="json")
        return Reply(response, answer, self._question.answered(answer, usd))

    async def _salvage(self, error: Exception, asked: Body, received: Received) -> Reply:
        """Return the answer that was received, although LiteLLM could not read it.

        Raises what `storage_error` makes of a trouble of this machine, and LM15Error for every other failure. The call
        is booked before.
        """
        store = self._context.session.store
        if trouble := trouble_of_this_machine(error):
            await store.give_back(self._need, None)
            raise storage_error(OSError(trouble.errno, trouble.strerror)) from error
        failure = canonical_error(error, self._model)
        failure = failure if self._pace.local else as_refusal(failure_of(error, failure), asked)
        unread = isinstance(failure, UnreadableAnswerError)
        response = salvage(received) if unread else None
        if response is None:
            await store.give_back(self._need, self._question.unread() if unread else self._question.lost())
            raise failure from error
        return self._reply(response, 0.0)


async def _retry_in_next_batch(send: Callable[[], Awaitable[Result]], retries: int) -> Result:
    """Return the answer of the first try that succeeds. Each further try goes with the next batch."""
    for attempt in range(retries + 1):
        try:
            return await send()
        except LM15Error as error:
            if attempt == retries or not isinstance(error, RETRYABLE_ERRORS):
                raise
    raise AssertionError("unreachable: the last try returns or raises")


async def send_by_litellm(question: Question, _anew: bool) -> Any:
    """Send a question to its provider, and return LiteLLM's response."""
    litellm: Any = import_litellm()
    arguments = {name: value for name, value in question.request.items() if name not in _NOT_SENT}
    with _without_litellms_logging():
        # Tries are counted and made in one place. The clients below LiteLLM would make their own.
        return await litellm.acompletion(**{"num_retries": 0, "max_retries": 0, **arguments})


@asynccontextmanager
async def _bounded(seconds: float | None) -> AsyncIterator[None]:
    """End the block after `seconds` by lm15's TimeoutError, which is tried again.

    The clients below LiteLLM bound each wait for a piece of the answer. So an answer that drips would never end.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except builtins.TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"no whole answer within the time-out of {seconds:g} seconds") from error


@contextmanager
def _without_litellms_logging() -> Iterator[None]:
    """Make LiteLLM take the calls of this block as internal: it writes no log of them, a seventh of its time."""
    from litellm._internal_context import is_internal_call

    token = is_internal_call.set(True)
    try:
        yield
    finally:
        is_internal_call.reset(token)


def endpoint_name(model: str, api_base: str | None) -> str:
    """Return the name of an endpoint. Calls with the same name share its limits, and messages show it."""
    return f"{model} at {without_user(api_base)}" if api_base else model


def need_of(request: Body, *, with_usd: bool) -> Need:
    """Return what a call may use at most: a token for three bytes of messages and schema, and its longest answer."""
    prompt = tokens_sent(request, original_schema(request.get("response_format")))
    longest = longest_answer(request)
    price = listed_price(str(request["model"])) if with_usd else None
    input_price, output_price = price or (0.0, 0.0)  # a model without a price counts as free
    if CACHE_MARKS in request:
        input_price *= CACHE_WRITE
    return Need(tokens=prompt + longest, usd=prompt * input_price + longest * output_price)
