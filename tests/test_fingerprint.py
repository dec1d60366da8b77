import hashlib
import os

import pytest

from arf_programs.config.models import ModelConfig
from arf_programs.runs.fingerprint import digest, digest_file, digest_model, digest_prompts
from signatures.find_errors import FindErrors
from signatures.summarize import Summarize


def test_a_digest_depends_on_the_value_alone():
    assert digest({"a": 1, "b": [1.5, None]}) == digest({"b": [1.5, None], "a": 1})
    assert len({digest(value) for value in (1, "1", [1], {"1": 1}, None, "", 1.5, True)}) == 8
    assert digest("é") == digest("é")
    assert len(digest("x")) == 16


def test_a_file_counts_by_its_bytes(tmp_path):
    path = tmp_path / "a"
    assert digest_file(path) == "missing"
    path.write_bytes(b"one")
    first = digest_file(path)
    path.write_bytes(b"two")
    assert digest_file(path) != first
    path.write_bytes(b"one")
    assert digest_file(path) == first


def test_a_large_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 2_000_000)
    first = digest_file(path)
    with monkeypatch.context() as reading:
        reading.delattr(hashlib, "file_digest")
        assert digest_file(path) == first
    path.write_bytes(b"b" * 2_000_000)
    os.utime(path, (1, 1))  # a clock may be too coarse to tell the two writings apart
    assert digest_file(path) != first


def test_a_folder_counts_by_names_and_bytes(tmp_path):
    (tmp_path / "f" / "sub").mkdir(parents=True)
    (tmp_path / "f" / "a").write_text("one")
    (tmp_path / "f" / "sub" / "b").write_text("two")
    first = digest_file(tmp_path / "f")
    (tmp_path / "f" / "sub" / "b").write_text("three")
    changed = digest_file(tmp_path / "f")
    (tmp_path / "f" / "sub" / "b").write_text("two")
    (tmp_path / "f" / "sub" / "b").rename(tmp_path / "f" / "sub" / "c")
    assert len({first, changed, digest_file(tmp_path / "f")}) == 3


def model(**values) -> str:
    return digest_model(ModelConfig(**{"model": "a/b", **values}))


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "a/c"},
        {"temperature": 1},
        {"max_tokens": 5},
        {"api_base": "http://x"},
        {"json_schema": True},
        {"logprobs": True},
        {"reasoning_effort": "low"},
        {"parameters": {"seed": 1}},
    ],
    ids=str,
)
def test_what_changes_answers_counts(changed):
    assert model(**changed) != model()


@pytest.mark.parametrize(
    "changed",
    [
        {"api_key_env": "OTHER"},
        {"input_price": 1, "output_price": 2},
        {"cache_marks": True},
        {"concurrency": 1},
        {"requests_per_minute": 1},
        {"tokens_per_minute": 1},
        {"timeout": 1},
        {"retries": 1},
        {"parse_retries": 1},
        {"license": "mit"},
        {"mode": "batch"},
        {"batch": {"poll": 5}},
    ],
    ids=str,
)
def test_money_speed_and_keys_do_not_count(changed):
    assert model(**changed) == model()


def test_the_precision_of_an_embedded_model_counts_and_its_device_does_not():
    """A model without these keys has the hash that it had before they were there."""
    plain = digest_model(ModelConfig(model="embedded/a"))
    assert digest_model(ModelConfig(model="embedded/a", dtype="bfloat16")) != plain
    assert digest_model(ModelConfig(model="embedded/a", device="cuda:1")) == plain
    assert plain == "8cea9f7c777a904d"


def test_every_setting_of_a_model_is_decided_on():
    """A new setting has to be put into one of the lists above."""
    tried = {"model", "temperature", "max_tokens", "api_base", "json_schema", "logprobs", "parameters", "api_key_env"}
    tried |= {"input_price", "output_price", "concurrency", "timeout", "retries", "license", "mode", "batch"}
    tried |= {"parse_retries", "reasoning_effort"}
    tried |= {"requests_per_minute", "tokens_per_minute", "cache_marks", "device", "dtype"}
    assert set(ModelConfig.model_fields) == tried


def test_prompts_count_by_words_and_types():
    first = digest_prompts([Summarize])
    assert first == digest_prompts([Summarize])
    assert digest_prompts([Summarize.with_instructions("Otherwise.")]) != first
    assert digest_prompts([Summarize.with_updated_fields("summary", desc="in one line")]) != first
    assert digest_prompts([FindErrors]) != digest_prompts([FindErrors.with_updated_fields("errors", type_=list[str])])
