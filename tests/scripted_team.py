"""A scripted model that plays every role over the corpus of `conftest.write_corpus`, and counts what it is asked.

Every second draft of its teacher ends with an invented refund, which its analyst finds and its editor deletes. A test
replaces single answers: `Team(edits=lambda fields: [...])`.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from arf_programs.models import scripted

FLAW = "The agent also gave back 95 euros."
Fields = dict[str, str]
Answer = Callable[[Fields], Any]

_KINDS = {
    "Answer with the one word": "ping",
    "produce the fields `colors`": "colors",
    "note every problem in it": "notes",
    "Sort notes about errors": "induce",
    "Find the errors in a summary": "find",
    "Check the corrections that an editor made": "check",
    "You check one sentence": "support",
    "Describe what is wrong with this sentence": "describe",
    "Find what a summary": "omissions",
    "with the smallest edits": "edits",
    "Write one sentence of a customer-service summary anew": "sentence",
    "Write the one sentence that": "missing",
    "Rewrite a summary": "rewrite",
    "Revise a summary": "by_taxonomy",
    "Rate a summary": "rate",
    "Decide which of two summaries": "compare",
    "marked words of a summary": "naturalize",
    "errors of one writer": "pattern",
    "Write a new customer-service conversation": "variant",
    "as a report to a colleague who has not read it": "new_summary",
}
_FIELD = re.compile(r"\[\[ ## (\w+) ## \]\]\n")


class Team:
    """The function behind `scripted/model`; `asked` counts the questions by kind, `fields` keeps their inputs."""

    def __init__(self, **answers: Answer) -> None:
        self.answers: dict[str, Answer] = {**_DEFAULTS, "check": self._check, **answers}
        self.asked: Counter[str] = Counter()
        self.fields: dict[str, list[Fields]] = {}
        self.params: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, messages: scripted.Messages, params: dict[str, Any]) -> Any:
        kind, fields = read_question(messages)
        self.asked[kind] += 1
        self.fields.setdefault(kind, []).append(fields)
        self.params.setdefault(kind, []).append(params)
        answer = self.answers[kind](fields)
        return answer if isinstance(answer, str | scripted.ScriptedAnswer) else json.dumps(answer)

    def _check(self, fields: Fields) -> Any:
        """The verifier's answer, from what the analyst finds in the revision: what is listed is not mended."""
        found = self.answers["find"](fields)
        if not isinstance(found, dict):
            return found
        listed = re.findall(r'^(e\d+)\. (\w+): (?:"(.*?)"|nothing quoted)', fields["errors"], re.MULTILINE)
        left, checks = list(found["errors"]), []
        for name, category, quote in listed:
            again = [error for error in left if error["category"] == category and _alike(error["quote"], quote)]
            left = [error for error in left if error not in again]
            checks.append({"id": name, "explanation": "As it is.", "mended": not again})
        return {"checks": checks, "new_errors": left}

    def forget(self) -> None:
        """Count anew."""
        self.asked.clear()
        self.fields.clear()
        self.params.clear()


def join(name: str = "model", **answers: Answer) -> Team:
    """Let a new team answer for `scripted/<name>`."""
    team = Team(**answers)
    scripted.register(name, team)
    return team


def read_question(messages: scripted.Messages) -> tuple[str, Fields]:
    """What is asked, and the fields it is asked with; of a request for a summary, the conversation."""
    text = "\n".join(str(message["content"]) for message in messages)
    kind = next((kind for words, kind in _KINDS.items() if words in text), "summary")
    user = str(messages[-1]["content"])
    if kind in ("summary", "new_summary"):
        return kind, {"conversation": user.removeprefix("Conversation:\n").rpartition("\n\n")[0]}
    if kind == "support":
        return kind, _support_fields(user)
    parts = _FIELD.split(user.partition("\n\nRespond with a JSON object")[0])
    return kind, {name: value.strip("\n") for name, value in zip(parts[1::2], parts[2::2], strict=True)}


def _support_fields(user: str) -> Fields:
    conversation, _, rest = user.removeprefix("Conversation:\n").partition("\n\nSentence of the summary:\n")
    return {"conversation": conversation, "sentence": rest.partition("\n\nDoes the ")[0]}


def yes(probability: float) -> scripted.ScriptedAnswer:
    """An answer to the support question with the log-probabilities of yes and no."""
    tokens: list[dict[str, Any]] = [
        {"token": "yes", "logprob": math.log(probability)},
        {"token": " No", "logprob": math.log(1 - probability)},
    ]
    best = max(tokens, key=lambda item: item["logprob"])
    return scripted.ScriptedAnswer(answer=best["token"], logprobs=[{**best, "top_logprobs": tokens}])


def analyzer_of(lm, taxonomy=None, strategy="holistic", *, checks=False, retries=0, **support):
    """An Analyze with a model; further settings are those of the support question."""
    from arf_programs.corpus.taxonomy import load_seed_taxonomy
    from arf_programs.programs.analysis.analyze import Analyze, HolisticAnalysis, SentencewiseAnalysis
    from arf_programs.programs.analysis.support import SentenceSupport

    taxonomy = taxonomy or load_seed_taxonomy()
    if strategy == "holistic":
        analysis = HolisticAnalysis(taxonomy, retries=retries)
    else:
        analysis = SentencewiseAnalysis(taxonomy, SentenceSupport(retries=retries, **support), retries=retries)
    program = Analyze(analysis, checks=checks)
    program.set_lm(lm)
    return program


def _alike(one: str, other: str) -> bool:
    return one in other or other in one if one and other else one == other


def draft(fields: Fields) -> str:
    """The teacher's summary of a conversation of `write_corpus`."""
    thing, order = re.search(r"My (\w+) from order (\d+)", fields["conversation"]).groups()
    clean = f"The customer wrote that the {thing} from order {order} came broken. The agent put a new {thing} in line."
    return f"{clean} {FLAW}" if int(order) % 2 else clean


def rating(whole: int, reasons: str = "As it is.") -> dict[str, Any]:
    """The judge's answer; an error makes a summary unfaithful, not incomplete."""
    return {"reasons": reasons, "faithful": whole, "complete": 5, "concise": 4, "rating": whole}


def _error(quote: str) -> dict[str, Any]:
    return {
        "quote": quote,
        "evidence": [2],
        "explanation": "No money was given back.",
        "category": "fabricated",
    }


def _without_flaw(fields: Fields) -> dict[str, str]:
    return {"revised": fields["summary"].replace(FLAW, "").strip()}


def _talk(name: str, order: int, *more: str) -> dict[str, Any]:
    said = [f"My {name} from order {order} came broken, in the box with the blue seal.", *more]
    turns = [{"speaker": "Customer" if n % 2 == 0 else "Agent", "text": text} for n, text in enumerate(said)]
    return {"id": f"{name}-{order}", "channel": "email", "conversation": turns}


TROUBLESOME = [
    _talk("vase", 7777, "No teacher has an answer to this one."),
    _talk("oven", 8888, "No analyst has an answer to this one."),
    _talk("novel", 9999, *["A page of it. " * 40] * 4),
    _talk("mitten", 5000, "We are sorry about your mitten, and another one is on its way to you by Monday."),
    _talk("mitten", 5000, "We are sorry about your mitten, and another one is on its way to you by Monday!")
    | {"id": "mitten-again"},
]
"""Conversations that fail at the teacher of `join_troubled`, at its analyst, are too long, and are the same."""


def join_troubled() -> Team:
    """A team whose teacher and analyst give no usable answer to one conversation each."""
    return join(
        summary=lambda fields: "" if "order 7777" in fields["conversation"] else draft(fields),
        find=lambda fields: "no" if "order 8888" in fields["conversation"] else _DEFAULTS["find"](fields),
    )


def variant(fields: Fields) -> dict[str, Any]:
    """A new conversation like one of `write_corpus`, and its summary, which is right."""
    thing, order = re.search(r"My (\w+) from order (\d+)", fields["conversation"]).groups()
    told = fields["conversation"].replace(order, f"7{order}").replace(thing, "teapot")
    turns = [dict(zip(("speaker", "text"), line.split(": ", 1), strict=True)) for line in told.splitlines() if line]
    return {"new_conversation": turns, "new_summary": draft({"conversation": told}).removesuffix(FLAW).strip()}


_DEFAULTS: dict[str, Answer] = {
    "pattern": lambda fields: {"name": "missing endings", "description": "How it ended is left out."},
    "variant": variant,
    "colors": lambda fields: {"colors": ["red"]},
    "ping": lambda _: "yes",
    "summary": draft,
    "notes": lambda fields: {"notes": ["The refund is invented."] if FLAW in fields["summary"] else []},
    "induce": lambda fields: {
        "known": [{"id": "fabricated", "notes": list(range(1, fields["notes"].count("\n") + 2))}],
        "categories": [],
    },
    "find": lambda fields: {"errors": [_error(FLAW)] if FLAW in fields["summary"] else []},
    "support": lambda fields: "no" if FLAW in fields["sentence"] else "yes",
    "describe": lambda _: {"error": _error(FLAW)},
    "omissions": lambda _: {"omissions": []},
    "edits": lambda fields: {
        "edits": [
            {
                "mends": [f"e{number}" for number in range(1, fields["errors"].count("\n") + 2)],
                "op": "delete",
                "quote": FLAW,
                "replacement": "",
                "evidence": [],
            }
        ]
    },
    # It copies the flawed sentence in other spelling, so that the one way left to mend it is to delete it.
    "sentence": lambda _: {"corrected": FLAW.upper()},
    "missing": lambda _: {"missing": "The customer wrote that something came broken."},
    "rewrite": _without_flaw,
    "by_taxonomy": _without_flaw,
    "naturalize": lambda fields: {"summary": re.sub("<<|>>", "", fields["marked_summary"])},
    "rate": lambda fields: rating(2 if FLAW in fields["summary"] else 5),
    # What is free of the flaw is better; of two alike it likes what stands first, as weak judges do.
    "compare": lambda fields: {
        "reasons": "As they are.",
        "better": "second" if FLAW in fields["first_summary"] and FLAW not in fields["second_summary"] else "first",
    },
}
