"""The adapter for summaries: one text in, one text out, no field markers, no JSON.

Summarise: how the teacher drafts, and how base model and students answer on the holdout.
"""

from __future__ import annotations

from typing import Any

import dspy
from dspy.utils.exceptions import AdapterParseError

from arf_programs.programs.asking import ask
from arf_programs.text import user_text
from signatures.records import Conversation
from signatures.summarize import Summarize as SummarizeSignature


class PlainAdapter(dspy.Adapter):  # type: ignore[name-defined, unused-ignore]
    """System message: the signature's instructions; user message: `user_text`; answer: the output, stripped.

    Teacher, base model and students are all asked in this form, so a student's training prompt
    (`arf_programs.text.student_prompt`) is the very prompt that it is served with.
    """

    def format(
        self, signature: type[dspy.Signature], demos: list[dict[str, Any]], inputs: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Messages with the demos as earlier turns."""
        source, target = _only_fields(signature)
        messages = [{"role": "system", "content": signature.instructions}]
        for demo in demos:
            messages.append({"role": "user", "content": user_text(demo[source])})
            messages.append({"role": "assistant", "content": str(demo[target])})
        return [*messages, {"role": "user", "content": user_text(inputs[source])}]

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The whole completion is the output; a blank one is malformed."""
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


class Summarize(dspy.Module):
    """One conversation to one summary, under the run's own instruction."""

    def __init__(self, instruction: str, *, retries: int) -> None:
        super().__init__()
        self.summarize = dspy.Predict(SummarizeSignature.with_instructions(instruction))
        self.retries = retries

    async def aforward(self, conversation: Conversation) -> dspy.Prediction:
        """Prediction(summary: str, cut_off: bool); one cut off at max_tokens is a summary with an error, not a failure.
        Raises ModelError when the model only gives blank answers, or its provider withholds them.
        """
        with dspy.context(adapter=PlainAdapter()):
            return await ask(self.summarize, retries=self.retries, may_be_cut=True, conversation=conversation.as_text())
