"""The engine of a model, for `dspy.LM(engine=...)`: store, pacing, budget and batch before LiteLLM."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import dspy
from dspy.lm15 import (
    ConfigurationError,
    LM15Error,
    Request,
    Response,
    response_from_openai_chat,
    response_to_events,
)
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from arf_programs.models.answers.answer import read_answer, tool_calls_of
from arf_programs.models.answers.budget import usage_of
from arf_programs.models.answers.store import SECRETS, Body, Question, request_key
from arf_programs.models.calls.dspy_internals import (
    TRUNCATION_LOGGER,
    TRUNCATION_MESSAGE,
    request_kwargs,
)
from arf_programs.models.calls.pacing import Pace
from arf_programs.models.calls.sender import Address, QuestionSender
from arf_programs.models.calls.session import CallContext, RequestExtras, call_context, current_context
from arf_programs.models.providers.litellm import import_litellm, provider_of
from arf_programs.privacy import disguise, reveal

_SEEDS: Final = 2**31
_NO_CONTEXT: Final = (
    "No run is open here, so nothing says where answers are stored and calls are booked. Make the model by "
    "`arf_programs.stored_lm(...)`, or by `dspy.LM(...)` without a store."
)


class ArfEngine:
    """The engine of one model. `lm()` makes the `dspy.LM` that uses it.

    Args:
        model: LiteLLM's model string.
        pace: how fast the model may be asked.
        parameters: what every call has: address, key, time-out, and whatever LiteLLM takes. A `seed` moves with DSPy's
            `rollout_id`, or every sample would be the same.
        context: what calls belong to that come from outside a run. None makes such calls an error.
        address: gives the address of a server of our own, which it starts first if need be. It is asked before each
            call that is sent, and no key of a stored answer has it.
    """

    def __init__(
        self,
        model: str,
        *,
        pace: Pace,
        parameters: Mapping[str, Any] | None = None,
        context: CallContext | None = None,
        address: Address | None = None,
    ) -> None:
        self.model = model
        self.pace = pace
        self.parameters = dict(parameters or {})
        self.context = context
        self.address = address
        self.asynchronous = AsyncArfEngine(self)

    def lm(self, **settings: Any) -> dspy.LM:
        """Make a `dspy.LM` with this engine. DSPy's own cache and retries are off, since the engine has both."""
        return dspy.LM(
            self.model,
            engine=self,
            async_engine=self.asynchronous,
            cache=False,
            num_retries=0,
            callbacks=[_PassExtras()],
            **settings,
        )

    def complete(self, request: Request) -> Response:
        """Answer a caller that cannot await. Raises what `answer` raises."""
        context = self.context_of_call()
        return context.session.run_sync(self.answer(request, context))

    def stream(self, request: Request) -> Iterator[Any]:
        """Answer with the events of a stream, all at once."""
        yield from response_to_events(self.complete(request))

    def close(self) -> None:
        """Do nothing: whoever opened the session closes it."""

    def context_of_call(self) -> CallContext:
        """Return what the call at hand belongs to. Raises ConfigurationError if nothing says so."""
        context = current_context() or self.context
        if context is None or not context.stage:
            raise ConfigurationError(_NO_CONTEXT)
        return context

    async def answer(self, request: Request, context: CallContext) -> Response:
        """Return the stored answer, or ask the endpoint and store its answer.

        A question that is asked twice at the same time is sent once. Raises LM15Error when no try succeeded,
        EndpointError for an endpoint that only fails, and BudgetSpent when no call may be sent.
        """
        original = self._body(request, context.extras or RequestExtras())
        guard = None if self.pace.local else context.session.guard
        private = guard.begin(context.conversation) if guard else None
        body = disguise(private, original) if private else original
        question = Question(request_key(body), body, context.stage, context.strategy)
        # Without DSPy's callback the rollout is unknown, and all samples would be one stored answer.
        anew = context.anew or (context.extras is None and request.config.temperature != 0)
        session = context.session
        while (other := session.pending.get(question.key)) is not None:
            await other.wait()
        session.pending[question.key] = asked = asyncio.Event()
        try:
            stored = await session.store.look_up(question, anew=anew)
            context.answer.replayed = stored is not None
            if guard is not None and stored is None:
                about = context.conversation.id if context.conversation else None
                guard.record(question.key, about, body["messages"])
            answer = stored if stored is not None else await self._send(question, context, anew)
        finally:
            del session.pending[question.key]
            asked.set()
        shown = reveal(private, answer) if private else answer
        return _response_of(shown, request, context, _prompt_of(original), paid=stored is None)

    def _body(self, request: Request, extras: RequestExtras) -> Body:
        """Return the request as LiteLLM takes it, and as the keys of stored answers know it."""
        arguments = request_kwargs(request, "chat")
        if "max_completion_tokens" in arguments:
            arguments[extras.limit] = arguments.pop("max_completion_tokens")
        if extras.schema is not None:
            arguments["response_format"] = extras.schema
        body = {"model": request.model, **self.parameters, **arguments}
        if extras.rollout_id is not None:
            body["rollout_id"] = extras.rollout_id
            if self.parameters.get("seed") is not None and "seed" not in arguments:
                body["seed"] = (self.parameters["seed"] + extras.rollout_id) % _SEEDS
        return body

    async def _send(self, question: Question, context: CallContext, anew: bool) -> Body:
        """Ask the endpoint, and leave the question in the store however that ends."""
        try:
            sender = QuestionSender(
                question, context, anew=anew, pace=self.pace, parameters=self.parameters, address=self.address
            )
            return await sender.ask()
        finally:
            await context.session.store.leave(question)

    # DSPy's adapters ask an engine what its model supports. LiteLLM's table answers.

    @cached_property
    def supported_params(self) -> frozenset[str]:
        """The names of the parameters that the model takes."""
        litellm: Any = import_litellm()
        provider = provider_of(self.model)
        return frozenset(litellm.get_supported_openai_params(model=self.model, custom_llm_provider=provider) or ())

    @cached_property
    def supports_response_schema(self) -> bool:
        """Whether the model takes a JSON schema."""
        litellm: Any = import_litellm()
        return bool(litellm.supports_response_schema(model=self.model, custom_llm_provider=provider_of(self.model)))

    @cached_property
    def supports_function_calling(self) -> bool:
        """Whether the model takes tools."""
        litellm: Any = import_litellm()
        return bool(litellm.supports_function_calling(model=self.model))

    @cached_property
    def supports_reasoning(self) -> bool:
        """Whether the model reasons before it answers."""
        litellm: Any = import_litellm()
        return bool(litellm.supports_reasoning(self.model))

    def __deepcopy__(self, memo: dict[int, Any]) -> ArfEngine:
        return self  # programs are copied, their models are not

    def dump_state(self) -> dict[str, Any]:
        """Return what DSPy saves of the engine: no secret, and no open file."""
        parameters = {name: value for name, value in self.parameters.items() if name not in SECRETS}
        return {"model": self.model, "pace": vars(self.pace), "parameters": parameters}

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> ArfEngine:
        """Make the engine that was saved. It works within a run, or once it is given a `context`."""
        return cls(state["model"], pace=Pace(**state["pace"]), parameters=state["parameters"])


class AsyncArfEngine:
    """The side of an ArfEngine that is awaited."""

    def __init__(self, engine: ArfEngine) -> None:
        self._engine = engine

    async def complete(self, request: Request) -> Response:
        """Answer. Raises what `ArfEngine.answer` raises."""
        context = self._engine.context_of_call()
        return await context.session.run(self._engine.answer(request, context))

    async def stream(self, request: Request) -> AsyncIterator[Any]:
        """Answer with the events of a stream, all at once."""
        for event in response_to_events(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        """Do nothing: whoever opened the session closes it."""

    def __deepcopy__(self, memo: dict[int, Any]) -> AsyncArfEngine:
        return self

    def dump_state(self) -> dict[str, Any]:
        """Return the state of the engine."""
        return self._engine.dump_state()

    @classmethod
    def load_state(cls, state: Mapping[str, Any]) -> AsyncArfEngine:
        """Make the engine that was saved."""
        return ArfEngine.load_state(state).asynchronous


class _PassExtras(BaseCallback):
    """Passes to the engine what DSPy's Request leaves out: rollout, schema as a type, name of the token limit."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token[CallContext | None]] = {}

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        context = current_context() or getattr(instance.engine, "context", None)
        if context is None:
            return  # the engine raises; an error of a callback would only be logged
        parameters = {**instance.kwargs, **inputs["kwargs"]}
        schema = parameters.get("response_format")
        extras = RequestExtras(
            rollout_id=parameters.get("rollout_id"),
            schema=schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None,
            limit="max_completion_tokens" if "max_completion_tokens" in parameters else "max_tokens",
        )
        self._tokens[call_id] = call_context.set(replace(context, extras=extras))

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        if (token := self._tokens.pop(call_id, None)) is not None:
            call_context.reset(token)

    def __deepcopy__(self, memo: dict[int, Any]) -> _PassExtras:
        return self


def _response_of(answer: Body, request: Request, context: CallContext, prompt: str, *, paid: bool) -> Response:
    """Return DSPy's Response. A stored answer has used no tokens."""
    read = read_answer(answer, prompt)
    context.answer.ending, context.answer.problem = read.ending, read.problem
    message: Body = {"role": "assistant", "content": read.text}
    choice = {"message": message, "finish_reason": read.ending or "stop", "logprobs": read.logprobs}
    usage = usage_of(answer) if paid else None
    body = {"id": str(answer.get("id") or "")[:200], "model": request.model, "choices": [choice], "usage": usage}
    if calls := tool_calls_of(answer):
        try:
            return response_from_openai_chat({**body, "choices": [{**choice, "message": {**message, **calls}}]})
        except (LM15Error, TypeError, ValueError):
            pass  # calls of a wrong form count as none
    return response_from_openai_chat(body)


def _prompt_of(body: Body) -> str:
    return "\n".join(str(message.get("content") or "") for message in body["messages"])


@contextmanager
def quiet_about_cut_offs() -> Iterator[None]:
    """Keep DSPy from logging answers that end at max_tokens inside this block: `ask` handles and counts them."""
    logger = logging.getLogger(TRUNCATION_LOGGER)

    def passes(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(TRUNCATION_MESSAGE)

    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)
