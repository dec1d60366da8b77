"""Scripts of answers for `scripted/NAME` models: from a file or a function, with a record of the calls.

`scripted/PATH` reads answers from a JSONL or YAML file (a list). Each row has
- `answer`: a text, or any other value, which is dumped as JSON;
- `match` (optional): a substring of the prompt, or a regular expression that it matches. Such a row answers every call
  that matches, up to `times`. Rows without `match` are used in order, each `times` (1) times;
- `logprobs` (optional): OpenAI's `content` list for a choice, `[{token, logprob, top_logprobs: [{token, logprob}]}]`,
  which the answer has if the call asks for log-probabilities;
- `error` (optional): `rate_limit`, `timeout` or `server` to raise LiteLLM's exception, `empty` for a blank answer,
  `length` or `content_filter` for an answer that was cut off.

`register("NAME", function)` lets a function answer `scripted/NAME`. A call for which there is no answer is an error.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from arf_programs.config import load_yaml
from signatures.exceptions import DataError, ModelError

ScriptedError = Literal["rate_limit", "timeout", "server", "empty", "length", "content_filter"]
Messages = list[dict[str, Any]]


class ScriptedLogprob(BaseModel):
    """A token with its natural log-probability, and the most probable tokens at its position."""

    model_config = ConfigDict(extra="forbid")

    token: str
    logprob: float
    top_logprobs: list[ScriptedLogprob] = Field(default_factory=list)


class ScriptedAnswer(BaseModel):
    """One answer of a script, and the calls that it is for."""

    model_config = ConfigDict(extra="forbid")

    answer: JsonValue = ""
    match: str | None = None
    error: ScriptedError | None = None
    logprobs: list[ScriptedLogprob] | None = None
    times: int | None = Field(default=None, ge=1)

    def text(self) -> str:
        """Return the answer as the model's text."""
        if self.error == "empty":
            return ""
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer, ensure_ascii=False)

    def matches(self, prompt: str) -> bool:
        """Return whether the prompt contains `match`, as a substring or as a regular expression."""
        if self.match is None or self.match in prompt:
            return True
        try:
            return re.search(self.match, prompt) is not None
        except re.error:
            return False


@dataclass(frozen=True)
class ScriptedCall:
    """One call of a scripted model."""

    messages: Messages
    params: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The contents of all messages, each on new lines."""
        return "\n".join(str(message.get("content") or "") for message in self.messages)


ScriptedFunction = Callable[[Messages, dict[str, Any]], "str | dict[str, Any] | ScriptedAnswer | None"]


@dataclass
class _Script:
    """A list of answers with the number of times that each was used, or a function."""

    answers: list[ScriptedAnswer] = field(default_factory=list)
    function: ScriptedFunction | None = None
    used: dict[int, int] = field(default_factory=dict)
    calls: list[ScriptedCall] = field(default_factory=list)

    def take(self, call: ScriptedCall) -> ScriptedAnswer | None:
        """Record the call, and use the first answer that fits it. Answers with `match` come before those without."""
        self.calls.append(call)
        for index in sorted(range(len(self.answers)), key=lambda i: self.answers[i].match is None):
            answer = self.answers[index]
            limit = answer.times or (1 if answer.match is None else None)
            if answer.matches(call.prompt) and (limit is None or self.used.get(index, 0) < limit):
                self.used[index] = self.used.get(index, 0) + 1
                return answer
        return None


_scripts: dict[str, _Script] = {}
_lock = threading.Lock()


def register(name: str, answers: ScriptedFunction | list[Any]) -> None:
    """Let `scripted/<name>` answer from a function of messages and parameters, or from a list of answers in order.

    A function returns a text, a JSON object, a `ScriptedAnswer`, or None if it has no answer. Items of a list are
    texts, JSON values or `ScriptedAnswer`s. An earlier script of this name is replaced, and its calls are forgotten.
    """
    script = _Script(function=answers) if callable(answers) else _Script([_as_answer(answer) for answer in answers])
    with _lock:
        _scripts[name] = script


def calls(name: str) -> list[ScriptedCall]:
    """Return the calls of `scripted/<name>` so far, oldest first."""
    with _lock:
        return list(_scripts[name].calls) if name in _scripts else []


def answer(name: str, call: ScriptedCall) -> ScriptedAnswer:
    """Record a call, and return the answer of `scripted/<name>`.

    Raises ModelError if there is no such script or no answer left, and whatever a function raises.
    """
    with _lock:
        if name not in _scripts:
            _scripts[name] = _Script(_read_file(name))
        script = _scripts[name]
        scripted = script.take(call)
        number = len(script.calls)
    if script.function is not None:
        result = script.function(call.messages, call.params)
        scripted = None if result is None else _as_answer(result)
    if scripted is None:
        raise ModelError(f"scripted/{name} has no answer left for call {number}, which asks: ...{call.prompt[-300:]}")
    return scripted


def clear() -> None:
    """Forget all functions, files and calls."""
    with _lock:
        _scripts.clear()


def _read_file(name: str) -> list[ScriptedAnswer]:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ModelError(f"scripted/{name} is neither a file nor registered with arf_programs.models.scripted.register")
    return read_answers(path)


def read_answers(path: Path) -> list[ScriptedAnswer]:
    """Read the answers of a JSONL or YAML file. Raises DataError with the place of a row that is no answer."""
    try:
        text = path.read_text("utf-8")
        if path.suffix in (".yaml", ".yml"):
            return TypeAdapter(list[ScriptedAnswer]).validate_python(load_yaml(text) or [])
        lines = [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise DataError(f"{path}: {error}") from error
    return [_read_line(path, number, line) for number, line in lines]


def _read_line(path: Path, number: int, line: str) -> ScriptedAnswer:
    try:
        return ScriptedAnswer.model_validate_json(line)
    except ValidationError as error:
        raise DataError(f"{path}, line {number}: {error}") from error


def _as_answer(answer: Any) -> ScriptedAnswer:
    return answer if isinstance(answer, ScriptedAnswer) else ScriptedAnswer(answer=answer)
