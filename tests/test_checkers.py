"""Checkers: each input form, the turns that are read, batches, and the models that are refused."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from tiny_checkers import save_deberta, save_hhem, save_roberta
from tiny_model import byte_tokenizer, save_tiny_model

from arf_programs.checkers import FORMS, KNOWN, checker_form, known_checker, load_checker
from arf_programs.checkers.checker import fit_document, rank_turns
from arf_programs.checkers.loading import supported_label
from arf_programs.config import CheckerConfig
from signatures.exceptions import DataError
from signatures.records import Conversation, Turn

DOCUMENT, CLAIM = "Customer: my {lamp} broke\nAgent: we send a new one", 'The lamp "broke".'


def conversation(*texts):
    return Conversation(id="c", turns=tuple(Turn(speaker="Customer", text=text) for text in texts))


def test_each_form_writes_document_and_claim_as_its_model_was_trained():
    assert FORMS["minicheck"].write(DOCUMENT, CLAIM, "</s>") == f"{DOCUMENT}</s>{CLAIM}"
    assert FORMS["hhem"].write(DOCUMENT, CLAIM, "</s>") == (
        f"<pad> Determine if the hypothesis is true given the premise?\n\nPremise: {DOCUMENT}\n\nHypothesis: {CLAIM}"
    )
    assert FORMS["factcg"].write("a {claim}", "b {document}", "") == (
        'a {claim}\n\nChoose your answer: based on the paragraph above can we conclude that "b {document}"?\n\n'
        "OPTIONS:\n- Yes\n- No\nI think the answer is "
    )


def test_known_models_have_a_form_and_a_licence_by_id_and_by_the_name_of_a_folder():
    assert {name: known.licence for name, known in KNOWN.items()}[
        "vectara/hallucination_evaluation_model"
    ] == "Apache-2.0"
    assert known_checker("lytang/MiniCheck-RoBERTa-Large").form == "minicheck"
    assert known_checker("models/FactCG-DeBERTa-v3-Large/").form == "factcg"
    assert known_checker("someone/other") is None


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkers")
    hhem, model = save_hhem(root / "hhem")
    return {
        "minicheck": save_roberta(root / "MiniCheck-RoBERTa-Large"),
        "factcg": save_deberta(root / "FactCG-DeBERTa-v3-Large"),
        "hhem": hhem,
        "pair": save_roberta(root / "ours", labels={0: "entailment", 1: "neutral", 2: "contradiction"}),
        "model": model,
    }


@pytest.mark.parametrize("form", ["minicheck", "factcg", "hhem", "pair"])
def test_a_folder_is_read_in_its_own_form_and_gives_a_probability(folders, form):
    config = CheckerConfig(model=str(folders[form]))
    assert checker_form(config) == form
    checker = load_checker(config)
    scores = checker.score([(DOCUMENT, CLAIM), (DOCUMENT, "No."), (DOCUMENT, CLAIM)])
    assert all(0 < score < 1 for score in scores)
    assert scores[0] == pytest.approx(scores[2])
    assert scores[0] != pytest.approx(scores[1], abs=1e-4)


def test_hhem_is_read_from_its_weights_and_answers_at_the_first_token(folders):
    checker = load_checker(CheckerConfig(model=str(folders["hhem"])))
    tokens = byte_tokenizer(pad="<pad>")(FORMS["hhem"].write(DOCUMENT, CLAIM, ""), return_tensors="pt")
    with torch.inference_mode():
        expected = folders["model"](**tokens).logits[0, 0].softmax(-1)[1].item()
    assert checker.score([(DOCUMENT, CLAIM)]) == [pytest.approx(expected, abs=1e-5)]


def test_a_batch_gives_the_same_as_one_by_one(folders):
    pairs = [(DOCUMENT * count, CLAIM) for count in (3, 1, 2)]
    for form in ("minicheck", "factcg", "hhem", "pair"):
        checker = load_checker(CheckerConfig(model=str(folders[form])))
        alone = [checker.score([pair])[0] for pair in pairs]
        assert checker.score(pairs) == pytest.approx(alone, abs=1e-4)


def test_what_is_asked_at_once_shares_a_batch_and_nothing_is_scored_twice(folders, monkeypatch):
    checker = load_checker(CheckerConfig(model=str(folders["minicheck"]), batch_size=8))
    sizes, go = [], threading.Event()
    score = checker.score

    def counted(pairs):
        go.wait(10)
        sizes.append(len(pairs))
        return score(pairs)

    monkeypatch.setattr(checker, "score", counted)
    talk = conversation("one", "two")
    futures = [checker.ask(talk, f"Claim {number}.") for number in (1, 2, 3, 4, 5, 1)]
    go.set()
    answers = [future.result(10) for future in futures]
    assert sum(sizes) == 5
    assert len(sizes) <= 2
    assert answers[0] == answers[-1]
    assert checker.ask(talk, "Claim 3.").result(10) == answers[2]
    assert sum(sizes) == 5


def test_an_error_reaches_whoever_asked_and_the_next_question_is_answered(folders, monkeypatch):
    checker = load_checker(CheckerConfig(model=str(folders["factcg"]), batch_size=3))
    with monkeypatch.context() as patched:
        patched.setattr(checker, "score", lambda pairs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            checker.ask(conversation("one"), "Claim.").result(10)
    assert 0 < checker.ask(conversation("one"), "Claim.").result(10) < 1


def test_a_long_conversation_is_cut_to_the_turns_that_share_rare_words_with_the_claim():
    talk = conversation("hello there", "the lamp is broken", "hello again", "we send it", "the parcel is late")
    assert rank_turns([turn.text for turn in talk.turns], "The lamp is late.")[:2] == [1, 4]
    assert fit_document(talk, "The lamp is late.", lambda text: text.count("\n") <= 2).splitlines() == [
        "Customer: hello there",
        "Customer: the lamp is broken",
        "Customer: the parcel is late",
    ]
    assert fit_document(talk, "x", lambda text: False).count("\n") == 0


def test_absolute_places_bound_the_input_and_relative_ones_do_not(folders, tmp_path):
    short = load_checker(CheckerConfig(model=str(save_roberta(tmp_path / "MiniCheck-RoBERTa-Large", places=42))))
    assert short.longest == 40
    assert 0 < short.score([(DOCUMENT * 9, CLAIM * 9)])[0] < 1
    assert 0 < short.ask(conversation(*["some words of a turn"] * 9), "A claim.").result(10) < 1
    assert load_checker(CheckerConfig(model=str(folders["factcg"]))).longest == 2048
    assert load_checker(CheckerConfig(model=str(folders["pair"]))).longest == 512


def test_the_output_that_means_supported_is_found_by_its_name():
    assert supported_label({0: "entailment", 1: "not_entailment"}, "m") == 0
    assert supported_label({0: "LABEL_0", 1: "LABEL_1"}, "m") == 1
    assert supported_label({0: "LABEL_0"}, "m") == 0
    assert supported_label({0: "contradiction", 1: "neutral", 2: "entailment"}, "m") == 2
    with pytest.raises(DataError, match="none says"):
        supported_label({0: "a", 1: "b", 2: "c"}, "m")


def test_what_is_no_checker_is_refused_in_a_sentence(folders, tmp_path):
    with pytest.raises(DataError, match="LlamaForCausalLM"):
        load_checker(CheckerConfig(model=str(save_tiny_model(tmp_path / "causal"))))
    with pytest.raises(DataError, match=r"no config\.json that can be read"):
        (tmp_path / "empty").mkdir()
        load_checker(CheckerConfig(model=str(tmp_path / "empty")))
    with pytest.raises(DataError, match="No model at"):
        load_checker(CheckerConfig(model=str(tmp_path / "nowhere")))
    with pytest.raises(DataError, match="hhem goes with the weights of HHEM"):
        load_checker(CheckerConfig(model=str(folders["minicheck"]), form="hhem"))
    with pytest.raises(DataError, match="hhem goes with"):
        load_checker(CheckerConfig(model=str(folders["hhem"]), form="pair"))


def test_a_model_that_needs_code_of_its_own_is_refused_and_its_code_is_not_run(tmp_path):
    settings = {
        "model_type": "own",
        "auto_map": {"AutoConfig": "own.Config"},
        "architectures": ["OwnForSequenceClassification"],
    }
    (tmp_path / "config.json").write_text(json.dumps(settings))
    (tmp_path / "own.py").write_text("raise SystemExit('run')")
    with pytest.raises(DataError, match="cannot be loaded"):
        load_checker(CheckerConfig(model=str(tmp_path)))


def test_many_threads_ask_one_checker(folders):
    checker = load_checker(CheckerConfig(model=str(folders["pair"]), batch_size=2))
    talk = conversation(*[f"turn number {number} is about the lamp" for number in range(40)])
    with ThreadPoolExecutor(8) as pool:
        futures = list(pool.map(lambda number: checker.ask(talk, f"Lamp {number}."), range(64)))
    assert all(0 < future.result(20) < 1 for future in futures)


def save_in_cache(home, name, save):
    """Save a model as the cache of the hub holds it."""
    repository = home / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots").mkdir()
    save(repository / "snapshots" / "abc")


def save_flan_tokenizer(folder):
    byte_tokenizer(pad="<pad>").save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "t5"}')


def test_ids_of_the_hub_are_read_from_its_cache_without_a_network(tmp_path, monkeypatch):
    save_in_cache(tmp_path, "lytang/MiniCheck-RoBERTa-Large", save_roberta)
    save_in_cache(tmp_path, "vectara/hallucination_evaluation_model", save_hhem)
    save_in_cache(tmp_path, "google/flan-t5-base", save_flan_tokenizer)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("lytang/MiniCheck-RoBERTa-Large", "vectara/hallucination_evaluation_model"):
        (score,) = load_checker(CheckerConfig(model=name)).score([("Customer: hi", "Hi.")])
        assert 0 < score < 1
    with pytest.raises(DataError):
        load_checker(CheckerConfig(model="someone/absent"))


def test_a_claim_longer_than_the_input_is_cut_like_its_document(tmp_path):
    checker = load_checker(CheckerConfig(model=str(save_roberta(tmp_path / "short", places=34)), form="pair"))
    assert checker.longest == 32
    (score,) = checker.score([(DOCUMENT, CLAIM * 10)])
    assert 0 < score < 1
