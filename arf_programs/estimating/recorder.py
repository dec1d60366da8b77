"""Where calls are caught: in the place of DSPy's cache, which is asked before every call and here always answers."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dspy
from dspy.clients.cache import Cache
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from arf_programs.estimating.figures import Range, ordered
from arf_programs.estimating.stand_in import Scene, answer_to, word_with_probability
from arf_programs.estimating.tokens import count_tokens, reasons
from arf_programs.models._litellm import import_litellm
from arf_programs.models.call_store import CallStore
from arf_programs.run_folder import RunFolder

# The longest answer in the upper bound: so many times the one that stands in, and a few tokens, up to max_tokens.
_LONGER, _FEW = 3, 50


@dataclass(frozen=True)
class Asked:
    """A call that would be made: its model, prompt and answer in tokens; `stored` if the run's store has its answer."""

    model: str
    tokens_in: Range
    tokens_out: Range
    stored: bool


@dataclass
class _Question(BaseCallback):
    """Keeps the signature and the fields of the prompt that was rendered last. Calls are made one after the other."""

    signature: Any = None
    fields: dict[str, Any] = field(default_factory=dict)

    def on_adapter_format_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        # An adapter that calls its base class's `format` comes here twice, the second time without names.
        if "signature" in inputs:
            self.signature, self.fields = inputs["signature"], inputs["inputs"]


class Recorder(Cache):  # type: ignore[misc, unused-ignore]
    """Answers every request, from `store` if it can and else by what stands in for an answer, and keeps count."""

    def __init__(self, question: _Question, store: CallStore) -> None:
        super().__init__(enable_disk_cache=False, enable_memory_cache=False, disk_cache_dir=None)
        self.asked: list[Asked] = []
        self.scene = Scene("clean", "")
        self._question = question
        self._store = store
        self._schemas: dict[tuple[str, type], float] = {}

    def get(self, request: dict[str, Any], ignored_args_for_cache_key: list[str] | None = None) -> Any:
        """An answer, so that DSPy never asks a model."""
        stored = self._store.get(request)
        text = _text_of(stored) if stored is not None else self._stand_in()
        schema = self._schema_tokens(request)
        self.asked.append(_asked(request, text, schema, stored=stored is not None))
        return stored if stored is not None else _response(request, text)

    def ask(self, scene: Scene, work: Callable[[], Awaitable[Any]]) -> tuple[Any, list[Asked]]:
        """(result, calls) of some work in a scene."""
        self.asked, self.scene = [], scene
        return asyncio.run(_awaited(work)), self.asked

    def _schema_tokens(self, request: dict[str, Any]) -> float:
        """Tokens of the JSON schema that goes with a prompt, at most; counted once for each question."""
        schema, key = request.get("response_format"), (str(request["model"]), self._question.signature)
        if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
            return 0.0
        if key not in self._schemas:
            self._schemas[key] = count_tokens(key[0], [json.dumps(schema.model_json_schema())]).high
        return self._schemas[key]

    def _stand_in(self) -> str:
        return answer_to(self._question.signature, self._question.fields, self.scene)


async def _awaited(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


@contextmanager
def recording(folder: RunFolder) -> Iterator[Recorder]:
    """A Recorder in the place of DSPy's cache; answers that the run in `folder` holds are taken from its store."""
    question = _Question()
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        # The store books what it replays: here into a ledger that goes away.
        calls = folder.calls if folder.calls.is_dir() else Path(temporary) / "calls"
        store = CallStore(calls, Path(temporary) / "calls.jsonl")
        recorder = Recorder(question, store)
        before, dspy.cache = dspy.cache, recorder
        try:
            with dspy.context(adapter=dspy.JSONAdapter(), disable_history=True, callbacks=[question]):
                yield recorder
        finally:
            dspy.cache = before
            store.close()


def _asked(request: dict[str, Any], text: str, schema: float, *, stored: bool) -> Asked:
    """The call in tokens. Providers differ in whether a schema counts as prompt: it is in the upper bound."""
    model = str(request["model"])
    prompt = count_tokens(model, [str(message.get("content") or "") for message in request["messages"]])
    prompt = prompt.model_copy(update={"high": prompt.high + schema})
    answer = count_tokens(model, [text])
    most = float(request.get("max_tokens") or request.get("max_completion_tokens") or math.inf)
    longest = most if reasons(model) else min(most, _LONGER * answer.high + _FEW)
    return Asked(model, prompt, ordered(answer.low / 2, min(answer.mid, most), longest), stored)


def _text_of(response: Any) -> str:
    return str(response.choices[0].message.content or "")


def _response(request: dict[str, Any], text: str) -> Any:
    """The answer as LiteLLM gives it, with log-probabilities where they are asked for."""
    logprobs = word_with_probability(text) if request.get("logprobs") and text in ("yes", "no") else None
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}
    litellm: Any = import_litellm()
    return litellm.ModelResponse(model=str(request["model"]), choices=[choice], usage={})
