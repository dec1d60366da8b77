"""`scripted/NAME`: a LiteLLM provider that answers from a file or a function, and remembers what it was asked.

`scripted/PATH` reads answers from a JSONL or YAML file (a list), each row with
- `answer`: a text, or anything else, which is then dumped as JSON;
- `match` (optional): a substring of the prompt, or a regular expression found in it. Such a row answers as often as it
  matches, unless `times` limits it; rows without `match` are used up in order, each `times` (1) times;
- `logprobs` (optional): OpenAI's `content` list for a choice, `[{token, logprob, top_logprobs: [{token, logprob}]}]`,
  given with the answer where log-probabilities are asked for;
- `error` (optional): `rate_limit`, `timeout` or `server` to raise LiteLLM's exception, `empty` for a blank answer,
  `length` for an answer that was cut off.

`register("NAME", function)` answers `scripted/NAME` from a function instead. Whoever has no answer left raises.
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

from signatures.exceptions import DataError, ModelError

ScriptedError = Literal["rate_limit", "timeout", "server", "empty", "length", "content_filter"]
Messages = list[dict[str, Any]]


class ScriptedLogprob(BaseModel):
    """A token with its natural log-probability, and the most probable ones in its place."""

    model_config = ConfigDict(extra="forbid")

    token: str
    logprob: float
    top_logprobs: list[ScriptedLogprob] = Field(default_factory=list)


class ScriptedAnswer(BaseModel):
    """One answer of a script, and when it is given."""

    model_config = ConfigDict(extra="forbid")

    answer: JsonValue = ""
    match: str | None = None
    error: ScriptedError | None = None
    logprobs: list[ScriptedLogprob] | None = None
    times: int | None = Field(default=None, ge=1)

    def text(self) -> str:
        """The answer as the model's text."""
        if self.error == "empty":
            return ""
        return self.answer if isinstance(self.answer, str) else json.dumps(self.answer, ensure_ascii=False)

    def matches(self, prompt: str) -> bool:
        """Whether `match` is in the prompt, as it stands or as a regular expression."""
        if self.match is None or self.match in prompt:
            return True
        try:
            return re.search(self.match, prompt) is not None
        except re.error:
            return False


@dataclass(frozen=True)
class ScriptedCall:
    """What a scripted model was asked."""

    messages: Messages
    params: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The contents of all messages, line after line."""
        return "\n".join(str(message.get("content") or "") for message in self.messages)


ScriptedFunction = Callable[[Messages, dict[str, Any]], "str | dict[str, Any] | ScriptedAnswer | None"]


@dataclass
class _Script:
    """Answers with what is left of each, or a function."""

    answers: list[ScriptedAnswer] = field(default_factory=list)
    function: ScriptedFunction | None = None
    used: dict[int, int] = field(default_factory=dict)
    calls: list[ScriptedCall] = field(default_factory=list)

    def take(self, call: ScriptedCall) -> ScriptedAnswer | None:
        """Record the call, and use up the first answer that fits: those with a `match` come first."""
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

    A function returns a text, an object of JSON or a `ScriptedAnswer`, `None` if it has no answer, or raises. Items of
    a list are `ScriptedAnswer`s or answers themselves. Replaces what had the name before, and forgets its calls.
    """
    script = _Script(function=answers) if callable(answers) else _Script([_as_answer(answer) for answer in answers])
    with _lock:
        _scripts[name] = script


def calls(name: str) -> list[ScriptedCall]:
    """The calls of `scripted/<name>` so far, oldest first."""
    with _lock:
        return list(_scripts[name].calls) if name in _scripts else []


def answer(name: str, call: ScriptedCall) -> ScriptedAnswer:
    """What `scripted/<name>` answers to `call`, which is recorded.

    Raises `ModelError` when there is no such script or no answer left, and whatever a function raises.
    """
    with _lock:
        if name not in _scripts:
            _scripts[name] = _Script(_answers_of_file(name))
        script = _scripts[name]
        found = script.take(call)
        number = len(script.calls)
    if script.function is not None:
        told = script.function(call.messages, call.params)
        found = None if told is None else _as_answer(told)
    if found is None:
        raise ModelError(f"scripted/{name} has no answer left for call {number}, which asks: ...{call.prompt[-300:]}")
    return found


def clear() -> None:
    """Forget all functions, files and calls."""
    with _lock:
        _scripts.clear()


def _answers_of_file(name: str) -> list[ScriptedAnswer]:
    path = Path(name).expanduser()
    if not path.is_file():
        raise ModelError(f"scripted/{name} is neither a file nor registered with arf_programs.models.scripted.register")
    return read_answers(path)


def read_answers(path: Path) -> list[ScriptedAnswer]:
    """The rows of a JSONL or YAML file; raises `DataError`, with the place, for what is no answer."""
    try:
        text = path.read_text("utf-8")
        if path.suffix in (".yaml", ".yml"):
            return TypeAdapter(list[ScriptedAnswer]).validate_python(yaml.safe_load(text) or [])
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
