"""What a checker is measured on: sentences and summaries that are known to be right or wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, NamedTuple

from arf_programs.corpus import LabeledExample, load_labeled, read_labeled_file
from arf_programs.metrics import LABELLED, PLANTED_SUMMARIES
from arf_programs.planting import PlantedTalk, RightSummary, labels_are_planted, plant_sentences, right_summaries
from arf_programs.runs import Run
from arf_programs.text import split_sentences
from signatures.exceptions import DataError
from signatures.records import Conversation

PLANTED_SENTENCES: Final = "planted sentences"
_WITHOUT_A_NAME: Final = "wrong"


@dataclass(frozen=True)
class Item:
    """A text with its sentences, and the kinds of the errors in it; none if it is right.

    It is as suspect as its worst sentence.
    """

    conversation: Conversation
    text: str
    sentences: tuple[str, ...]
    kinds: tuple[str, ...] = ()


class ItemSet(NamedTuple):
    """Items of one origin, by which a table names them."""

    name: str
    items: tuple[Item, ...]


def planted_sets(talks: Sequence[PlantedTalk]) -> list[ItemSet]:
    """Return planted sentences, and summaries with one of them each, beside the right ones."""
    sentences: list[Item] = []
    summaries: dict[tuple[str, str], Item] = {}
    for talk in talks:
        conversation, text = talk.summary.conversation, talk.summary.text
        right = tuple(split_sentences(text))
        summaries.setdefault((conversation.id, text), Item(conversation, text, right))
        for sentence, kind in talk.sentences:
            kinds = (kind,) if kind else ()
            sentences.append(Item(conversation, sentence, (sentence,), kinds))
            if kind:
                changed = _with_sentence(right, sentence, added=kind == "unsupported")
                joined = " ".join(changed)
                summaries[conversation.id, joined] = Item(conversation, joined, changed, kinds)
    return [ItemSet(PLANTED_SENTENCES, tuple(sentences)), ItemSet(PLANTED_SUMMARIES, tuple(summaries.values()))]


def _with_sentence(right: tuple[str, ...], wrong: str, *, added: bool) -> tuple[str, ...]:
    """Put the wrong sentence in the place of the sentence that it is most like, or at the end."""
    if added or not right:
        return (*right, wrong)
    alike = [SequenceMatcher(None, sentence, wrong, autojunk=False).ratio() for sentence in right]
    place = alike.index(max(alike))
    return (*right[:place], wrong, *right[place + 1 :])


def labelled_items(examples: Iterable[LabeledExample]) -> tuple[Item, ...]:
    """Return the labelled summaries. The kinds of their errors are the categories."""
    return tuple(
        Item(
            example.conversation,
            example.summary,
            tuple(split_sentences(example.summary)),
            tuple(dict.fromkeys(note.category or _WITHOUT_A_NAME for note in example.errors)),
        )
        for example in examples
    )


def file_set(path: Path, run: Run | None) -> ItemSet:
    """Read a JSONL file of labelled summaries, in the form of a labelled set.

    A row without a conversation needs a run whose corpus has it. Raises DataError with every problem of the file, and
    for a file without right or without wrong summaries.
    """
    talks = run.conversations() if run is not None and run.folder.conversations.exists() else {}
    columns = run.config.corpus.columns if run is not None else None
    items = labelled_items(read_labeled_file(path.resolve(), talks.values(), columns=columns))
    if len({bool(item.kinds) for item in items}) < 2:
        raise DataError(f"--data: {path}: right and wrong summaries are needed, and all of them are of one kind")
    return ItemSet(path.stem, items)


def own_sets(run: Run, *, seen: Collection[str]) -> list[ItemSet]:
    """Return planted and labelled items of the run's training conversations, without those in `seen`.

    Raises DataError if nothing is believed right, or if all of it was seen.
    """
    summaries = [item for item in right_summaries(run) if item.conversation.id not in seen]
    if not summaries:
        raise DataError(
            "the checker was trained on every conversation whose summary is believed right: train it again with a "
            "larger checker.test, or measure it on --data FILE"
        )
    return sets_of(run, summaries, seen=seen)


def sets_of(run: Run, summaries: Sequence[RightSummary], *, seen: Collection[str]) -> list[ItemSet]:
    """Plant errors in the summaries, and add the labelled ones of people if right and wrong ones are among them."""
    most = run.config.checker.probe_sentences
    sets = planted_sets(plant_sentences(summaries, seed=run.config.seed, most=most))
    labelled = labelled_items(unseen_labels(run, seen))
    if len({bool(item.kinds) for item in labelled}) == 2:
        sets.append(ItemSet(LABELLED, labelled))
    return sets


def unseen_labels(run: Run, seen: Collection[str]) -> list[LabeledExample]:
    """Return the labelled examples of people, without those of the holdout and of `seen` conversations."""
    if labels_are_planted(run):
        return []
    holdout = run.conversations("holdout")
    return [item for item in load_labeled(run) if item.conversation.id not in {*holdout, *seen}]
