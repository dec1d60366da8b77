"""Conversations too long for the models: skipped and counted, or cut at a turn border."""

from __future__ import annotations

import math

from arf_programs.config.schema import CorpusConfig
from signatures.records import Conversation, Failure

CHARACTERS_PER_TOKEN = 4
CUT_TURNS = "cut_turns"
_STAGE = "corpus"


def estimate_tokens(characters: int) -> int:
    """Tokens of a text of that many characters: a quarter, rounded up.

    The rule of thumb that OpenAI gives for English (help.openai.com, "What are tokens and how to count them?"); a
    tokenizer would tie the corpus to one of the models.
    """
    return math.ceil(characters / CHARACTERS_PER_TOKEN)


def within_length(conversation: Conversation, config: CorpusConfig) -> Conversation | Failure:
    """The conversation, if it has at most `config.max_tokens` tokens; else as much of it as has, or a record of why it
    is left out.

    One that was cut says in its metadata how many turns it lost (`cut_turns`).
    """
    tokens = estimate_tokens(len(conversation.as_text()))
    if tokens <= config.max_tokens:
        return conversation
    if config.too_long == "cut" and (fitting := _fitting_turns(conversation, config.max_tokens)):
        return _cut(conversation, fitting)
    return _too_long(conversation, tokens, config)


def _fitting_turns(conversation: Conversation, max_tokens: int) -> int:
    """How many of the first turns fit, counted as `Conversation.as_text` shows them."""
    characters = 0
    for number, turn in enumerate(conversation.turns):
        characters += len(f"{turn.speaker}: {turn.text}") + min(number, 1)
        if estimate_tokens(characters) > max_tokens:
            return number
    return len(conversation.turns)


def _cut(conversation: Conversation, turns: int) -> Conversation:
    metadata = {**conversation.metadata, CUT_TURNS: len(conversation.turns) - turns}
    return conversation.model_copy(update={"turns": conversation.turns[:turns], "metadata": metadata})


def _too_long(conversation: Conversation, tokens: int, config: CorpusConfig) -> Failure:
    mend = "its first turn alone is too long" if config.too_long == "cut" else "raise it, or set corpus.too_long to cut"
    size = f"about {tokens} tokens in {len(conversation.turns)} turns"
    reason = f"{size}, more than corpus.max_tokens {config.max_tokens}: {mend}"
    return Failure(conversation_id=conversation.id, stage=_STAGE, reason=reason)
