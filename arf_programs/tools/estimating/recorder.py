"""Records the calls of an estimate. No model is asked: the real programs run with answers that stand in for a model's.

The Recorder replaces the run's store, and has an answer to every call. A `Scene` says which sentences of the draft the
analyst calls wrong. That decides how many calls follow.
"""

from __future__ import annotations

import asyncio
import json
import math
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, get_args

import dspy
from dspy.utils.callback import BaseCallback
from pydantic import BaseModel

from arf_programs.models import Body, CallStore, NoStore, Question, open_store, within
from arf_programs.programs import omission_ids, statement_ids
from arf_programs.runner import asking_from
from arf_programs.runs import Run
from arf_programs.text import split_sentences
from arf_programs.tools.estimating.figures import Range, count_tokens, ordered, reasons
from signatures.records import Conversation

Kind = Literal["clean", "typical", "worst"]
"""clean: nothing is wrong. typical: the first sentence is wrong, and its first mending passes. worst: every sentence is
wrong, and no mending passes.
"""
KINDS: Final[tuple[Kind, ...]] = ("clean", "typical", "worst")
_MOST_WORDS = 100  # about five sentences
_WORDS = 50  # a draft as the default instruction asks for it: two or three sentences
_NOTE = "The summary says this, but the conversation says something else, and the customer was told otherwise there."
_SENTENCE = "The agent looked into the matter and then told the customer {} what would be done about it."
_HOW = (
    "at length",
    "in short",
    "again",
    "politely",
    "by name",
    "once more",
    "later",
    "at once",
    "clearly",
    "twice",
)
_QUOTED = 4  # words of a wrong sentence that an analyst quotes
_PROBABILITY = {"yes": 0.9, "no": 0.1}
# The longest answer in the upper bound: three times the stand-in and 50 tokens, up to max_tokens.
_LONGER, _FEW = 3, 50


def stand_in_draft(conversation: Conversation, kind: Kind) -> str:
    """A summary as a teacher may write it: the first reference, else the first words of the conversation.

    A `clean` draft is its first sentence. The `worst` draft is as long as if the teacher ignored the instruction.
    """
    words = " ".join(turn.text for turn in conversation.turns).split()
    if kind == "worst":
        return " ".join([*conversation.references[:1], *words[:_MOST_WORDS]])
    text = next(iter(conversation.references), " ".join(words[:_WORDS]))
    return split_sentences(text)[0] if kind == "clean" else text


@dataclass
class Scene:
    """How the analyst judges the draft. `written` counts the sentences made so far, so that no two are alike."""

    kind: Kind
    draft: str
    written: int = 0

    def wrong(self, text: str) -> list[str]:
        """The sentences of `text` that the analyst of this scene calls wrong."""
        sentences = split_sentences(text)
        if self.kind == "worst":
            return sentences
        first = split_sentences(self.draft)[:1]
        return [] if self.kind == "clean" else [sentence for sentence in sentences if sentence in first]

    def sentence(self) -> str:
        """A new sentence. A typical one repeats most of the wrong sentence."""
        self.written += 1
        adverb = _HOW[self.written % len(_HOW)]
        kept = (split_sentences(self.draft) or [""])[0].split()[_QUOTED:]
        return " ".join([adverb.capitalize(), *kept]) if kept and self.kind == "typical" else _SENTENCE.format(adverb)

    def mended(self, text: str) -> str:
        """The text with a new sentence instead of the first."""
        first = split_sentences(text)[:1]
        return text.replace(first[0], self.sentence(), 1) if first else self.sentence()


def answer_to(signature: type[dspy.Signature], fields: dict[str, Any], scene: Scene) -> str:
    """The text of an answer to a question about `fields`. Raises KeyError for a question that no stage asks."""
    *_, (name, output) = signature.output_fields.items()  # the last output names the question
    answer = _ANSWERS[name](fields, _categories_of(output.annotation), scene)
    if scene.kind != "worst" and "correction" in getattr(_item_of(output.annotation), "model_fields", {}):
        answer = {name: [{**error, "correction": scene.sentence()} for error in answer[name]]}
    return answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)


def _categories_of(annotation: Any) -> list[str]:
    """The category ids that the type of an answer allows; none if it has no categories."""
    field = getattr(_item_of(annotation), "model_fields", {}).get("category")
    return list(get_args(field.annotation)) if field is not None else []


def _item_of(annotation: Any) -> Any:
    """Return the type of the items of a list; another type as it is."""
    return next(iter(get_args(annotation)), annotation)


def word_with_probability(word: str) -> dict[str, Any]:
    """The log-probabilities of an answer of one word, yes or no, as OpenAI writes them."""
    tokens = [
        {"token": token, "logprob": math.log(_PROBABILITY["yes" if token == word else "no"])} for token in ("yes", "no")
    ]
    best = next(token for token in tokens if token["token"] == word)
    return {"content": [{**best, "bytes": None, "top_logprobs": [{**token, "bytes": None} for token in tokens]}]}


def _error(quote: str, category: str) -> dict[str, Any]:
    error = {"evidence": [1], "explanation": _NOTE, "category": category}
    return {"quote": quote, **error} if quote else error


def _quote(sentence: str) -> str:
    """A few words of the sentence, as an analyst quotes them."""
    return " ".join(sentence.split()[:_QUOTED])


def _support(fields: dict[str, Any], _: list[str], scene: Scene) -> str:
    return "no" if scene.wrong(fields["sentence"]) else "yes"


def _errors(fields: dict[str, Any], ids: list[str], scene: Scene) -> dict[str, Any]:
    wrong = [_error(_quote(sentence), statement_ids(ids)[0]) for sentence in scene.wrong(fields["summary"])]
    missing = [{"quote": "", **_error("", name)} for name in omission_ids(ids)[:1]] if scene.kind == "worst" else []
    return {"errors": [*wrong, *missing]}


def _checked(fields: dict[str, Any], ids: list[str], scene: Scene) -> dict[str, Any]:
    """The verifier's answer: of the worst scene no error is mended, and each sentence has a new one."""
    listed = fields["errors"].splitlines()
    mended = scene.kind != "worst"
    checks = [{"id": f"e{n}", "explanation": _NOTE, "mended": mended} for n in range(1, len(listed) + 1)]
    wrong = [] if mended else scene.wrong(fields["summary"])
    return {"checks": checks, "new_errors": [_error(_quote(text), statement_ids(ids)[0]) for text in wrong]}


def _omissions(_: dict[str, Any], ids: list[str], scene: Scene) -> dict[str, Any]:
    return {"omissions": [_error("", ids[0])] if scene.kind == "worst" else []}


def _notes(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    return {"notes": [f"{_NOTE} {number}" for number, _ in enumerate(scene.wrong(fields["summary"]))]}


def _categories(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    notes = list(range(1, fields["notes"].count("\n") + 2))
    count = min(int(fields["max_categories"]), 4 if scene.kind == "typical" else 14)
    made = {"name": "Wrong fact", "definition": _NOTE, "severity": "major", "example": _NOTE}
    categories = [{"notes": notes[n::count], "id": f"kind_{chr(97 + n)}", **made} for n in range(count)]
    return {"known": [], "categories": categories}


def _edits(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    edit = {"mends": ["e1"], "op": "replace", "evidence": [1]}
    wrong = scene.wrong(fields["summary"])
    return {"edits": [{**edit, "quote": sentence, "replacement": scene.sentence()} for sentence in wrong]}


def _revised(fields: dict[str, Any], _: list[str], scene: Scene) -> dict[str, Any]:
    """The editor's rewrite. The strategy that sees no errors is asked about clean drafts, too."""
    return {"revised": fields["summary"] if scene.kind == "clean" else scene.mended(fields["summary"])}


_Answer = Callable[[dict[str, Any], list[str], Scene], Any]
_ANSWERS: Final[dict[str, _Answer]] = {
    "summary": lambda _, __, scene: scene.draft,
    "notes": _notes,
    "categories": _categories,
    "errors": _errors,
    "new_errors": _checked,
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
