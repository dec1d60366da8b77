"""Ask for a typed answer, and read it. If an answer has several JSON objects, decide which of them is the answer.

DSPy shows an escaped JSON schema, with its properties in the order of the alphabet. `answer_form` says the same in
fewer tokens, and in the order in which the model has to answer.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin
from weakref import WeakKeyDictionary

import dspy
import json_repair
from dspy.utils.exceptions import AdapterParseError
from pydantic import BaseModel, TypeAdapter

_DEEPEST: Final = 50  # no signature has a fifth of it
_LONGEST_REPAIRED: Final = 100_000  # characters; repairing JSON is slow
_LONGEST_QUOTED: Final = 10_000
_MOST_MISSED: Final = 1_000  # braces that begin no object, before the search ends
_FENCED: Final = re.compile(r"\s*```[\w-]*[ \t]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_BORDER: Final = re.compile(r"\s*(?:```[\w-]*)?\s*")
_BRACE: Final = re.compile(r"[{}]")
_BRACKET: Final = re.compile(r"[][{}]")
_OF_PARSERS: Final = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
_decoder: Final = json.JSONDecoder()
_forms: WeakKeyDictionary[type[dspy.Signature], dict[tuple[bool, bool], dict[str, Any]]] = WeakKeyDictionary()
_inputs: ContextVar[Mapping[str, Any] | None] = ContextVar("arf_inputs_of_question", default=None)


class TypedAnswers(dspy.JSONAdapter):  # type: ignore[name-defined, unused-ignore]
    """DSPy's JSON adapter, with shorter prompts. It also reads an answer with several JSON objects.

    The system message has the instructions, the inputs and the form of the answer (`answer_form`).
    An object that stands in the inputs is a quotation, unless it is all of the answer. If several objects are left,
    the one that fills its lines is the answer. Where that does not tell, the answer is malformed, so it is asked again.
    Whatever parsing raises makes an answer malformed.
    """

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Return the answers. Raises AdapterParseError for a malformed one."""
        with _asking_about(inputs):
            answers: list[dict[str, Any]] = super().__call__(lm, lm_kwargs, signature, demos, inputs)
        return answers

    async def acall(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Do the same as `__call__`."""
        with _asking_about(inputs):
            answers: list[dict[str, Any]] = await super().acall(lm, lm_kwargs, signature, demos, inputs)
        return answers

    def _prepare_response_format(self, lm: dspy.LM, lm_kwargs: dict[str, Any], signature: type[dspy.Signature]) -> None:
        """Set the form of the answer. It is made once for each signature: DSPy would make it for each question."""
        able = ("response_format" in lm.supported_params, lm.supports_response_schema)
        forms = _forms.setdefault(signature, {})
        if able not in forms:
            form: dict[str, Any] = {}
            super()._prepare_response_format(lm, form, signature)
            forms[able] = _keep_schema(form)
        lm_kwargs.update(deepcopy(forms[able]))

    def format_system_message(self, signature: type[dspy.Signature]) -> str:
        """Return the instructions, the descriptions of the inputs, and the form of the answer."""
        return (
            f"{inspect.cleandoc(signature.instructions)}\n\n"
            f"The inputs, each under a line [[ ## name ## ]]:\n{input_list(signature)}\n\n"
            f"Answer with one JSON object of this form, with its fields in this order:\n{answer_form(signature)}"
        )

    def user_message_output_requirements(self, signature: type[dspy.Signature]) -> str:
        """Return the request at the end of the user message."""
        names = ", then ".join(f"`{name}`" for name in signature.output_fields)
        return f"Respond with a JSON object in the following order of fields: {names}."

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Return the fields of the answer. Raises AdapterParseError if it is malformed, or if it can't be told."""
        try:
            return self._fields(signature, completion)
        except _OF_PARSERS as error:  # what the parsers below raise for an odd text
            raise _malformed(signature, completion, f"{type(error).__name__}: {error}") from error

    def _fields(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        if _depth(completion) > _DEEPEST:
            raise _malformed(signature, completion, f"It is nested more than {_DEEPEST} deep.")
        fenced = _FENCED.fullmatch(completion)
        text = fenced.group(1) if fenced else completion
        if _is_object(text):
            return self._typed(signature, text)
        if len(text) > _LONGEST_REPAIRED:
            raise _malformed(signature, completion, f"It is no JSON, and has {len(text)} characters.")
        answers = list(self._answers(signature, text))
        if not answers:
            return self._typed(signature, completion)
        return _the_answer(signature, text, answers).fields

    def _answers(self, signature: type[dspy.Signature], text: str) -> Iterator[_Answer]:
        """Yield the objects in `text` that have the form of an answer: first sound JSON, then what can be repaired."""
        rest = text
        for start, end in _sound_objects(text):
            if (fields := self._fitting(signature, text[start:end])) is not None:
                yield _Answer(start, end, json.loads(text[start:end]), fields)
                rest = rest[:start] + " " * (end - start) + rest[end:]
        spans = list(_balanced(rest))
        if len(spans) < 2 and "{" in rest:
            spans = [(rest.index("{"), len(rest))]
        for start, end in spans:
            if (fields := self._fitting(signature, rest[start:end])) is not None:
                yield _Answer(start, end, json_repair.loads(rest[start:end]), fields)

    def _fitting(self, signature: type[dspy.Signature], text: str) -> dict[str, Any] | None:
        """Return the fields of an object that has the form of an answer, else None."""
        try:
            value = json_repair.loads(text)
            if not isinstance(value, dict) or not value.keys() & signature.output_fields.keys():
                return None
            return self._typed(signature, text)
        except (AdapterParseError, *_OF_PARSERS):
            return None

    def _typed(self, signature: type[dspy.Signature], text: str) -> dict[str, Any]:
        fields: dict[str, Any] = super().parse(signature, text)
        return fields


def _keep_schema(form: dict[str, Any]) -> dict[str, Any]:
    """Let the type of a form make its schema once, and give a copy each time: LiteLLM rewrites schemas in place."""
    kind = form.get("response_format")
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        schema = kind.model_json_schema()
        kind.model_json_schema = lambda *_, **__: deepcopy(schema)  # type: ignore[method-assign]
    return form


@contextmanager
def _asking_about(inputs: Mapping[str, Any]) -> Iterator[None]:
    """Keep the inputs of a question for `parse`, which DSPy does not give them."""
    token = _inputs.set(inputs)
    try:
        yield
    finally:
        _inputs.reset(token)


@dataclass(frozen=True)
class _Answer:
    """An object in an answer that has the form of an answer, with its place."""

    start: int
    end: int
    value: Any
    fields: dict[str, Any]


def _the_answer(signature: type[dspy.Signature], text: str, answers: list[_Answer]) -> _Answer:
    """Return the object that is the answer. Raises AdapterParseError if several may be."""
    if len(answers) == 1 and not (text[: answers[0].start] + text[answers[0].end :]).strip():
        return answers[0]
    quotable = {_canonical(value) for value in _objects_in(_inputs.get() or {})}
    own = [answer for answer in answers if _canonical(answer.value) not in quotable]
    if not own:
        raise _malformed(signature, text, "It only quotes JSON from the text.")
    if len({_canonical(answer.value) for answer in own}) == 1:
        return own[-1]
    standing = [answer for answer in own if _fills_its_lines(text, answer)]
    if len(standing) == 1:
        return standing[0]
    raise _malformed(signature, text, f"It has {len(own)} JSON objects that could be the answer.")


def _fills_its_lines(text: str, answer: _Answer) -> bool:
    before = text[text.rfind("\n", 0, answer.start) + 1 : answer.start]
    after = text[answer.end :].partition("\n")[0]
    return _BORDER.fullmatch(before) is not None and _BORDER.fullmatch(after) is not None


def _objects_in(inputs: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the JSON objects that stand in the texts of the inputs, also inside of others, and what can be repaired."""
    for text in map(str, inputs.values()):
        pairs = islice(_pairs(text), _MOST_MISSED)
        for quoted in (text[start:end] for start, end in pairs if end - start <= _LONGEST_QUOTED):
            with suppress(*_OF_PARSERS):
                yield json_repair.loads(quoted)


def _sound_objects(text: str) -> Iterator[tuple[int, int]]:
    """Yield where JSON objects begin and end in `text`. Objects inside of others are left out."""
    start, missed = text.find("{"), 0
    while start >= 0 and missed < _MOST_MISSED:
        try:
            end = _decoder.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            missed += 1
            end = start + 1
        else:
            yield start, end
        start = text.find("{", end)


def _balanced(text: str) -> Iterator[tuple[int, int]]:
    """Yield where outermost pairs of braces begin and end in `text`. An unclosed brace opens no pair."""
    closed: list[tuple[int, int]] = []
    for start, end in _pairs(text):
        while closed and closed[-1][0] > start:
            closed.pop()
        closed.append((start, end))
    yield from closed


def _pairs(text: str) -> Iterator[tuple[int, int]]:
    """Yield where pairs of braces begin and end in `text`, the inner ones first."""
    opened: list[int] = []
    for brace in _BRACE.finditer(text):
        if brace.group() == "{":
            opened.append(brace.start())
        elif opened:
            yield opened.pop(), brace.end()


def _depth(text: str) -> int:
    """Return how deep brackets and braces are nested in `text`."""
    deepest = depth = 0
    for bracket in _BRACKET.finditer(text):
        depth = depth + 1 if bracket.group() in "{[" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _malformed(signature: type[dspy.Signature], completion: str, message: str) -> AdapterParseError:
    return AdapterParseError(
        adapter_name="TypedAnswers", signature=signature, lm_response=completion[:1_000], message=message
    )


_PLAIN: Final = {str: "string", int: "integer", float: "number", bool: "true | false"}
_MOST_VALUES: Final = 6  # a longer list of values, the ids of the categories, stands in the inputs


def answer_form(signature: type[dspy.Signature]) -> str:
    """Return the form of an answer to a signature."""
    fields = signature.output_fields.items()
    return _object([(name, field.annotation, described(name, field)) for name, field in fields], "")


def input_list(signature: type[dspy.Signature]) -> str:
    """Return a line for each input of a signature, with its description."""
    fields = signature.input_fields.items()
    return "\n".join(f"- {name}: {described(name, field)}".rstrip(" :") for name, field in fields)


def described(name: str, field: Any) -> str:
    """Return the description of a signature's field in one line, without DSPy's stand-in `${name}`."""
    text = " ".join(str((field.json_schema_extra or {}).get("desc", "")).split())
    return "" if text == f"${{{name}}}" else text


def _object(fields: Sequence[tuple[str, Any, str]], indent: str) -> str:
    inside = indent + "  "
    lines = ["{"]
    for number, (name, annotation, description) in enumerate(fields, start=1):
        comma = "," if number < len(fields) else ""
        first, *rest = f"{_value(annotation, inside)}{comma}".split("\n")
        comment = f"  // {description}" if description else ""
        lines += [f'{inside}"{name}": {first}{comment}', *rest]
    return "\n".join([*lines, indent + "}"])


def _value(annotation: Any, indent: str) -> str:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if get_origin(annotation) is UnionType:  # a field that may be left out
        (annotation,) = (choice for choice in get_args(annotation) if choice is not NoneType)
        return _value(annotation, indent)
    if get_origin(annotation) is list:
        item = _value(get_args(annotation)[0], indent)
        return f"[{item}, ...]"
    if get_origin(annotation) is Literal:
        return _one_of(get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of([member.value for member in annotation])
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        return _object([(name, field.annotation, field.description or "") for name, field in fields], indent)
    return json.dumps(TypeAdapter(annotation).json_schema(), ensure_ascii=False)


def _one_of(values: Iterable[Any]) -> str:
    listed = [json.dumps(value, ensure_ascii=False) for value in values]
    return " | ".join(listed) if len(listed) <= _MOST_VALUES else "string"
