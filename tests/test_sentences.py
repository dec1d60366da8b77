import pytest

from arf_programs.text.sentences import find_sentences, split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["Mr. Lind paid $12.50 at 3 p.m. on 5 May.", "Dr. Ode agreed!"],
        ["See www.shop.example/a.html.", "It helps, e.g. with No. 5 and approx. 3 others."],
        ["J. R. Pell of Brook Ltd. signed it.", "Plan B.", "The end."],
        ["He asked for more... and waited…", "Nothing came?!", "Really."],
        ['"Why?" she asked.', "He left (at 5 a.m.).", "Done."],
        ["1. The bill was wrong.", "2. It was mended."],
        ["The bill was wrong.", "the agent mended it."],
        ["It came to Mill St. 4 at last.", "The van left."],
        ["It arrives at 10 a.m.", "The customer waits."],
        ["The answer was no.", "The customer left."],
        ["Version 2.4.1 is out."],
    ],
)
def test_sentences_are_told_apart(sentences):
    assert split_sentences(" ".join(sentences)) == sentences
    assert split_sentences("\n".join(sentences)) == sentences


def test_list_items_are_sentences():
    assert split_sentences("- a lamp\n- a table") == ["- a lamp", "- a table"]


def test_a_wrapped_line_goes_on_and_a_blank_line_does_not():
    assert split_sentences("The agent\nlooked it up.\n\nNo result\n\nand no call") == [
        "The agent\nlooked it up.",
        "No result",
        "and no call",
    ]


def test_spans_are_exact_ordered_and_hold_all_words():
    text = "  One. Two?\n\n- three\n- four! Five  "
    spans = find_sentences(text)
    assert [text[start:end] for start, end in spans] == split_sentences(text)
    assert spans == sorted(spans)
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize("text", ["", "  \n ", "\n\n"])
def test_no_text_has_no_sentences(text):
    assert split_sentences(text) == []
