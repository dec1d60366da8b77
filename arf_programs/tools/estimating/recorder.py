"""Records the calls of an estimate. The Recorder replaces the run's store, and has an answer to every call."""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dspy
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from arf_programs.models import Body, CallStore, NoStore, Question, open_store, within
from arf_programs.runner import asking_from
from arf_programs.runs import Run
from arf_programs.tools.estimating.figures import Range, count_tokens, ordered, reasons
from arf_programs.tools.estimating.stand_ins import Scene, answer_to, word_with_probability

# The longest answer in the upper bound: three times the stand-in and 50 tokens, up to max_tokens.
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


class Recorder(NoStore):
    """A store that has every answer, the run's own or a stand-in, and keeps the calls in `asked`. No model is asked."""

    def __init__(self, question: _Question, store: CallStore) -> None:
        self.asked: list[Asked] = []
        self.scene = Scene("clean", "")
        self._question = question
        self._store = store
        self._schemas: dict[tuple[str, type], float] = {}

    async def look_up(self, question: Question, *, anew: bool) -> Body:
        stored = await self._store.look_up(question, anew=False)
        if stored is None:
            text = answer_to(self._question.signature, self._question.fields, self.scene)
        else:
            text = str(stored["choices"][0]["message"]["content"] or "")
        request = question.request
        self.asked.append(_asked(request, text, self._schema_tokens(request), stored=stored is not None))
        return _answer(request, text) if stored is None else stored

    def ask(self, scene: Scene, work: Coroutine[Any, Any, Any]) -> tuple[Any, list[Asked]]:
        """Do some work in a scene, and return (result, calls)."""
        self.asked, self.scene = [], scene
        return asyncio.run(work), self.asked

    def _schema_tokens(self, request: dict[str, Any]) -> float:
        """The largest number of tokens that the JSON schema of a request may take. It is counted once per question."""
        schema, key = request.get("response_format"), (str(request["model"]), self._question.signature)
        if not (isinstance(schema, type) and issubclass(schema, BaseModel)):
            return 0.0
        if key not in self._schemas:
            self._schemas[key] = count_tokens(key[0], [json.dumps(schema.model_json_schema())]).high
        return self._schemas[key]


@contextmanager
def recording(run: Run) -> Iterator[Recorder]:
    """Replace the store of `run` by a Recorder. Answers that the run has stored are used."""
    question = _Question()
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as temporary:
        # The store books each answer that it gives. Here it books into a ledger that goes away.
        calls = run.calls if run.calls.is_dir() else Path(temporary) / "calls"
        with open_store(calls, Path(temporary) / "calls.jsonl") as store:
            recorder = Recorder(question, store)
            with asking_from(run, recorder), within(stage="estimate"), dspy.context(callbacks=[question]):
                yield recorder


def _asked(request: dict[str, Any], text: str, schema: float, *, stored: bool) -> Asked:
    """The call in tokens. The schema is in the upper bound only, since not every provider counts it as prompt."""
    model = str(request["model"])
    prompt = count_tokens(model, [str(message.get("content") or "") for message in request["messages"]])
    prompt = prompt.model_copy(update={"high": prompt.high + schema})
    answer = count_tokens(model, [text])
    most = float(request.get("max_tokens") or request.get("max_completion_tokens") or math.inf)
    longest = most if reasons(model) else min(most, _LONGER * answer.high + _FEW)
    return Asked(model, prompt, ordered(answer.low / 2, min(answer.mid, most), longest), stored)


def _answer(request: Body, text: str) -> Body:
    """Return the answer as it would be stored, with log-probabilities if they are asked for."""
    logprobs = word_with_probability(text) if request.get("logprobs") and text in ("yes", "no") else None
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "logprobs": logprobs}
    return {"id": "stand-in", "model": str(request["model"]), "choices": [choice]}
