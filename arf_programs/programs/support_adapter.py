"""The adapter of the support question: plain text, a one-word answer, and the probability of that word."""

from __future__ import annotations

from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from arf_programs.yes_no import read_word, yes_probability


class SupportAdapter(dspy.Adapter):  # type: ignore[name-defined, unused-ignore]
    """System message: the instructions; user message: conversation, sentence, request, in this order.

    The conversation comes first, so that the sentences of a summary share the longest prefix and a model reads it once;
    the request comes last, since small models otherwise go on with the conversation. Demos are earlier turns. An answer
    is `supported` and `probability`: that of "yes" against "no", None where the model gives no log-probabilities.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """The messages; a demo that lacks a field of the question is not shown."""
        messages = [{"role": "system", "content": signature.instructions}]
        for demo in demos:
            if all(name in demo for name in signature.fields):
                messages.append({"role": "user", "content": support_text(demo["conversation"], demo["sentence"])})
                messages.append({"role": "assistant", "content": str(demo["supported"])})
        return [*messages, {"role": "user", "content": support_text(inputs["conversation"], inputs["sentence"])}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The word of an answer, None for another word: its log-probabilities may still tell."""
        return {"supported": read_word(completion)}

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """As `acall`."""
        values = super().__call__(lm, lm_kwargs, signature, demos, inputs)
        return [_with_probability(signature, value) for value in values]

    async def acall(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """The answers. Raises AdapterParseError for one with neither the word nor its probability."""
        values = await super().acall(lm, lm_kwargs, signature, demos, inputs)
        return [_with_probability(signature, value) for value in values]


def support_text(conversation: str, sentence: str) -> str:
    """The user's message."""
    return (
        f"Conversation:\n{conversation}\n\nSentence of the summary:\n{sentence}\n\n"
        "Does the conversation support everything in this sentence? Answer with one word, yes or no."
    )


def _with_probability(signature: type[dspy.Signature], value: dict[str, Any]) -> dict[str, Any]:
    probability = yes_probability(value.get("logprobs"))
    word = value["supported"]
    if word is None and probability is not None:
        word = "yes" if probability > 0.5 else "no"
    if word is None:
        raise AdapterParseError(
            adapter_name="SupportAdapter", signature=signature, lm_response="", message="It is neither yes nor no."
        )
    return {"supported": word, "probability": probability}
