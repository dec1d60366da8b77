"""Answers that stand in for a model's, so that the real programs go their real way without asking anyone.

A `Scene` says how the analyst sees the draft at hand; that decides how much is asked after it.


Where calls are caught: in the place of DSPy's cache, which is asked before every call and here always answers.
"""

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
from typing import Any, Final, Literal, get_args

import dspy
from dspy.clients.cache import Cache
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from arf_programs.estimating.figures import Range, count_tokens, ordered, reasons
from arf_programs.models import CallStore, import_litellm
from arf_programs.programs import omission_ids, statement_ids
from arf_programs.runs import Run
from arf_programs.text import split_sentences
from signatures.records import Conversation

Kind = Literal["clean", "typical", "worst"]
"""Nothing is wrong; the first sentence is, and its first mending passes; every sentence is, and no mending passes."""

KINDS: Final[tuple[Kind, ...]] = ("clean", "typical", "worst")
_MOST_WORDS = 100  # about five sentences
_WORDS = 50  # of a draft where no reference says how long one is: the default instruction asks for 2-3 sentences
_NOTE = "The summary says this, but the conversation says something else, and the customer was told otherwise there."
_SENTENCE = "The agent looked into the matter and then told the customer {} what would be done about it."
_WAYS = ("at length", "in short", "again", "politely", "by name", "once more", "later", "at once", "clearly", "twice")
_QUOTED = 4  # words of a wrong sentence that an analyst quotes
_PROBABILITY = {"yes": 0.9, "no": 0.1}


def stand_in_draft(conversation: Conversation, kind: Kind) -> str:
    """A summary as a teacher may write it: the first reference, else as many of the conversation's first words.

    A `clean` one is short (the first sentence), the `worst` one as long as a teacher writes that ignores the request.
    """
    said = " ".join(turn.text for turn in conversation.turns).split()
    if kind == "worst":
        return " ".join([*conversation.references[:1], *said[:_MOST_WORDS]])
    text = next(iter(conversation.references), " ".join(said[:_WORDS]))
    return split_sentences(text)[0] if kind == "clean" else text


@dataclass
class Scene:
    """How the draft at hand is seen, and how many answers were written, so that no two candidates are alike."""

    kind: Kind
    draft: str
    written: int = 0

    def wrong(self, text: str) -> list[str]:
        """The sentences of `text` that the analyst of this scene objects to."""
        sentences = split_sentences(text)
        if self.kind == "worst":
            return sentences
        first = split_sentences(self.draft)[:1]
        return [] if self.kind == "clean" else [sentence for sentence in sentences if sentence in first]

    def sentence(self) -> str:
        """A sentence that was not there before; a typical one says most of what the wrong one said."""
        self.written += 1
        way = _WAYS[self.written % len(_WAYS)]
        kept = (split_sentences(self.draft) or [""])[0].split()[_QUOTED:]
        return " ".join([way.capitalize(), *kept]) if kept and self.kind == "typical" else _SENTENCE.format(way)

    def mended(self, text: str) -> str:
        """The text with a new sentence for the first."""
        first = split_sentences(text)[:1]
        return text.replace(first[0], self.sentence(), 1) if first else self.sentence()


def answer_to(signature: type[dspy.Signature], fields: dict[str, Any], scene: Scene) -> str:
    """The text of an answer to a question about `fields`. Raises KeyError for a question that no stage asks."""
    *_, (name, output) = signature.output_fields.items()  # the last output names the question
    answer = _ANSWERS[name](fields, _categories_of(output.annotation), scene)
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _categories_of(annotation: Any) -> list[str]:
    """The category ids to which the type of an answer is narrowed; none where it has no categories."""
    model = next(iter(get_args(annotation)), annotation)
    field = getattr(model, "model_fields", {}).get("category")
    return list(get_args(field.annotation)) if field is not None else []


def word_with_probability(word: str) -> dict[str, Any]:
    """What OpenAI calls a choice's log-probabilities, for an answer of one word, yes or no."""
    tokens = [
        {"token": token, "logprob": math.log(_PROBABILITY["yes" if token == word else "no"])} for token in ("yes", "no")
    ]
    best = next(token for token in tokens if token["token"] == word)
    return {"content": [{**best, "bytes": None, "top_logprobs": [{**token, "bytes": None} for token in tokens]}]}


def _error(quote: str, category: str) -> dict[str, Any]:
    said = {"evidence": [1], "explanation": _NOTE, "category": category, "severity": "major"}
    return {"quote": quote, **said} if quote else said


def _quote(sentence: str) -> str:
    """A few words of the sentence, as an analyst quotes them."""
    return " ".join(sentence.split()[:_QUOTED])


def _support(fields: dict[str, Any], _: list[str], scene: Scene) -> str:
    return "no" if scene.wrong(fields["sentence"]) else "yes"


def _errors(fields: dict[str, Any], ids: list[str], scene: Scene) -> dict[str, Any]:
    found = [_error(_quote(sentence), statement_ids(ids)[0]) for sentence in scene.wrong(fields["summary"])]
    missing = [{"quote": "", **_error("", name)} for name in omission_ids(ids)[:1]] if scene.kind == "worst" else []
    return {"errors": [*found, *missing]}


def _omissions(_: dict[str, Any], ids: list[str], scene: Scene) -> dict[str, Any]:
    return {"omissions": [_error("", ids[0])] if scene.kind == "worst" else []}


def _notes(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    return {"notes": [f"{_NOTE} {number}" for number, _ in enumerate(scene.wrong(fields["summary"]))]}


def _categories(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    notes = list(range(1, fields["notes"].count("\n") + 2))
    count = min(int(fields["max_categories"]), 4 if scene.kind == "typical" else 14)
    made = {"name": "Wrong fact", "definition": _NOTE, "severity": "major", "example": _NOTE}
    return {"categories": [{"id": f"kind_{chr(97 + n)}", **made, "notes": notes[n::count]} for n in range(count)]}


def _edits(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    edit = {"mends": ["e1"], "op": "replace", "evidence": [1]}
    wrong = scene.wrong(fields["summary"])
    return {"edits": [{**edit, "quote": sentence, "replacement": scene.sentence()} for sentence in wrong]}


def _revised(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    """The editor's rewrite; one that knows the kinds of error only is asked about clean drafts as well."""
    return {"revised": fields["summary"] if scene.kind == "clean" else scene.mended(fields["summary"])}


_Answer = Callable[[dict[str, Any], list[str], Scene], Any]
_ANSWERS: Final[dict[str, _Answer]] = {
    "summary": lambda _, __, scene: scene.draft,
    "notes": _notes,
    "categories": _categories,
    "errors": _errors,
    "supported": _support,
    "error": lambda fields, ids, _: {"error": _error(_quote(fields["sentence"]), ids[0])},
    "omissions": _omissions,
    "edits": _edits,
    "corrected": lambda _, __, scene: {"corrected": scene.sentence()},
    "missing": lambda _, __, scene: {"missing": scene.sentence()},
    "revised": _revised,
    "rating": lambda _, __, ___: {"reasons": _NOTE, "faithful": 3, "complete": 3, "concise": 3, "rating": 3},
    "better": lambda _, __, ___: {"reasons": _NOTE, "better": "tie"},
}


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
def recording(run: Run) -> Iterator[Recorder]:
    """Put a Recorder in the place of DSPy's cache; answers that are stored for `run` are taken from there."""
    question = _Question()
    with tempfile.TemporaryDirectory(prefix="arf-estimate-") as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
        # The store books what it replays: here into a ledger that goes away.
        calls = run.calls if run.calls.is_dir() else Path(temporary) / "calls"
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
