"""Summarize: one conversation to one summary. The teacher, the base model and the students all use it."""

from __future__ import annotations

from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from arf_programs.config import DEFAULT_INSTRUCTION
from arf_programs.programs.asking import RETRIES, Program, ask
from arf_programs.text import build_user_text
from signatures.records import Conversation
from signatures.summarize import Summarize as SummarizeSignature


class PlainAdapter(dspy.Adapter):  # type: ignore[name-defined, unused-ignore]
    """An adapter without field markers and JSON: one text in, one text out.

    The system message has the signature's instructions, the user message is `build_user_text`, and the answer without
    outer space is the output. So a student is trained on the same prompt that it is served with.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the messages, with the demonstrations as earlier turns."""
        source, target = _only_fields(signature)
        messages = [{"role": "system", "content": signature.instructions}]
        for demo in demos:
            messages.append({"role": "user", "content": build_user_text(demo[source])})
            messages.append({"role": "assistant", "content": str(demo[target])})
        return [*messages, {"role": "user", "content": build_user_text(inputs[source])}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """Take the whole completion as the output. Raises AdapterParseError for a blank one."""
        _, target = _only_fields(signature)
        text = completion.strip()
        if not text:
            raise AdapterParseError(
                adapter_name="PlainAdapter", signature=signature, lm_response=completion, message="The answer is blank."
            )
        return {target: text}


def _only_fields(signature: type[dspy.Signature]) -> tuple[str, str]:
    (source,) = signature.input_fields
    (target,) = signature.output_fields
    return source, target


class Summarize(Program):
    """Summarise a conversation, by the given instruction."""

    def __init__(self, instruction: str = DEFAULT_INSTRUCTION, *, retries: int = RETRIES) -> None:
        super().__init__()
        self.summarize = dspy.Predict(SummarizeSignature.with_instructions(instruction))
        self.retries = retries

    async def aforward(self, conversation: Conversation) -> dspy.Prediction:
        """Return Prediction(summary: str, cut_off: bool).

        A summary that ends at max_tokens is `cut_off`; it is an answer, not a failure. Raises ModelError when all
        answers are blank or withheld by the provider.
        """
        with dspy.context(adapter=PlainAdapter()):
            return await ask(self.summarize, retries=self.retries, may_be_cut=True, conversation=conversation.as_text())
