"""The answers of the model server. They depend on the request alone: no model, no I/O."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

Body = dict[str, Any]
Answer = Callable[[Body], str]
WORDS = (  # noqa: SIM905 - one string is easier to read
    "the customer agent order refund parcel invoice number email account replacement delivery Monday waited called "
    "asked offered sent agreed cancelled confirmed because about with after before two broken late new"
).split()
DEEPEST = 6


def digest_of(body: Body) -> str:
    """SHA-256 of a request's body, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def completion(body: Body, answer: Answer | None = None) -> dict[str, Any]:
    """A chat completion in OpenAI's form with `n` choices. `answer` replaces the server's own text."""
    prompt = json.dumps(body.get("messages"), sort_keys=True)
    count = body.get("n") or 1
    texts = [answer(body) if answer else _text(body, _random(prompt, index)) for index in range(count)]
    prompt_tokens, completion_tokens = tokens_in(prompt), sum(map(tokens_in, texts))
    return {
        "id": f"chatcmpl-{hashlib.sha256(prompt.encode()).hexdigest()[:24]}",
        "object": "chat.completion",
        "created": 0,
        "model": body.get("model", ""),
        "choices": [_choice(body, text, index) for index, text in enumerate(texts)],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def tokens_in(text: str) -> int:
    """Tokens, as a quarter of the characters."""
    return max(1, len(text) // 4)


def instance(schema: Mapping[str, Any], random: Random) -> Any:
    """A valid instance of a JSON schema as pydantic writes it. String patterns and formats are ignored."""
    return _Instances(schema, random).make(schema, 0)


def _random(prompt: str, index: int) -> Random:
    return Random(hashlib.sha256(f"{index} {prompt}".encode()).digest())


def _text(body: Body, random: Random) -> str:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(instance(form["json_schema"].get("schema") or {}, random))
    if form.get("type") == "json_object":
        return json.dumps({"answer": _words(random, 8)})
    if body.get("logprobs"):
        return random.choice(("yes", "no"))
    return _words(random, random.randint(12, 40)).capitalize() + "."


def _choice(body: Body, text: str, index: int) -> dict[str, Any]:
    choice = {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": _logprobs(text)}
    return choice


def _logprobs(text: str) -> list[dict[str, Any]]:
    """One token a word. The second best of a yes is a no, and the reverse."""
    other = {"yes": "no", "no": "yes"}
    sure = 0.5 + _random(text, 0).random() / 2
    best, second = math.log(sure), math.log(max(1 - sure, 1e-9))
    return [
        {
            "token": word,
            "logprob": best,
            "bytes": None,
            "top_logprobs": [
                {"token": word, "logprob": best, "bytes": None},
                {"token": other.get(word, "the"), "logprob": second, "bytes": None},
            ],
        }
        for word in text.split(" ")
    ]


def _words(random: Random, count: int) -> str:
    return " ".join(random.choices(WORDS, k=count))


class _Instances:
    """Instances of the parts of one schema, whose `$ref` point into it."""

    def __init__(self, root: Mapping[str, Any], random: Random) -> None:
        self.root = root
        self.random = random

    def make(self, schema: Mapping[str, Any], depth: int) -> Any:
        if "$ref" in schema:
            return self.make(self._resolve(schema["$ref"]), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.random.choice(schema["enum"])
        for union in ("anyOf", "oneOf", "allOf"):
            if union in schema:
                return self.make(self._one_of(schema[union], depth), depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = kind[0]
        return getattr(self, f"_{kind}")(schema, depth)

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        part: Any = self.root
        for key in reference.removeprefix("#").strip("/").split("/"):
            part = part[key] if key else part
        return part

    def _one_of(self, schemas: Sequence[Mapping[str, Any]], depth: int) -> Mapping[str, Any]:
        """One of the schemas. Deep down it is one without parts, so that a recursive schema ends."""
        ending = [schema for schema in schemas if schema.get("type") not in (None, "object", "array")]
        return self.random.choice(ending if depth >= DEEPEST and ending else list(schemas))

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        properties = schema.get("properties", {}).items()
        return {name: self.make(part, depth + 1) for name, part in properties if depth < DEEPEST or name in required}

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", least + 2) if depth < DEEPEST else least
        if "prefixItems" in schema:
            return [self.make(part, depth + 1) for part in schema["prefixItems"]]
        return [self.make(schema.get("items", {}), depth + 1) for _ in range(self.random.randint(least, most))]

    def _string(self, schema: Mapping[str, Any], depth: int) -> str:
        text = _words(self.random, self.random.randint(3, 12))
        text = text.ljust(schema.get("minLength", 0), ".")
        return text[: schema.get("maxLength", len(text))]

    def _integer(self, schema: Mapping[str, Any], depth: int) -> int:
        step = schema.get("multipleOf", 1)
        least = schema.get("minimum", schema.get("exclusiveMinimum", -step) + step)
        most = schema.get("maximum", schema.get("exclusiveMaximum", least + 10 * step) - step)
        return self.random.randrange(math.ceil(least / step) * step, math.floor(most) + 1, step)

    def _number(self, schema: Mapping[str, Any], depth: int) -> float:
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
        most = schema.get("maximum", schema.get("exclusiveMaximum", least + 1))
        return least + (most - least) * (0.25 + self.random.random() / 2)

    def _boolean(self, schema: Mapping[str, Any], depth: int) -> bool:
        return self.random.random() < 0.5

    def _null(self, schema: Mapping[str, Any], depth: int) -> None:
        return None
