"""The base of the programs, and how they ask a typed question.

A question is asked with the nearest demonstrations. It is asked again if the answer is malformed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError, LMError
from pydantic import BaseModel

from arf_programs.corpus import clean_text
from arf_programs.models import (
    BROKEN_OFF,
    CONTENT_FILTER,
    LENGTH,
    CallContext,
    LastAnswer,
    calling,
    current_context,
    run_sync,
    within,
)
from arf_programs.text import Ranking, WordRanking
from signatures.exceptions import ArfError, ModelError
from signatures.records import Conversation
from signatures.showing import hide_marks, show_text


def show_nearest(
    predict: dspy.Predict, pool: Sequence[Any], k: int, rank: Callable[[Sequence[str]], Ranking] = WordRanking
) -> None:
    """Make `ask` show `predict`, at each call, the `k` examples of `pool` that are nearest to its inputs.

    They are ranked by BM25, or by the ranking that `rank` makes of their texts. An example of the conversation that is
    asked about is not shown. Inputs that are the same for all questions do not count. The pool also becomes
    `predict.demos`, so DSPy saves it with the program.
    """
    inputs = [name for name in predict.signature.input_fields if name not in _SAME_FOR_ALL]
    examples = [dspy.Example(**item).with_inputs(*inputs) for item in pool]
    predict.demos = examples
    predict.nearest = _Nearest(k, examples, rank(list(map(_shown, examples)))) if len(examples) > 1 else None


def demos_for(predict: dspy.Predict, inputs: Mapping[str, Any]) -> list[Any]:
    """Return the demonstrations of one call. The nearest comes last, where it influences a model most."""
    nearest = getattr(predict, "nearest", None)
    if nearest is None:
        demos: list[Any] = predict.demos
        return demos
    names = (name for name in predict.signature.input_fields if name not in _SAME_FOR_ALL)
    fields = {name: inputs[name] for name in names if name in inputs}
    return list(reversed(nearest(fields)))


@dataclass
class _Nearest:
    """The `k` nearest examples of another conversation."""

    k: int
    examples: Sequence[dspy.Example]
    ranking: Ranking

    def __call__(self, fields: Mapping[str, Any]) -> list[dspy.Example]:
        source = next((name for name in _SOURCES if name in fields), None)
        ranked = (self.examples[place] for place in self.ranking.order(" ".join(map(str, fields.values()))))
        return list(islice((item for item in ranked if source is None or item.get(source) != fields[source]), self.k))


def _shown(example: dspy.Example) -> str:
    return " ".join(str(value) for _, value in example.inputs().items())


_SOURCES = ("conversation", "turns")
_SAME_FOR_ALL = frozenset(("categories", "feedback"))


_SAMPLING_TEMPERATURE = 0.7
_TRIES = 100  # more than a question is ever tried, so no two samples share a try
_APART = 1_000_000  # separates the further tries of one sample of an optimizer from its other samples
RETRIES = 2
"""Further tries after a malformed answer, where nothing else is configured."""


async def ask(
    predict: dspy.Predict,
    *,
    retries: int,
    sample: int = 0,
    may_be_cut: bool = False,
    config: Mapping[str, Any] | None = None,
    **inputs: Any,
) -> dspy.Prediction:
    """Call `predict` with `inputs`, and ask again, up to `retries` times, while the answer is malformed.

    An answer that the content filter withheld is malformed. An answer that is cut off at max_tokens is malformed too,
    even if it can be parsed. With `may_be_cut` it is accepted, and the prediction's `cut_off` says whether it was cut.

    `sample` 0 is the answer under the model's own settings. Each other number is one of several sampled answers to the
    same question. Samples and further tries have a temperature of at least 0.7, since a greedy model would repeat
    itself, and each is an entry of its own in the call store.
    `config` overrides parameters of `predict`. Raises ModelError when no answer can be parsed.
    """
    lm = predict.lm or dspy.settings.lm
    asked = _defused(inputs)
    demos = demos_for(predict, asked)
    problem: Exception | None = None
    last = LastAnswer()
    with _context_of(lm) as context:
        for attempt in range(retries + 1):
            settings = {**(config or {}), **_sampling(lm, sample * _TRIES + attempt)}
            for anew in (False, True):
                try:
                    with within(answer=last, anew=anew):
                        answer = await predict.acall(config=settings, demos=demos, **asked)
                    return _finished(answer, last, may_be_cut=may_be_cut)
                except (AdapterParseError, _UnfinishedError) as error:
                    problem = error
                except LMError as error:
                    if isinstance(error.__cause__, ArfError):
                        raise error.__cause__ from None  # the engine's own error, which DSPy has wrapped
                    raise
                if context is None or not (context.session.again and last.replayed):
                    break
    raise ModelError(f"{lm.model}: no usable answer in {retries + 1} tries ({_reason(problem, last)}){_advice(last)}")


@contextmanager
def _context_of(lm: dspy.LM) -> Iterator[CallContext | None]:
    """Return the context of the present work, else that of the model's engine.

    None if the model has no engine of ARF.
    """
    context = current_context() or getattr(lm.engine, "context", None)
    if context is None:
        yield None
        return
    with calling(context):
        yield context


class _UnfinishedError(Exception):
    """The answer is not whole, although it can be parsed."""


_UNFINISHED = {
    LENGTH: "the answer was cut off at max_tokens",
    CONTENT_FILTER: "the provider's content filter withheld the answer",
    BROKEN_OFF: "the provider broke the answer off",
}


def _finished(answer: dspy.Prediction, last: LastAnswer, *, may_be_cut: bool) -> dspy.Prediction:
    cut_off = last.ending == LENGTH
    if last.ending in _UNFINISHED and not (cut_off and may_be_cut):
        raise _UnfinishedError
    fields = {name: _cleaned(value) for name, value in answer.items()}
    return dspy.Prediction(**fields, **({"cut_off": cut_off} if may_be_cut else {}))


def _reason(problem: Exception | None, last: LastAnswer) -> str:
    """Say in one line why the last answer cannot be used."""
    parsing = last.problem or " ".join(str(problem).split())[:300]
    parts = (_UNFINISHED.get(last.ending, ""), parsing)
    return ": ".join(part for part in parts if part)


def _advice(last: LastAnswer) -> str:
    if last.ending == LENGTH:
        return ". Raise `max_tokens` of the model."
    if last.ending or last.problem:
        return ""
    return ". If the endpoint can enforce a JSON schema, set `json_schema: true` on the model."


def question_messages(predict: dspy.Predict, **inputs: Any) -> list[dict[str, str]]:
    """Return the messages in which `ask` puts a question, without demonstrations."""
    messages: list[dict[str, str]] = dspy.settings.adapter.format(predict.signature, [], _defused(inputs))
    return messages


def _defused(inputs: dict[str, Any]) -> dict[str, Any]:
    """Return the inputs as they are shown. No text in them can pass for a field, and no summary for a turn."""
    return {
        name: (show_text if name in _SUMMARIES else hide_marks)(value) if isinstance(value, str) else value
        for name, value in inputs.items()
    }


_SUMMARIES = frozenset(("summary", "first_summary", "second_summary", "sentence"))


def _cleaned(value: Any) -> Any:
    """Return the value with clean texts: a model may answer with half a surrogate pair, which cannot be stored."""
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _cleaned(item) for name, item in value})
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    return clean_text(value) if isinstance(value, str) and not isinstance(value, Enum) else value


def typed(signature: type[dspy.Signature], field: str, annotation: object) -> type[dspy.Signature]:
    """Return the signature with another type for one field, so that the JSON schema that is sent has this type."""
    narrowed: type[dspy.Signature] = signature.with_updated_fields(field, type_=annotation)
    return narrowed


def _sampling(lm: dspy.LM, number: int) -> dict[str, Any]:
    if number == 0:
        return {}
    sampled = lm.kwargs.get("rollout_id")
    step = number if sampled is None else number * _APART
    config: dict[str, Any] = {"rollout_id": (sampled or 0) + step}
    if lm.kwargs.get("temperature") is not None:
        config["temperature"] = max(lm.kwargs["temperature"], _SAMPLING_TEMPERATURE)
    if lm.kwargs.get("seed") is not None:
        config["seed"] = lm.kwargs["seed"] + step
    return config


def lm_name(predict: dspy.Predict) -> str:
    """Return the name of the model that `predict` asks."""
    return str((predict.lm or dspy.settings.lm).model)


class Program(dspy.Module):
    """A DSPy module whose work is `aforward`; a synchronous call runs it on an event loop in the background.

    So `program(...)` works in a script, in Jupyter and in the threads of DSPy's optimizers, and `await
    program.acall(...)` wherever an event loop is at hand.
    """

    def forward(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Run `aforward` with the same arguments. Raises what it raises."""
        with _about(inputs):
            prediction: dspy.Prediction = run_sync(self.aforward(*args, **inputs))
        return prediction

    async def acall(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Answer on the event loop at hand. Raises what `aforward` raises."""
        with _about(inputs):
            prediction: dspy.Prediction = await super().acall(*args, **inputs)
        return prediction

    async def aforward(self, *args: Any, **inputs: Any) -> dspy.Prediction:
        """Answer. Each program says which inputs it takes, and what its prediction holds."""
        raise NotImplementedError


def _about(inputs: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Tell the calls of a block which conversation they are about, so that its private values are known."""
    conversation = inputs.get("conversation")
    return within(conversation=conversation) if isinstance(conversation, Conversation) else nullcontext()
