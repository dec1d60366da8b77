"""The store of answers: no answer that arrived is asked, or paid, for again.

A key tells calls apart by all that determines the answer, and holds no secret.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

import orjson
from pydantic import BaseModel

from arf_programs.config import mask
from arf_programs.models.answers.answer import text_of
from arf_programs.models.answers.budget import (
    BudgetSpent,
    CallBudget,
    Need,
    longest_answer,
    tokens_received,
    tokens_sent,
    usage_of,
)
from arf_programs.models.answers.files import AnswerFiles
from arf_programs.models.local.weights import weights_digest
from arf_programs.models.providers.litellm import CACHE_MARKS, listed_price
from arf_programs.runs import Call

Body = dict[str, Any]
"""A chat completion as JSON: a request, or an answer."""

SECRETS: Final = frozenset(
    {"api_key", "extra_headers", "headers", "aws_secret_access_key", "aws_session_token", "azure_ad_token"}
)
_WITHOUT_EFFECT: Final = SECRETS | {"timeout", "device", CACHE_MARKS}
_WAIT_FOR_BUDGET: Final = 0.05
_schemas: WeakKeyDictionary[type, Any] = WeakKeyDictionary()
_schemas_lock = Lock()


@dataclass(frozen=True)
class Question:
    """A request with its key in the store, and what its call is booked to."""

    key: str
    request: Body
    stage: str
    strategy: str = ""

    def replayed(self) -> Call:
        """Return the call that the store answered."""
        return Call(**self._booked_to(), cached=True)

    def lost(self) -> Call:
        """Return the try that was sent and brought no answer."""
        return Call(**self._booked_to(), cached=False, failed=True)

    def unread(self) -> Call:
        """Return the try that brought an answer that could not be read. It may have had the longest answer."""
        sent, received = ceil(self._sent()), ceil(longest_answer(self.request))
        return self._paid(sent, received, self._listed_cost(sent, received), failed=True)

    def answered(self, answer: Body, usd: float) -> Call:
        """Return the call that a model answered, with its tokens and US dollars.

        A number of tokens that the provider does not report, or reports as zero or less, is that of what was sent or
        received, at three bytes a token. What the reported sum has more was received too: some providers leave the
        reasoning out of `completion_tokens`. Where LiteLLM knows no cost, or read not all numbers, the cost is at least
        that of these tokens.
        """
        usage = usage_of(answer)
        sent, received = usage.get("prompt_tokens"), usage.get("completion_tokens")
        is_whole = sent is not None and received is not None
        sent = ceil(self._sent()) if sent is None else sent
        received = ceil(tokens_received(text_of(answer))) if received is None else received
        unnamed = usage.get("total_tokens", 0) - sent - received
        if not is_whole or unnamed > 0 or usd <= 0:
            usd = max(usd, self._listed_cost(sent, received + max(0, unnamed)))
        return self._paid(sent, received + max(0, unnamed), usd)

    def _paid(self, sent: int, received: int, usd: float, *, failed: bool = False) -> Call:
        booked = self._booked_to()
        return Call(**booked, cached=False, failed=failed, prompt_tokens=sent, completion_tokens=received, usd=usd)

    def _sent(self) -> float:
        return tokens_sent(self.request, original_schema(self.request.get("response_format")))

    def _listed_cost(self, sent: int, received: int) -> float:
        prices = listed_price(str(self.request["model"])) or (0.0, 0.0)
        return sent * prices[0] + received * prices[1]

    def _booked_to(self) -> dict[str, str]:
        return {"stage": self.stage, "strategy": self.strategy, "model": str(self.request["model"])}


class Store(Protocol):
    """Keeps answers, ledger and budget for the calls of a session: on this machine, or on that of a Ray driver."""

    @property
    def caps_usd(self) -> bool:
        """Whether money is capped, so the largest possible cost of a call has to be known."""
        ...

    async def look_up(self, question: Question, *, anew: bool) -> Body | None:
        """Return the stored answer. It is None if the question has to be asked, as it always is with `anew`."""
        ...

    async def spend(self, need: Need) -> None:
        """Count a call that is about to be sent. Waits while calls under way hold what is left. Raises BudgetSpent."""
        ...

    async def give_back(self, need: Need, lost: Call | None) -> None:
        """Release what a call without an answer held. `lost` is booked; None stands for a call that goes on."""
        ...

    async def keep(self, question: Question, answer: Body, call: Call, need: Need) -> None:
        """Store an answer, book its call, and count what it used."""
        ...

    async def leave(self, question: Question) -> None:
        """Say that a question that had no stored answer is answered, or will not be."""
        ...


class CallStore:
    """The store of this machine: answers under `folder`, a ledger of all calls in `ledger`, and a budget."""

    def __init__(self, folder: Path, ledger: Path, budget: CallBudget | None = None) -> None:
        self._files = AnswerFiles(folder, ledger)
        self.budget = budget or CallBudget()

    @property
    def caps_usd(self) -> bool:
        return self.budget.caps_usd

    async def look_up(self, question: Question, *, anew: bool) -> Body | None:
        stored = None if anew else self._files.find(question.key)
        if stored is None:
            return None
        self.budget.replay()
        self._files.book(question.replayed())
        answer: Body = json.loads(stored)
        return answer

    async def spend(self, need: Need) -> None:
        while True:
            try:
                self.budget.spend(need)
            except BudgetSpent:
                if not self.budget.is_held:
                    raise
                await asyncio.sleep(_WAIT_FOR_BUDGET)
            else:
                return

    async def give_back(self, need: Need, lost: Call | None) -> None:
        self.budget.settle(need, tokens=lost.tokens if lost else 0.0, usd=lost.usd if lost else 0.0)
        if lost is not None:
            self._files.book(lost)

    async def keep(self, question: Question, answer: Body, call: Call, need: Need) -> None:
        self._files.keep(question.key, json.dumps(answer))
        self._files.book(call)
        self.budget.settle(need, tokens=call.tokens, usd=call.usd)

    async def leave(self, question: Question) -> None:
        pass

    def close(self) -> None:
        """Close the files."""
        self._files.close()


class NoStore:
    """Keeps nothing and caps nothing, for single calls outside of a run."""

    caps_usd = False

    async def look_up(self, question: Question, *, anew: bool) -> Body | None:
        return None

    async def spend(self, need: Need) -> None:
        pass

    async def give_back(self, need: Need, lost: Call | None) -> None:
        pass

    async def keep(self, question: Question, answer: Body, call: Call, need: Need) -> None:
        pass

    async def leave(self, question: Question) -> None:
        pass


@contextmanager
def open_store(folder: Path, ledger: Path, budget: CallBudget | None = None) -> Iterator[CallStore]:
    """Open a CallStore, and close it at the end of the block."""
    store = CallStore(folder, ledger, budget)
    try:
        yield store
    finally:
        store.close()


def request_key(request: Body) -> str:
    """Return the SHA-256 of all that determines the answer: the request without secrets, and the local weights."""
    decisive = {name: original_schema(value) for name, value in request.items() if name not in _WITHOUT_EFFECT}
    if "extra_body" in decisive:  # a secret in it may change, and is no part of the question
        decisive["extra_body"] = json.loads(mask(json.dumps(decisive["extra_body"])))
    decisive["weights"] = weights_digest(str(request.get("model", "")))
    return sha256(orjson.dumps(decisive, option=orjson.OPT_SORT_KEYS)).hexdigest()


def original_schema(value: Any) -> Any:
    """Return the JSON schema of a pydantic type as it was before any call, and any other value as it is.

    LiteLLM rewrites schemas in place, which would change the key.
    """
    if not (isinstance(value, type) and issubclass(value, BaseModel)):
        return value
    with _schemas_lock:
        if value not in _schemas:
            _schemas[value] = deepcopy(value.model_json_schema())
        return _schemas[value]
