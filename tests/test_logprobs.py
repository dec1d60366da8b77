import pytest

from arf_programs.config.models import ModelConfig
from arf_programs.models.calls.lm import gives_logprobs


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({"model": "embedded/smollm2-135m"}, True),
        ({"model": "embedded/smollm2-135m", "logprobs": False}, False),
        ({"model": "scripted/any"}, True),  # asked for; what comes is the script's business
        ({"model": "openai/gpt-4o-mini"}, True),
        ({"model": "hosted_vllm/some-model", "api_base": "http://localhost:1/v1"}, True),
        ({"model": "anthropic/claude-sonnet-4-6"}, False),
        ({"model": "anthropic/claude-sonnet-4-6", "logprobs": True}, True),
        ({"model": "openai/o3-mini"}, False),
        ({"model": "no-such-provider/x"}, False),
    ],
    ids=lambda value: str(value),
)
def test_log_probabilities_are_asked_of_those_that_give_them(settings, given):
    assert gives_logprobs(ModelConfig(**settings)) is given
