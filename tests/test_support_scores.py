import pytest
import scripted_team

from arf_programs.corpus.labeled import LabeledExample
from arf_programs.programs.analysis.support import SentenceSupport, calibration_of, support_rows
from arf_programs.text.quotes import locate_error
from signatures.exceptions import DataError

SUMMARY = "The customer's kettle leaked. The agent refunded 39.90. It arrives by Thursday."


class Rows:
    """`support_rows` as a program."""

    def __init__(self, support, examples):
        self.support, self.examples = support, examples

    async def acall(self):
        return await support_rows(self.support, self.examples)


@pytest.fixture
def example(conversation):
    errors = (
        locate_error(SUMMARY, conversation, category="wrong_fact", quote="refunded 39.90"),
        locate_error(SUMMARY, conversation, category="missing_action"),
    )
    return LabeledExample(conversation=conversation, summary=SUMMARY, errors=errors)


def test_a_sentence_that_a_labelled_quote_overlaps_is_wrong(call, lm, example):
    scripted_team.join(support=lambda fields: scripted_team.yes(0.4 if "39.90" in fields["sentence"] else 0.8))
    support = SentenceSupport(retries=0, logprobs=True)
    support.set_lm(lm)
    rows = call(Rows(support, [example]))
    assert [row.wrong for row in rows] == [False, True, False]
    assert [row.score for row in rows] == [pytest.approx(value) for value in (0.2, 0.6, 0.2)]
    made = calibration_of(rows, support)
    assert (made.model, made.prompt, made.n, made.positives) == ("scripted/model", support.prompt_digest(), 3, 1)
    assert made.auc == 1.0


def test_words_alone_cannot_be_calibrated(call, lm, example):
    scripted_team.join()
    support = SentenceSupport(retries=0)
    support.set_lm(lm)
    rows = call(Rows(support, [example]))
    assert {row.score for row in rows} == {None}
    with pytest.raises(DataError, match=r"models\.analyst\.logprobs"):
        calibration_of(rows, support)
