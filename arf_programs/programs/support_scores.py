"""The support question over a labelled set: rows of sentence, score and label, and the calibration fitted on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arf_programs.calibration import Calibration, fit_calibration
from arf_programs.flagged import notes_by_sentence
from arf_programs.labeled import LabeledExample
from arf_programs.programs.support import SentenceSupport
from arf_programs.sentences import split_sentences
from signatures.exceptions import DataError
from signatures.records import Record


class SupportRow(Record):
    """A sentence of a labelled summary: its raw score, None where the model gives none, and whether it is wrong.

    `wrong` means that the quote of a labelled error overlaps the sentence.
    """

    conversation_id: str
    sentence: str
    score: float | None
    wrong: bool


async def support_rows(support: SentenceSupport, examples: Iterable[LabeledExample]) -> list[SupportRow]:
    """A row for each sentence of each labelled summary, in order. Raises ModelError for an answer of no use."""
    rows = []
    for example in examples:
        wrong = notes_by_sentence(example.summary, example.errors)
        for index, sentence in enumerate(split_sentences(example.summary)):
            answer = await support.acall(conversation=example.conversation, sentence=sentence)
            rows.append(
                SupportRow(
                    conversation_id=example.conversation.id, sentence=sentence, score=answer.raw, wrong=index in wrong
                )
            )
    return rows


def calibration_of(rows: Sequence[SupportRow], support: SentenceSupport) -> Calibration:
    """The calibration that these rows give for the model and the wording of the support question.

    Raises DataError without scores, or without both kinds of sentence.
    """
    model = support.ask_support.lm.model
    scored = [(row.score, row.wrong) for row in rows if row.score is not None]
    if not scored:
        raise DataError(
            f"{model} gives no scores to calibrate: set models.analyst.logprobs to true if its endpoint gives "
            "log-probabilities, else analyze.samples to more than 1"
        )
    scores, labels = [score for score, _ in scored], [wrong for _, wrong in scored]
    return fit_calibration(scores, labels, model=model, prompt=support.prompt_digest())


def summary_score(scores: Iterable[float | None]) -> float | None:
    """The score of a whole summary: that of its worst sentence, 1 - min p(yes); None where no sentence has one."""
    return max((score for score in scores if score is not None), default=None)
