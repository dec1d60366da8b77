"""JSON schemas enforced while decoding, by llguidance, with a way out before the tokens run out."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import llguidance.hf
import llguidance.numpy
import numpy as np
from llguidance import LLMatcher

from arf_programs.models.embedded.schema import Bounds, bound_schema

if TYPE_CHECKING:
    from llguidance._lib import JsonCompileOptions
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerFast

# Compact JSON: a small model otherwise loves to write blanks for ever. One letter escapes only, for the same reason.
_OPTIONS: JsonCompileOptions = {"whitespace_flexible": False, "coerce_one_of": True, "json_allowed_escapes": 'nt"\\'}
_CLOSING_LIMIT = 512  # tokens; no sensible schema needs as many to be closed


class Grammars:
    """Matchers for the schemas asked of one tokenizer; a schema is compiled once."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, vocabulary: int, eos: int) -> None:
        self._vocabulary = vocabulary
        self._tokenizer = llguidance.hf.from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=eos)
        self._eos = eos
        self._compile = lru_cache(maxsize=256)(self._compile_uncached)
        # Tried in this order: what ends a value first, then what makes the shortest one.
        self._closers: list[int] = [self._tokenizer.greedy_tokenize(character)[0] for character in '}],":0[{tfn1-5a ']
        self._quote: int = self._tokenizer.greedy_tokenize('"')[0]
        self._letter: int = self._tokenizer.greedy_tokenize("z")[0]

    def matcher(self, schema: dict[str, Any], bounds: Bounds | None = None) -> LLMatcher:
        """A fresh matcher of `schema` within `bounds`; raises `ValueError` for a schema that cannot be enforced."""
        return self._compile(json.dumps(bound_schema(schema, bounds))).deep_copy()

    def _compile_uncached(self, schema: str) -> LLMatcher:
        matcher = LLMatcher(self._tokenizer, LLMatcher.grammar_from_json_schema(schema, overrides=_OPTIONS))
        if matcher.is_error():
            raise ValueError(f"This JSON schema cannot be enforced: {matcher.get_error()}")
        return matcher

    def allowed(self, matcher: LLMatcher) -> NDArray[np.bool_]:
        """Which tokens may come next, of shape (vocabulary,)."""
        bits = llguidance.numpy.allocate_token_bitmask(1, self._vocabulary)
        llguidance.numpy.fill_next_token_bitmask(matcher, bits, 0)
        flags = np.unpackbits(bits.view(np.uint8)[0], bitorder="little")[: self._vocabulary]
        return flags.view(np.bool_)

    def token_bytes(self, token: int) -> bytes:
        """The bytes of one token; a special one as it is written."""
        spelling: bytes = self._tokenizer.decode_bytes([token])
        return spelling

    def closing(self, matcher: LLMatcher) -> list[int] | None:
        """Tokens that complete the JSON from here, about as few as possible; `None` if no short way is found."""
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
        # Where a quote as well as any letter may come is inside a string: brackets are mere characters there.
        if allowed[self._quote] and allowed[self._letter]:
            return self._quote
        for token in self._closers:
            if allowed[token]:
                return token
        allowed[self._eos] = False
        return int(np.argmax(allowed))
