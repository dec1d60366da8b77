import pytest
from pydantic import BaseModel

from arf_programs.models.embedded.provider import plain_message, request_fields


class Answer(BaseModel):
    text: str


def test_defaults():
    assert request_fields({}) == {
        "max_tokens": 512,
        "temperature": 0.0,
        "top_p": 1.0,
        "seed": 0,
        "stop": (),
        "schema": None,
        "top_logprobs": None,
        "no_repeat_ngram_size": 0,
    }


def test_what_is_honoured():
    fields = request_fields(
        {
            "max_completion_tokens": 7,
            "max_tokens": 9,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 3,
            "stop": "END",
            "logprobs": True,
            "top_logprobs": 2,
            "no_repeat_ngram_size": 4,
            "n": 1,
            "stream": False,
            "user": "someone",
        }
    )
    assert fields == {
        "max_tokens": 7,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 3,
        "stop": ("END",),
        "schema": None,
        "top_logprobs": 2,
        "no_repeat_ngram_size": 4,
    }


def test_log_probabilities_without_alternatives():
    assert request_fields({"logprobs": True})["top_logprobs"] == 0


@pytest.mark.parametrize(
    ("response_format", "schema"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, {}),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "string"}}}, {"type": "string"}),
        (Answer, Answer.model_json_schema()),
    ],
)
def test_response_formats(response_format, schema):
    assert request_fields({"response_format": response_format})["schema"] == schema


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"frequency_penalty": 1.0, "logit_bias": {}}, "no parameter frequency_penalty, logit_bias"),
        ({"n": 2}, "n must be 1"),
        ({"stream": True}, "does not stream"),
        ({"top_logprobs": 21}, "from 0 to 20"),
        ({"response_format": {"type": "xml"}}, "unknown"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": -1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
    ],
)
def test_what_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        request_fields(params)


def test_text_parts_are_joined():
    message = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    assert plain_message(message) == {"role": "user", "content": "ab"}


def test_images_are_refused():
    with pytest.raises(ValueError, match="image_url"):
        plain_message({"role": "user", "content": [{"type": "image_url", "image_url": "x"}]})
