import asyncio
import json

import pytest

from arf_programs.models import scripted
from arf_programs.models.providers.litellm import declare_model, import_litellm, register_providers
from arf_programs.models.providers.scripted import ScriptedAnswer
from signatures.exceptions import DataError

litellm = import_litellm()


@pytest.fixture(autouse=True)
def clean():
    register_providers()
    scripted.clear()
    yield
    scripted.clear()


def ask(model: str, text: str = "Hello", **params):
    return litellm.completion(f"scripted/{model}", messages=[{"role": "user", "content": text}], **params)


def answer(model: str, text: str = "Hello") -> str:
    return ask(model, text).choices[0].message.content


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_a_list_is_used_up_in_order_and_then_raises():
    scripted.register("list", ["one", {"b": "é"}])
    assert [answer("list"), answer("list")] == ["one", '{"b": "é"}']
    with pytest.raises(
        litellm.BadRequestError, match=r"scripted/list has no answer left for call 3, which asks: \.\.\.Hello"
    ):
        ask("list")


def test_calls_are_recorded_with_their_parameters():
    scripted.register("calls", ["one"])
    ask("calls", "What?", temperature=0.5)
    (call,) = scripted.calls("calls")
    assert call.prompt == "What?"
    assert call.params["temperature"] == 0.5


def test_a_function_sees_messages_and_parameters():
    scripted.register("function", lambda messages, params: f"{messages[-1]['content']} {params['max_tokens']}")
    assert ask("function", "Hi", max_tokens=3).choices[0].message.content == "Hi 3"
    assert len(scripted.calls("function")) == 1


def test_a_function_without_an_answer_raises():
    scripted.register("function", lambda messages, params: None)
    with pytest.raises(litellm.BadRequestError, match="no answer left"):
        ask("function")


def test_async_calls():
    scripted.register("async", ["one"])
    response = asyncio.run(
        litellm.acompletion("scripted/async", messages=[{"role": "user", "content": "a b"}], num_retries=0)
    )
    assert response.choices[0].message.content == "one"
    assert (response.usage.prompt_tokens, response.usage.completion_tokens) == (2, 1)


def test_a_file_with_matches(tmp_path):
    name = write_lines(
        tmp_path / "answers.jsonl",
        [
            {"answer": "first"},
            {"match": "refund", "answer": "about a refund"},
            {"match": r"order \d+", "answer": "about an order", "times": 1},
            {"answer": "second"},
        ],
    )
    asked = ["a refund", "x", "a refund", "order 17", "order 17"]
    assert [answer(name, text) for text in asked] == [
        "about a refund",
        "first",
        "about a refund",
        "about an order",
        "second",
    ]


def test_a_match_that_is_no_regular_expression_is_a_substring(tmp_path):
    name = write_lines(tmp_path / "answers.jsonl", [{"match": "(((", "answer": "found"}, {"answer": "other"}])
    assert [answer(name, "a ((( b"), answer(name, "b")] == ["found", "other"]


def test_a_yaml_file(tmp_path):
    path = tmp_path / "answers.yaml"
    path.write_text("- answer: {rating: 3}\n- answer: text\n  times: 2\n", "utf-8")
    assert [answer(str(path)) for _ in range(3)] == ['{"rating": 3}', "text", "text"]


@pytest.mark.parametrize(
    ("error", "exception"),
    [
        ("rate_limit", litellm.RateLimitError),
        ("timeout", litellm.Timeout),
        ("server", litellm.InternalServerError),
    ],
)
def test_scripted_errors(error, exception):
    scripted.register("errors", [ScriptedAnswer(error=error), "then it works"])
    with pytest.raises(exception, match="errors"):
        ask("errors", num_retries=0)
    assert answer("errors") == "then it works"


def test_empty_and_cut_off_answers():
    scripted.register("odd", [ScriptedAnswer(error="empty"), ScriptedAnswer(error="length", answer='{"a": "b')])
    assert answer("odd") == ""
    choice = ask("odd").choices[0]
    assert (choice.finish_reason, choice.message.content) == ("length", '{"a": "b')


def test_an_unknown_script():
    with pytest.raises(litellm.BadRequestError, match="neither a file nor registered"):
        ask("nowhere.jsonl")


def test_a_bad_line_names_its_place(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text('{"answer": "a"}\n{"anwser": "b"}\n', "utf-8")
    with pytest.raises(DataError, match=r"answers.jsonl, line 2"):
        scripted.read_answers(path)


def test_prices_and_schema_support_are_declared():
    scripted.register("priced", ["one two"])
    declare_model("scripted/priced", json_schema=True, input_price=0.5, output_price=2.0)
    assert litellm.supports_response_schema("scripted/priced")
    assert litellm.completion_cost(ask("priced", "a b c")) == pytest.approx(3 * 0.5 + 2 * 2.0)
    declare_model("scripted/priced", json_schema=False)
    assert not litellm.supports_response_schema("scripted/priced")


def test_registering_again_keeps_other_providers():
    other = {"provider": "other", "custom_handler": None}
    litellm.custom_provider_map.append(other)
    try:
        register_providers()
        providers = [entry["provider"] for entry in litellm.custom_provider_map]
        assert sorted(providers) == sorted({*providers, "embedded", "scripted", "other"})
    finally:
        litellm.custom_provider_map.remove(other)


def test_an_answer_brings_its_log_probabilities_where_they_are_asked_for():
    import litellm

    from arf_programs.models.providers.litellm import register_providers

    register_providers()
    row = {
        "answer": "yes",
        "logprobs": [{"token": "yes", "logprob": -0.1, "top_logprobs": [{"token": "no", "logprob": -2.4}]}],
    }
    scripted.register("sure", [scripted.ScriptedAnswer(**row, times=2)])
    messages = [{"role": "user", "content": "Is it?"}]
    asked = litellm.completion("scripted/sure", messages, logprobs=True, top_logprobs=1)
    (token,) = asked.choices[0].logprobs.content
    assert (token.token, token.top_logprobs[0].token, token.top_logprobs[0].logprob) == ("yes", "no", -2.4)
    plain = litellm.completion("scripted/sure", messages)
    assert getattr(plain.choices[0], "logprobs", None) is None
