"""Adapters on one base: they share its weights, and each answers as it does alone."""

import gc
import json
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from peft import LoraConfig, get_peft_model
from tiny_model import save_tiny_model
from transformers import AutoModelForCausalLM

from arf_programs.models.embedded.base import open_weights
from arf_programs.models.embedded.decode import FixedStep
from arf_programs.models.embedded.engine import Engine, close_engines, get_engine
from arf_programs.models.embedded.memory import PrefixCache
from arf_programs.models.embedded.row import Request
from arf_programs.models.local.weights import load_model

TEXTS = ["a", "the cat sat in the hat", "in the beginning " * 8, "x" * 90]
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 12}}, "required": ["answer"]}


def save_adapter(base, folder, seed, **settings):
    """An adapter with random weights that change every answer."""
    model = AutoModelForCausalLM.from_pretrained(base)
    torch.manual_seed(seed)
    settings = {"r": 4, "target_modules": "all-linear"} | settings
    adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **settings))
    adapted.save_pretrained(folder)
    config = folder / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": str(base)}))
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """The names of a base and of two adapters on it; the second adapts other layers than the first."""
    folder = tmp_path_factory.mktemp("models")
    base = save_tiny_model(folder / "base")
    first = save_adapter(base, folder / "first", 1, layers_to_transform=[1], target_modules=["q_proj", "up_proj"])
    second = save_adapter(base, folder / "second", 2)
    return [str(base), str(first), str(second)]


@pytest.fixture
def engines(models):
    engines = [Engine(open_weights(name), PrefixCache(2**22)) for name in models]
    yield engines
    for engine in engines:
        engine.close()


def prompt(engine, text):
    return engine.tokenize([{"role": "user", "content": text}])


def expected(name, engine, text):
    """What transformers writes with the adapter merged into a base of its own."""
    model, tokenizer = load_model(name)
    ids = torch.tensor([prompt(engine, text)])
    output = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=40, do_sample=False)[0]
    return tokenizer.decode(output[ids.shape[1] :], skip_special_tokens=True)


def test_each_adapter_answers_as_if_it_were_alone(models, engines):
    for name, engine in zip(models, engines, strict=True):
        for text in TEXTS:
            answer = engine.submit(Request(prompt(engine, text), 40)).result(timeout=60)
            assert answer.text == expected(name, engine, text)
    assert len({expected(name, engines[0], TEXTS[0]) for name in models}) == 3


@pytest.mark.parametrize("settings", [{}, {"schema": SCHEMA}, {"temperature": 1.0, "seed": 3}, {"top_logprobs": 2}])
def test_calls_at_once_change_no_answer(engines, settings):
    asked = [(engine, text) for text in TEXTS * 3 for engine in engines]

    def answer(question):
        engine, text = question
        made = engine.submit(Request(prompt(engine, text), 40, **settings)).result(timeout=60)
        return made.text, [item.token for item in made.logprobs or ()]

    alone = [answer(question) for question in asked[: len(TEXTS) * 3]]
    with ThreadPoolExecutor(len(asked)) as pool:
        together = list(pool.map(answer, asked))
    assert together == alone * 3


def test_one_copy_of_the_weights(engines):
    bases = {id(engine.model.weights.base) for engine in engines}
    assert len(bases) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"use_dora": True},
        {"modules_to_save": ["norm"]},
        {"target_modules": ["embed_tokens", "q_proj"]},
        {"layer_replication": [(0, 2), (1, 2)]},
    ],
    ids=str,
)
def test_an_adapter_that_does_more_has_weights_of_its_own(models, tmp_path, settings):
    folder = save_adapter(models[0], tmp_path / "more", 3, **settings)
    base, adapted = (Engine(open_weights(name), PrefixCache(2**22)) for name in (models[0], str(folder)))
    assert adapted.model.weights.base is not base.model.weights.base
    answer = adapted.submit(Request(prompt(adapted, "a"), 40)).result(timeout=60)
    assert answer.text == expected(str(folder), adapted, "a")
    base.close()
    adapted.close()


def test_a_closed_adapter_leaves_the_others_at_work(models):
    base, first, second = (Engine(open_weights(name), PrefixCache(2**22)) for name in models)
    waiting = [first.submit(Request(prompt(first, "a"), 900, temperature=1.0, seed=seed)) for seed in range(40)]
    others = [engine.submit(Request(prompt(engine, "a"), 40)) for engine in (base, second)]
    first.close()
    assert [other.result(timeout=60).text for other in others] == [
        expected(name, base, "a") for name in (models[0], models[2])
    ]
    assert all(future.done() for future in waiting)
    base.close()
    second.close()


def test_closed_engines_are_loaded_anew(models):
    kept, closed = get_engine(models[0]), get_engine(models[1])
    close_engines(keep=[models[0]])
    assert get_engine(models[0]) is kept
    again = get_engine(models[1])
    assert again is not closed
    assert again.model.weights.base is kept.model.weights.base
    close_engines()


def test_closed_weights_leave_memory(models):
    base, adapted = (Engine(open_weights(name)) for name in models[:2])
    for engine in (base, adapted):
        engine.submit(Request(prompt(engine, "a"), 4)).result(timeout=60)
    weights = weakref.ref(base.model.weights.base.model)
    for engine in (base, adapted):
        assert weights() is not None
        engine.close()
    del base, adapted, engine
    gc.collect()
    assert weights() is None


def test_all_models_share_one_cache(models):
    cache = PrefixCache(60_000)
    engines = [Engine(open_weights(name), cache) for name in models]
    asked = [Request(prompt(engine, "the hat " * 12), 1) for engine in engines]
    for engine, request in zip(engines, asked, strict=True):
        assert engine.submit(request).result(timeout=60).cached_tokens == 0
    assert 0 < cache.used <= cache.size
    last, first = (engines[number].submit(asked[number]).result(timeout=60) for number in (2, 0))
    assert last.cached_tokens > 0
    assert first.cached_tokens == 0  # the others took its room
    for engine in engines:
        engine.close()
    assert cache.used == 0


def test_a_step_with_fixed_addresses_gives_the_same_answers(engines, monkeypatch):
    """What a GPU records and replays, run by Python each time."""
    alone = [engine.submit(Request(prompt(engine, TEXTS[1]), 40)).result(timeout=60).text for engine in engines]
    steps = []
    monkeypatch.setattr(FixedStep, "record", lambda self, slot: steps.append(slot))
    monkeypatch.setattr(engines[0].model.weights.base, "records", True)
    futures = [engine.submit(Request(prompt(engine, text), 40)) for text in TEXTS for engine in engines]
    assert [future.result(timeout=60).text for future in futures][3:6] == alone
    assert steps
