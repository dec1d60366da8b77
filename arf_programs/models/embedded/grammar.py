"""Enforce a JSON schema while decoding (llguidance), and close the JSON before the tokens run out.

A schema is narrowed first, so that a small model cannot write a string or a list without end. JSON of the narrowed
schema is valid for the given one, and limits of the given schema are kept.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llguidance.hf
import numpy as np
from llguidance import LLMatcher

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

Schema = dict[str, Any]
_NESTED = ("$defs", "definitions", "properties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
# Limits for what a schema leaves open.
_TEXT, _NESTED_TEXT = 400, 160  # characters of a string field of the root, and of a deeper one
_ITEMS = 4  # of a list
_KEYS = 6  # of an open mapping
_MAGNITUDE = 999_999_999  # the largest absolute value of an integer
_STEP = 0.001  # the difference between neighbouring numbers
_FREE_STRING = frozenset({"maxLength", "enum", "const", "pattern", "format"})


def bound_schema(schema: Schema) -> Schema:
    """Return a copy of `schema` with limits on strings, lists, mappings and numbers. {} stands for any JSON object."""
    bounded: Schema = _bound(schema or _any_object(), depth=0)
    return bounded


def _bound(schema: Any, depth: int) -> Any:
    if not isinstance(schema, dict):
        return schema
    bounded = {key: _bound_value(key, value, depth) for key, value in schema.items()}
    types = bounded.get("type", [])
    for name in types if isinstance(types, list) else [types]:
        if name in _LIMITS:
            _LIMITS[name](bounded, depth)
    return bounded


def _bound_value(key: str, value: Any, depth: int) -> Any:
    if key in _NESTED and isinstance(value, dict):
        # The schemas in `$defs` are used below the root.
        below = depth + (1 if key == "properties" else 2)
        return {name: _bound(child, below) for name, child in value.items()}
    if key in _LISTS and isinstance(value, list):
        return [_bound(child, depth) for child in value]
    if key in ("items", "additionalProperties"):
        return _bound(value, depth + 1)
    return value


def _limit_string(schema: Schema, depth: int) -> None:
    if not _FREE_STRING & schema.keys():
        limit = _TEXT if depth <= 1 else _NESTED_TEXT
        schema["maxLength"] = max(limit, schema.get("minLength", 0))


def _limit_array(schema: Schema, depth: int) -> None:
    least = max(schema.get("minItems", 0), len(schema.get("prefixItems", ())))
    schema.setdefault("maxItems", max(_ITEMS, least))


def _limit_object(schema: Schema, depth: int) -> None:
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    elif "additionalProperties" not in schema:
        schema["additionalProperties"] = _bound(_any_value(0), depth + 1)
    if schema.get("additionalProperties") is not False:
        least = max(schema.get("minProperties", 0), len(schema.get("properties", ())))
        schema.setdefault("maxProperties", max(_KEYS, least))


def _limit_integer(schema: Schema, depth: int) -> None:
    if {"enum", "const"} & schema.keys():
        return
    low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        schema["minimum"] = min(0, high or 0) - _MAGNITUDE
    if high is None:
        schema["maximum"] = max(0, low or 0) + _MAGNITUDE


def _limit_number(schema: Schema, depth: int) -> None:
    if not {"enum", "const", "multipleOf"} & schema.keys():
        _limit_integer(schema, depth)
        schema["multipleOf"] = _STEP


def _any_value(depth: int) -> Schema:
    plain: list[Schema] = [{"type": name} for name in ("string", "number", "boolean", "null")]
    nested: list[Schema] = [{"type": "array", "items": {"anyOf": plain}}]
    if depth > 0:
        nested.append({"type": "object", "additionalProperties": _any_value(depth - 1)})
    return {"anyOf": plain + nested}


def _any_object() -> Schema:
    return {"type": "object", "additionalProperties": _any_value(2)}


_LIMITS = {
    "string": _limit_string,
    "array": _limit_array,
    "object": _limit_object,
    "integer": _limit_integer,
    "number": _limit_number,
}


# Compact JSON with one-letter escapes only: otherwise a small model may write blanks or escapes without end.
_OPTIONS: JsonCompileOptions = {"whitespace_flexible": False, "coerce_one_of": True, "json_allowed_escapes": 'nt"\\'}
_CLOSING_LIMIT = 512  # tokens; a sensible schema needs fewer to be closed


class Grammars:
    """Makes matchers of schemas for one tokenizer. A schema is compiled once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, vocabulary: int, eos: int) -> None:
        self._vocabulary = vocabulary
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=eos)
        self._eos = eos
        self._compile = lru_cache(maxsize=256)(self._compile_uncached)
        # Tried in this order: first the ends of values, then the beginnings of short values.
        self._closers: list[int] = [self._tokenizer.greedy_tokenize(character)[0] for character in '}],":0[{tfn1-5a ']
        self._quote: int = self._tokenizer.greedy_tokenize('"')[0]
        self._letter: int = self._tokenizer.greedy_tokenize("z")[0]

    def matcher(self, schema: dict[str, Any]) -> LLMatcher:
        """Return a new matcher of `schema`, narrowed. Raises ValueError for a schema that cannot be enforced."""
        return self._compile(json.dumps(bound_schema(schema))).deep_copy()

    def _compile_uncached(self, schema: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_json_schema(schema, overrides=_OPTIONS))
        if matcher.is_error():
            raise ValueError(f"This JSON schema cannot be enforced: {matcher.get_error()}")
        return matcher

    def allowed(self, matcher: LLMatcher) -> NDArray[np.bool_]:
        """Return which tokens may come next, of shape (vocabulary,)."""
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        return np.unpackbits(bits, bitorder="little")[: self._vocabulary].view(np.bool_)

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one token. A special token is spelled out."""
        spelling: bytes = self._tokenizer.decode_bytes([token])
        return spelling

    def closing(self, matcher: LLMatcher) -> list[int] | None:
        """Return tokens that complete the JSON, about as few as possible; None if that takes too many."""
        matcher = matcher.deep_copy()
        tokens: list[int] = []
        while not matcher.is_accepting():
            step = matcher.compute_ff_tokens() or [self._closer(matcher)]
            if not matcher.consume_tokens(step) or len(tokens) > _CLOSING_LIMIT:
                return None
            tokens += step
        return tokens

    def _closer(self, matcher: LLMatcher) -> int:
        allowed = self.allowed(matcher)
        # If both a quote and a letter may come, this is inside a string, where a bracket closes nothing.
        if allowed[self._quote] and allowed[self._letter]:
            return self._quote
        for token in self._closers:
            if allowed[token]:
                return token
        allowed[self._eos] = False
        return int(np.argmax(allowed))
