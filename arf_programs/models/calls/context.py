"""What a call to a model belongs to: one `CallContext`, in one context variable.

A context has a session, and adds the stage, the strategy and the row that a call is booked to. Parts of it change on
the way down, each by `within`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from arf_programs.models.calls.session import Session
from signatures.records import Conversation


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
