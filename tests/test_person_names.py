"""A model of names finds what no phrase gives away."""

import pytest
from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

from arf_programs.models import finder_of_people
from arf_programs.privacy import Kind, Pseudonyms
from signatures.exceptions import ConfigError


def save_tagger(folder, labels):
    """A tiny model with random weights, but for its last layer: it always says the second label."""
    folder.mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "it", "was", "qwerty", "who", "came"]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    config = BertConfig(vocab_size=len(words), id2label=dict(enumerate(labels)), **shape)
    model = BertForTokenClassification(config)
    model.classifier.weight.data.zero_()
    model.classifier.bias.data[:] = 0
    model.classifier.bias.data[1] = 5
    model.save_pretrained(folder)
    return str(folder)


def test_a_word_that_the_model_tags_as_a_person_is_replaced(tmp_path):
    people = finder_of_people(save_tagger(tmp_path / "ner", ["O", "B-PER"]))
    request = Pseudonyms(17, "c", ["Qwerty"], people=people).for_request()
    replaced = request.replace("Qwerty")
    assert replaced != "Qwerty"
    assert request.restore(replaced) == "Qwerty"
    assert [item.kind for item in Pseudonyms(17, "c", ["Qwerty"], people=people).values] == [Kind.NAME]
    assert Pseudonyms(17, "c", ["Qwerty"]).values == ()


def test_a_model_without_people_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no label PER or PERSON"):
        finder_of_people(save_tagger(tmp_path / "ner", ["O", "B-LOC"]))


def test_a_model_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"privacy\.ner"):
        finder_of_people(str(tmp_path / "nowhere"))


def test_no_model_is_no_finder():
    assert finder_of_people(None) is None
