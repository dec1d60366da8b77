"""The names of DSPy that are not part of its public interface, each with the reason why it is used.

`tests/test_dspy_internals.py` fails when DSPy changes one of them.
"""

from __future__ import annotations

from dspy.clients.engines.litellm_errors import to_lm15_error
from dspy.clients.lm15_boundary import request_kwargs

__all__ = ["TRUNCATION_LOGGER", "TRUNCATION_MESSAGE", "request_kwargs", "to_lm15_error"]

# request_kwargs: DSPy's own LiteLLM engine turns a Request into the arguments of `litellm.completion` with it. An
# engine of ours over LiteLLM would have to write it again, and the keys of stored answers depend on its result.

# to_lm15_error: the same for LiteLLM's exceptions. Pacing tells refusals, time-outs and wrong requests apart by them.

# JSONAdapter._prepare_response_format, which `TypedAnswers` overrides: DSPy makes a pydantic class for each question,
# which is a fifth of what a question costs here.

TRUNCATION_LOGGER = "dspy.clients.lm"
TRUNCATION_MESSAGE = "LM response was truncated"
"""DSPy logs each answer that ends at max_tokens. `ask` handles such answers and counts them, so the log is left out."""
