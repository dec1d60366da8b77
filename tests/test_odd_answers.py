"""Whatever a provider answers with status 200 becomes a record, or a failure that is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from odd_server import OddServer, completion, serving_oddly

from arf_programs.config.models import ModelConfig
from arf_programs.models.answers.store import Question
from arf_programs.models.calls.lm import build_lm
from arf_programs.programs import Analyze, HolisticAnalysis, Judge, SentencewiseAnalysis, Summarize
from arf_programs.runner.context import ask_rows
from arf_programs.runner.rows import Outcome, RowKey
from arf_programs.runs import read_ledger
from signatures.exceptions import BudgetError, StageError
from signatures.records import Conversation, Failure

PROVIDERS = ["hosted_vllm/m", "openai/gpt-4o-mini"]


@pytest.fixture
def server(no_waiting, monkeypatch) -> Iterator[OddServer]:
    monkeypatch.setenv("ODD_KEY", "none")
    with serving_oddly() as odd:
        yield odd


def teacher(server: OddServer, model: str = "hosted_vllm/m", **settings: Any) -> Any:
    given = {"retries": 1, "api_base": server.url, "api_key_env": "ODD_KEY", **settings}
    return build_lm(ModelConfig(model=model, **given), seed=17)


def summarize_each(run, server: OddServer, conversations: list[Conversation], **settings: Any) -> Outcome[str]:
    program = Summarize("Summarise it.", retries=1)
    program.set_lm(teacher(server, **settings))

    async def work(conversation: Conversation) -> str:
        return str((await program.acall(conversation=conversation)).summary)

    return ask_rows(run, "draft", conversations, work, key=lambda one: RowKey(one.id), concurrency=4)


def of(conversation: Conversation, *ids: str) -> list[Conversation]:
    """Conversations with these ids, which the last turn names too."""
    turns = conversation.turns
    return [
        conversation.model_copy(update={"id": name, "turns": (*turns, turns[0].model_copy(update={"text": name}))})
        for name in ids
    ]


def nested(depth: int) -> bytes:
    return b'{"choices": ' + b"[" * depth + b"]" * depth + b"}"


def message(**fields: Any) -> dict[str, Any]:
    return completion(message={"role": "assistant", "content": None, **fields})


ODD = {
    "no choices": {**completion(), "choices": []},
    "null choices": {**completion(), "choices": None},
    "choices as text": {**completion(), "choices": "none"},
    "choices of texts": {**completion(), "choices": ["yes"]},
    "choices of nulls": {**completion(), "choices": [None]},
    "no choices field": {"id": "1"},
    "null message": completion(message=None),
    "message as text": completion(message="yes"),
    "null content": completion(None),
    "number content": completion(5),
    "object content": completion({"text": 1}),
    "blank content": completion(" \n "),
    "invisible content": completion("\u200b\u2060\ufeff"),
    "half content beside an error": completion("The customer", error={"message": "overloaded", "code": 502}),
    "a refusal": message(refusal="I cannot do that"),
    "events": b'data: {"choices": [{"delta": {"content": "The customer called."}}]}\n\ndata: [DONE]\n\n',
    "half of the answer": json.dumps(completion()).encode()[:-40],
    "half of an answer about a limit": json.dumps(completion("The rate limit of his quota")).encode()[:-60],
    "two answers": json.dumps(completion()).encode() * 2,
    "a filter without a message": {"choices": [{"index": 0, "finish_reason": "content_filter"}]},
    "digits": b'{"choices": ' + b"9" * 6_000 + b"}",
    "half content": completion("The customer", finish_reason="error"),
    "aborted content": completion("The customer", finish_reason="abort"),
    "filtered content": completion("The customer", finish_reason="content_filter"),
    "out of resources": completion("The customer", finish_reason="insufficient_system_resource"),
    "finish reason as object": completion("The customer", finish_reason={"type": "abort"}),
    "a tool call": message(tool_calls=[{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]),
    "tool calls as text": message(tool_calls="f()"),
    "reasoning alone": message(reasoning_content="The customer wants"),
    "an error": {"error": {"message": "upstream is overloaded", "code": 502}},
    "an error about a key": {"error": {"message": "invalid api key", "code": 401}},
    "an error of a word": {"error": "boom"},
    "a page": b"<!DOCTYPE html><html><body>401 Unauthorized: invalid api key</body></html>",
    "nothing": b"",
    "bytes": b"\xff\xfe\x00{}",
    "not a number": b'{"choices": NaN}',
    "a list": [],
    "a number": 5,
    "null": None,
    "deep": nested(1_000),
    "deeper": nested(100_000),
    "ten megabytes": completion("The customer called. " * 500_000),
}


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("kind", ODD)
def test_an_answer_that_cannot_be_used_is_asked_again_and_then_fails_its_row(
    make_run, server, conversation, kind, model
):
    server.answer = lambda _, body: ODD[kind] if "odd" in body["messages"][-1]["content"] else completion()
    outcome = summarize_each(make_run(), server, of(conversation, "odd", "good"), model=model)
    assert outcome.results == {"good": "The customer called."}
    (failure,) = outcome.failures
    assert failure.conversation_id == "odd" and failure.attempts > 1
    assert len(failure.reason) > 20 and "Traceback" not in failure.reason


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("answer", ["Rate limit reached", b"<html>The rate limit is reached.</html>"], ids=str)
def test_the_words_of_a_limit_in_an_answer_are_no_refusal(make_run, server, conversation, answer, model):
    server.answer = lambda _, body: answer if "odd" in body["messages"][-1]["content"] else completion()
    outcome = summarize_each(make_run(), server, of(conversation, "odd", "good"), model=model)
    (failure,) = outcome.failures
    assert failure.attempts > 1
    assert "no chat completion" in failure.reason


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize(
    "answer",
    [
        completion(message={"role": "assistant", "content": "The customer called.", "refusal": None, "x": [1]}),
        {**completion(), "choices": [*completion()["choices"], *completion("Another one.")["choices"]]},
        {**completion(), "id": None, "created": None, "system_fingerprint": 7},
        completion(logprobs={"content": [{"token": "The", "logprob": 1e308, "bytes": None, "top_logprobs": []}]}),
        completion(logprobs="none"),
        completion(finish_reason="a word of its own"),
        completion([{"type": "text", "text": "The customer "}, {"type": "text", "text": "called."}]),
        completion(message={"content": "The customer called.", "reasoning_content": [1], "annotations": "none"}),
    ],
)
def test_what_is_odd_beside_the_text_does_no_harm(make_run, server, conversation, model, answer):
    server.answer = lambda number, body: answer
    outcome = summarize_each(make_run(), server, of(conversation, "one"), model=model)
    assert outcome.results == {"one": "The customer called."}


ODD_USAGE = {
    "text": "many",
    "texts": {"prompt_tokens": "many", "completion_tokens": "few", "total_tokens": "?"},
    "a list": [100, 20],
    "a number": 5,
    "texts of numbers": {"prompt_tokens": "100", "completion_tokens": "20", "total_tokens": "120"},
    "fractions": {"prompt_tokens": 100.5, "completion_tokens": 20.5, "total_tokens": 121},
    "details as text": {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": "x"},
    "details of text": {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": "x"}},
    "a price of text": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "cost": "free"},
    "a truth": True,
    "nested": {"prompt_tokens": {"text": 100}, "completion_tokens": [20]},
}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("model", [*PROVIDERS, "mistral/m", "deepseek/m", "groq/m", "openrouter/m/m"])
@pytest.mark.parametrize("usage", ODD_USAGE)
def test_an_answer_with_an_odd_usage_is_used_and_its_tokens_are_counted(make_run, server, conversation, model, usage):
    server.answer = lambda number, body: {**completion(), "usage": ODD_USAGE[usage]}
    run = make_run()
    assert summarize_each(run, server, of(conversation, "one"), model=model).results == {"one": "The customer called."}
    (call,) = read_ledger(run.folder.ledger)
    assert len(server.calls) == 1 and not call.failed
    assert call.prompt_tokens > 10 and call.completion_tokens > 5


CLAUDE = {"type": "message", "role": "assistant", "stop_reason": "end_turn"}
NATIVE = {
    "anthropic/claude-3-haiku-20240307": lambda text, usage: {
        **CLAUDE,
        "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"}, {"type": "text", "text": text}],
        "usage": usage,
    },
    "gemini/gemini-2.0-flash": lambda text, usage: {
        "candidates": [
            {"content": {"parts": [{"text": "Hm.", "thought": True}, {"text": text}]}, "finishReason": "STOP"}
        ],
        "usageMetadata": usage,
    },
    "ollama_chat/m": lambda text, usage: {
        "message": {"role": "assistant", "content": text},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": usage,
        "eval_count": usage,
    },
}


@pytest.mark.parametrize("model", NATIVE)
@pytest.mark.parametrize("usage", [None, "many", {"input_tokens": "many", "promptTokenCount": "many"}], ids=str)
def test_an_odd_usage_in_a_providers_own_form_does_no_harm(make_run, server, conversation, monkeypatch, model, usage):
    monkeypatch.setenv("GEMINI_API_KEY", "none")
    server.answer = lambda number, body: NATIVE[model]("The customer called.", usage)
    run = make_run()
    address = server.url if model.startswith("gemini") else server.url.removesuffix("/v1")
    outcome = summarize_each(run, server, of(conversation, "one"), model=model, api_base=address)
    assert outcome.results == {"one": "The customer called."}
    (call,) = read_ledger(run.folder.ledger)
    assert call.prompt_tokens > 10 and call.completion_tokens > 5


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503, 529])
def test_a_refusal_that_passes_is_tried_again(make_run, server, conversation, model, status):
    def answer(number: int, body: Any) -> Any:
        server.status = status if number == 1 else 200
        return {"error": {"message": "later"}} if number == 1 else completion()

    server.answer = answer
    assert summarize_each(make_run(), server, of(conversation, "one"), model=model).results
    assert len(server.calls) == 2


@pytest.mark.parametrize("model", [*PROVIDERS, "mistral/m", "anthropic/claude-3-haiku-20240307"])
def test_a_page_instead_of_an_answer_is_tried_again_by_every_provider(server, make_run, conversation, model):
    server.answer = lambda number, body: b"<html>401 Unauthorized</html>"
    with pytest.raises(StageError, match="the answer is no chat completion"):
        summarize_each(make_run(), server, of(conversation, "one"), model=model, retries=3)
    assert len(server.calls) == 4


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_beside_an_answer_is_no_part_of_it(make_run, server, conversation, model, field):
    server.answer = lambda number, body: message(content="The customer called.", **{field: "Who called? The agent?"})
    outcome = summarize_each(make_run(), server, of(conversation, "one"), model=model)
    assert outcome.results == {"one": "The customer called."}


@pytest.mark.parametrize("model", PROVIDERS)
def test_an_answer_that_drips_ends_by_the_timeout_and_is_asked_again(make_run, server, conversation, model):
    def answer(number: int, body: Any) -> Any:
        server.drip = 0.05 if number == 1 else 0  # the answer has hundreds of bytes
        return completion()

    server.answer = answer
    began = monotonic()
    outcome = summarize_each(make_run(), server, of(conversation, "one"), model=model, timeout=0.5)
    assert outcome.results == {"one": "The customer called."}
    assert len(server.calls) == 2 and monotonic() - began < 5


def test_a_row_whose_answers_only_drip_fails_with_the_timeout_as_its_reason(make_run, server, conversation):
    server.drip = 0.05
    began = monotonic()
    with pytest.raises(StageError, match=r"no whole answer within the time-out of 0\.5 seconds"):
        summarize_each(make_run(), server, of(conversation, "one"), timeout=0.5)
    assert len(server.calls) == 2 and monotonic() - began < 8


NO_USAGE = {
    "null": None,
    "empty": {},
    "zero": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "negative": {"prompt_tokens": -100, "completion_tokens": -20, "total_tokens": -120},
    "nulls": {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None},
    "text": "many",
    "texts": {"prompt_tokens": "many", "completion_tokens": "few", "total_tokens": "?"},
    "a list": [100, 20],
    "prompt alone": {"prompt_tokens": 1, "total_tokens": 1},
}


@pytest.mark.parametrize("model", PROVIDERS)
@pytest.mark.parametrize("usage", NO_USAGE)
def test_a_cap_of_tokens_holds_whatever_usage_a_server_reports(make_run, server, conversation, usage, model):
    server.answer = lambda number, body: {**completion("The customer called. " * 10), "usage": NO_USAGE[usage]}
    run = make_run("budget.tokens=3000")
    with pytest.raises(BudgetError, match="cap of 3000"):
        summarize_each(run, server, of(conversation, *map(str, range(60))), model=model, max_tokens=100)
    booked = read_ledger(run.folder.ledger)
    received = len("The customer called. " * 10) / 3
    assert 5 < len(booked) == len(server.calls) < 60
    assert len(booked) * received < sum(call.tokens for call in booked) <= 3000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(["errors", "notes", "edits", "quote", "evidence", "category", "summary", "whole", "reasons"])
TYPED = st.dictionaries(FIELDS, st.recursive(JSON, lambda inner: st.dictionaries(FIELDS, inner), max_leaves=5))
MARKS = st.sampled_from(
    ["<think>", "</think>", "<|channel|>final<|message|>", "```json\n", "\n```", "{", "}", '{"errors": []}']
)
TEXT = st.text(max_size=40) | st.lists(MARKS | st.text(max_size=8), max_size=8).map("".join) | TYPED.map(json.dumps)


@st.composite
def bodies(draw: st.DrawFn) -> Any:
    """A chat completion in which one field or more is anything, or anything at all."""
    body = completion(draw(TEXT))
    choice = body["choices"][0]
    if draw(st.booleans()):
        choice["message"][draw(st.sampled_from(["content", "role", "tool_calls", "reasoning_content", "x"]))] = draw(
            JSON
        )
    if draw(st.booleans()):
        choice[draw(st.sampled_from(["finish_reason", "logprobs", "message", "index", "provider_specific_fields"]))] = (
            draw(JSON)
        )
    if draw(st.booleans()):
        body[draw(st.sampled_from(["choices", "usage", "id", "model", "created", "error", "object"]))] = draw(JSON)
    return draw(st.sampled_from([body, body, body, draw(JSON), draw(st.binary(max_size=60))]))


PROGRAMS = {
    "summarize": lambda: Summarize("Summarise it.", retries=1),
    "holistic": lambda: Analyze(HolisticAnalysis(retries=1)),
    "sentencewise": lambda: Analyze(SentencewiseAnalysis(retries=1)),
    "judge": lambda: Judge(retries=1),
}


@pytest.mark.parametrize("name", PROGRAMS)
@settings(max_examples=30)
@given(answers=st.lists(bodies(), min_size=1, max_size=3))
@example(answers=[completion("half a pair of surrogates: \ud800")])
def test_any_answer_gives_a_record_or_a_counted_failure(
    tmp_path_factory, make_run, server, conversation, name, answers
):
    """The server sends these answers in turn, through LiteLLM's client, the store, DSPy and the program."""
    server.calls.clear()
    server.answer = lambda number, body: answers[number % len(answers)]
    program = PROGRAMS[name]()
    program.set_lm(teacher(server, logprobs=True))
    inputs = {} if name == "summarize" else {"summary": "The kettle leaked. The agent sent a replacement."}

    async def work(one: Conversation) -> Any:
        if one.id == "whole":
            return "a row of another kind"
        return (await program.acall(conversation=one, **inputs)).toDict()

    run = make_run(f"run_dir={tmp_path_factory.mktemp('run')}")
    outcome = ask_rows(
        run, "draft", of(conversation, "odd", "whole"), work, key=lambda one: RowKey(one.id), concurrency=4
    )
    assert set(outcome.results) | {one.conversation_id for one in outcome.failures} == {"odd", "whole"}
    for failure in outcome.failures:
        assert Failure.model_validate_json(failure.model_dump_json()).reason
    booked = read_ledger(run.folder.ledger)
    assert sum(not call.cached for call in booked) == len(server.calls)
    assert all(call.prompt_tokens >= 0 and call.completion_tokens >= 0 and call.usd >= 0 for call in booked)


@pytest.mark.parametrize(
    ("usage", "usd", "tokens", "least"),
    [
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 5120}, 1e-5, 5120, 5000 * 6e-7),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, 0.0, 120, 20 * 6e-7),
        ({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 4}, 0.5, 120, 0.5),
    ],
)
def test_tokens_and_costs_that_a_provider_leaves_out_are_booked(usage, usd, tokens, least):
    question = Question("key", {"model": "openai/gpt-4o-mini", "messages": [{"content": "Say it."}]}, "draft", "")
    call = question.answered({**completion(), "usage": usage}, usd)
    assert call.tokens == tokens
    assert call.usd >= least
