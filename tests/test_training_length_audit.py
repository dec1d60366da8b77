import pytest
from tiny_model import save_tiny_model
from transformers import AutoTokenizer

from signatures.exceptions import DataError
from signatures.records import Message, TrainingExample
from training.loop.lengths import RowLength, measure, rows_that_fit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("audit") / "tiny")


@pytest.fixture
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


def example(id="a", completion="Done."):
    return TrainingExample(
        conversation_id=id, messages=(Message(role="user", content="Hello."),), completion=completion, arm="arf"
    )


def test_rows_are_measured_as_they_are_trained(tokenizer):
    (row,) = measure(tokenizer, [example()], {tokenizer.eos_token_id})
    prompt = "<s>user\nHello.</s>\n<s>assistant\n"
    assert row.prompt == len(tokenizer(prompt)["input_ids"])
    assert row.total == len(tokenizer(prompt + "Done.</s>\n")["input_ids"])


def test_a_template_that_renders_the_prompt_otherwise_in_training_is_refused(tokenizer):
    tokenizer.chat_template = "{{ messages | length }}" + tokenizer.chat_template
    with pytest.raises(DataError, match="a: the chat template of the base renders this prompt"):
        measure(tokenizer, [example()], {tokenizer.eos_token_id})


def test_a_template_under_which_a_student_would_not_learn_to_stop_is_refused(tokenizer):
    tokenizer.chat_template = tokenizer.chat_template.replace("</s>", "|")
    with pytest.raises(DataError, match="without a stop token"):
        measure(tokenizer, [example()], {tokenizer.eos_token_id})


def test_a_base_without_a_template_is_refused(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(DataError, match="no chat template"):
        measure(tokenizer, [example()], {tokenizer.eos_token_id})


LENGTHS = [RowLength("short", 10, 5), RowLength("limit", 10, 10), RowLength("long", 30, 5), RowLength("longer", 50, 5)]


def test_rows_up_to_the_limit_fit():
    assert rows_that_fit(LENGTHS, 55, "fail") == [0, 1, 2, 3]
    assert rows_that_fit(LENGTHS, 20, "drop") == [0, 1]


def test_rows_that_exceed_the_limit_are_named_with_the_mend():
    with pytest.raises(DataError) as caught:
        rows_that_fit(LENGTHS, 20, "fail")
    message = str(caught.value)
    assert "2 of 4 training rows have more than 20 tokens: longer (55 tokens), long (35 tokens)." in message
    assert "Raise train.max_length to 55" in message
    assert "set train.on_overflow to drop" in message


def test_dropping_every_row_is_refused():
    with pytest.raises(DataError, match="4 of 4 training rows"):
        rows_that_fit(LENGTHS, 5, "drop")


def test_not_more_rows_are_named_than_a_person_reads():
    many = [RowLength(f"row-{n}", 100, n) for n in range(50)]
    with pytest.raises(DataError, match=r"row-30 \(130 tokens\) and 30 more\. Raise"):
        rows_that_fit(many, 20, "fail")
