import json
import subprocess
import sys
from concurrent.futures import CancelledError
from typing import Literal

import pytest
import torch
from pydantic import BaseModel, ConfigDict, Field
from tiny_model import save_tiny_model
from transformers import Gemma2Config, Gemma2ForCausalLM

from arf_programs.models.embedded.base import open_weights
from arf_programs.models.embedded.engine import Engine, get_engine
from arf_programs.models.embedded.memory import PrefixCache
from arf_programs.models.embedded.row import Request
from arf_programs.models.local.weights import load_model

TEXTS = ["a", "the cat sat in the hat", "in the beginning " * 8, "x" * 90, "the cat sat on a mat", "in", "b", "the"]


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")
    quote: str
    severity: Literal["minor", "major", "critical"]
    turns: list[int] = Field(max_length=3)


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reasoning: str
    notes: list[Note]
    rating: int = Field(ge=1, le=5)
    share: float = Field(ge=0, le=1)
    comment: str | None


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(folder):
    engine = Engine(open_weights(str(folder)), PrefixCache(2**22))
    yield engine
    engine.close()


def prompt(engine: Engine, text: str) -> tuple[int, ...]:
    return engine.tokenize([{"role": "user", "content": text}])


def generate(engine: Engine, texts: list[str], **settings):
    settings = {"max_tokens": 90} | settings
    futures = [engine.submit(Request(prompt=prompt(engine, text), **settings)) for text in texts]
    return [future.result(timeout=60) for future in futures]


@pytest.mark.parametrize("size", [1, 2])
def test_no_run_of_tokens_comes_twice_where_that_is_forbidden(engine, size):
    def repeated(**settings):
        (made,) = generate(engine, ["in the beginning "], top_logprobs=0, **settings)
        tokens = [item.token for item in made.logprobs]
        runs = [tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1)]
        return len(runs) - len(set(runs))

    assert repeated() > 0
    assert repeated(no_repeat_ngram_size=size) == 0


def test_a_batch_writes_what_transformers_writes(engine, folder):
    model, tokenizer = load_model(str(folder))
    for text, completion in zip(TEXTS, generate(engine, TEXTS), strict=True):
        ids = torch.tensor([prompt(engine, text)])
        expected = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=90, do_sample=False)[0]
        assert completion.text == tokenizer.decode(expected[ids.shape[1] :], skip_special_tokens=True)
        assert completion.completion_tokens == len(expected) - ids.shape[1]
        assert completion.prompt_tokens == ids.shape[1]


def test_a_model_with_attention_of_its_own_writes_what_transformers_writes(tmp_path):
    """Gemma 2 bends the scores of its attention, which PyTorch's function cannot do, and some layers see a window."""
    folder = save_tiny_model(tmp_path)
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=261,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        attn_logit_softcapping=0.5,
        sliding_window=8,
        initializer_range=0.5,
        max_position_embeddings=1024,
        bos_token_id=0,
        eos_token_id=1,
    )
    Gemma2ForCausalLM(config).save_pretrained(folder)
    model, tokenizer = load_model(str(folder))
    gemma = Engine(open_weights(str(folder)))
    for text, completion in zip(TEXTS, generate(gemma, TEXTS, max_tokens=40), strict=True):
        ids = torch.tensor([prompt(gemma, text)])
        expected = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False)[0]
        assert completion.text == tokenizer.decode(expected[ids.shape[1] :], skip_special_tokens=True)
    gemma.close()


def test_a_prompt_read_before_is_not_read_again(engine):
    (first,) = generate(engine, ["a prompt of its own"])
    (second,) = generate(engine, ["a prompt of its own"])
    assert second.cached_tokens == second.prompt_tokens - 1
    assert second.text == first.text


def test_a_sample_does_not_depend_on_its_batch(engine):
    sampling = {"temperature": 1.0, "top_p": 0.95, "seed": 11}
    together = generate(engine, TEXTS, **sampling)
    assert [c.text for c in together] == [generate(engine, [text], **sampling)[0].text for text in TEXTS]
    assert generate(engine, TEXTS[:1], **(sampling | {"seed": 12}))[0].text != together[0].text


@pytest.mark.parametrize("max_tokens", [75, 80, 100, 140, 400])
def test_json_always_fits_its_schema(engine, max_tokens):
    schema = Answer.model_json_schema()
    futures = [
        engine.submit(Request(prompt(engine, "notes"), max_tokens, temperature=1.5, seed=seed, schema=schema))
        for seed in range(12)
    ]
    for future in futures:
        completion = future.result(timeout=60)
        Answer.model_validate_json(completion.text)
        assert completion.finish_reason == "stop"
        assert completion.completion_tokens <= max_tokens


def test_any_json_object(engine):
    for completion in generate(engine, TEXTS, schema={}, temperature=1.5, max_tokens=60):
        assert isinstance(json.loads(completion.text), dict)


def test_tokens_that_cannot_hold_the_json_are_refused(engine):
    with pytest.raises(ValueError, match="max_tokens=5 is too few: the shortest JSON of this schema takes"):
        generate(engine, ["a"], max_tokens=5, schema=Answer.model_json_schema())


def test_a_bad_request_harms_no_other(engine):
    bad = engine.submit(Request(prompt(engine, "a"), 5, schema={"type": "array", "uniqueItems": True}))
    good = generate(engine, TEXTS[:2])
    with pytest.raises(ValueError, match="cannot be enforced"):
        bad.result(timeout=60)
    assert all(completion.text for completion in good)


def test_a_cancelled_request_harms_no_other(engine):
    cancelled = engine.submit(Request(prompt(engine, "cancel me"), 600, temperature=1.0))
    other = engine.submit(Request(prompt(engine, "a"), 30))
    assert cancelled.cancel()
    assert other.result(timeout=60).text
    assert generate(engine, ["a"], max_tokens=30)[0].text == other.result().text


def test_stop_strings_cut_the_text(engine):
    (whole,) = generate(engine, ["stop here"], max_tokens=40)
    stop = whole.text[10:13]
    (cut,) = generate(engine, ["stop here"], max_tokens=40, stop=(stop,))
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish_reason == "stop"
    assert cut.completion_tokens < whole.completion_tokens


def test_running_out_of_tokens_is_reported(engine):
    (completion,) = generate(engine, ["the cat sat in the hat"], max_tokens=3)
    assert (completion.finish_reason, completion.completion_tokens) == ("length", 3)


def test_log_probabilities_of_every_token(engine):
    (completion,) = generate(engine, ["the cat"], max_tokens=6, top_logprobs=2)
    assert len(completion.logprobs) == completion.completion_tokens
    for item in completion.logprobs:
        assert item.token == item.top[0][0]
        assert item.logprob == item.top[0][1] < 0
        assert len(item.top) == 2


def test_forced_tokens_have_log_probability_zero(engine):
    schema = {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}}, "required": ["answer"]}
    (completion,) = generate(engine, ["a"], schema=schema, top_logprobs=3, max_tokens=30)
    assert len(completion.logprobs) == completion.completion_tokens
    assert completion.logprobs[0].logprob == 0.0
    chosen = [item for item in completion.logprobs if len(item.top) == 2]
    assert len(chosen) == 1
    assert sum(2.718281828**value for _, value in chosen[0].top) == pytest.approx(1.0)


def test_closing_cancels_what_waits(folder):
    engine = Engine(open_weights(str(folder)), PrefixCache(2**17))
    waiting = [engine.submit(Request(prompt(engine, "a"), 900, temperature=1.0, seed=seed)) for seed in range(40)]
    engine.close()
    with pytest.raises(CancelledError):
        waiting[-1].result(timeout=60)


def test_one_engine_a_model_until_its_weights_change(tmp_path):
    name = str(save_tiny_model(tmp_path / "student"))
    first = get_engine(name)
    assert get_engine(name) is first
    save_tiny_model(tmp_path / "student", context=512)
    second = get_engine(name)
    assert second is not first
    assert second.model.context == 512
    second.close()


def test_a_process_ends_while_its_engine_works(folder):
    program = f"""
from arf_programs.models.embedded.engine import get_engine
from arf_programs.models.embedded.row import Request
engine = get_engine({str(folder)!r})
futures = [engine.submit(Request((2, 3, 4), 900, temperature=1.0, seed=seed)) for seed in range(40)]
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, text=True)
    assert ended.returncode == 0, ended.stderr
