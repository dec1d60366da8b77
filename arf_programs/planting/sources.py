"""Finds the summaries that are believed right, in references, labelled corrections or verified revisions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from arf_programs.checks import Material, find_words, run_checks
from arf_programs.corpus import load_labeled
from arf_programs.planting.choose import RightSummary
from arf_programs.planting.pairs import LABELLED_KIND, PlantedSentence, PlantedTalk
from arf_programs.planting.records import Source
from arf_programs.runs import Run, digest, read_jsonl
from arf_programs.text import group_by_sentence, split_sentences
from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, Revision, Verdict

_SHORT: Final = 3  # words of at most so many letters say nothing about a sentence
_MEND: Final = {
    "references": "the corpus has no references on its training side: give it some, or set plant.source",
    "labeled": "the labelled set has no revised and no clean summary: add some, or set plant.source",
    "revisions": "the run has no verified revision yet: run `arf revise`, or set plant.source",
}


def right_summaries(run: Run) -> list[RightSummary]:
    """Read the summaries of `plant.source`, without those of holdout conversations, on which systems are compared.

    `auto` takes labelled corrections and references, or verified revisions if there is neither. Raises DataError if
    there are no summaries, and ConfigError if the labelled set is the planted one itself.
    """
    source = run.config.plant.source
    if source == "auto":
        summaries = [*([] if labels_are_planted(run) else _labeled(run)), *_references(run)] or _revisions(run)
        if not summaries:
            raise DataError("plant.source: nothing is believed right: give references or a labelled set with `revised`")
        return summaries
    if source == "labeled" and labels_are_planted(run):
        raise ConfigError("plant.source: the labelled set is planted.jsonl itself: take references or revisions")
    summaries = {"references": _references, "labeled": _labeled, "revisions": _revisions}[source](run)
    if not summaries:
        raise DataError(f"plant.source: {_MEND[source]}")
    return summaries


def labelled_talks(run: Run, most: int) -> list[PlantedTalk]:
    """Return the labelled summaries with each sentence marked as right or as one with an error, at most `most` of them.

    They are none if the analyst may be shown them, or if they are planted.
    """
    if _are_shown(run):
        return []
    held_out, talks = run.conversations("holdout"), []
    for example in load_labeled(run):
        if example.conversation.id not in held_out and most > 0:
            wrong = group_by_sentence(example.summary, example.errors)
            sentences = tuple(
                PlantedSentence(sentence, LABELLED_KIND if place in wrong else None)
                for place, sentence in enumerate(split_sentences(example.summary)[:most])
            )
            most -= len(sentences)
            talks.append(PlantedTalk(_right(example.conversation, example.summary, "labeled"), sentences))
    return talks


def _are_shown(run: Run) -> bool:
    return bool(run.config.labeled.demos or run.config.programs.analyze or labels_are_planted(run))


_FEW_SENTENCES: Final = 30
"""If there are fewer right sentences than this, the teacher's own sentences are taken as well."""

_KEPT: Final = 0.5


def summaries_to_calibrate(run: Run, most: int) -> list[RightSummary]:
    """Return at most `most` summaries that are believed right, in which errors are planted to calibrate an analyst.

    They are references, and labelled summaries unless the analyst may be shown them. People have looked at these. If
    they have few sentences, the least suspect sentences of the teacher's drafts are added, which nobody has looked at.
    Conversations come in the order of a hash, so the order of the corpus does not matter.
    """
    summaries = [*islice(_drawn_references(run), most), *([] if _are_shown(run) else _labeled(run))]
    if sum(len(split_sentences(item.text)) for item in summaries) < _FEW_SENTENCES:
        summaries += _least_suspect(run)
    return summaries[:most]


def _drawn_references(run: Run) -> Iterator[RightSummary]:
    talks = run.conversations("train")
    for name in sorted(talks, key=lambda name: digest([run.config.seed, name])):
        talk = talks[name]
        yield from (_right(talk, text, "references") for text in talk.references if text.strip())


def _least_suspect(run: Run) -> list[RightSummary]:
    """Return the half of the drafts' sentences that shares most words with the conversation.

    Sentences in which a check finds an error are left out. The analyst is not asked: it would be measured on what it
    chose itself.
    """
    if not run.folder.drafts.exists():
        return []
    talks = run.conversations("train")
    ranked = []
    for draft in run.drafts("train"):
        material = Material(talks[draft.conversation_id], draft.text)
        suspect = group_by_sentence(draft.text, run_checks(material.conversation, draft.text))
        for index, sentence in enumerate(split_sentences(draft.text)):
            words = [word for word in find_words(sentence) if len(word) > _SHORT]
            known = sum(word in material.known_words for word in words) / max(1, len(words))
            if index not in suspect and words:
                ranked.append((-known, digest([draft.conversation_id, sentence]), draft.conversation_id, sentence))
    kept = sorted(ranked)[: max(1, int(_KEPT * len(ranked)))]
    return [_right(talks[name], sentence, "drafts") for _, _, name, sentence in kept]


def needs_revisions(run: Run) -> bool:
    """Whether the summaries depend on `revisions.jsonl`."""
    source = run.config.plant.source
    labeled = source == "auto" and not labels_are_planted(run) and bool(_labeled(run))
    return source == "revisions" or (source == "auto" and not labeled and not _references(run))


def labels_are_planted(run: Run) -> bool:
    """Whether the labelled set is the run's own `planted.jsonl`, which is no source of right summaries."""
    path = run.config.labeled.path
    planted = run.folder.planted.resolve()
    return path is not None and planted in ((run.base_dir / path).resolve(), Path(path).resolve())


def _references(run: Run) -> list[RightSummary]:
    talks = run.conversations("train").values()
    return [_right(talk, text, "references") for talk in talks for text in talk.references if text.strip()]


def _labeled(run: Run) -> list[RightSummary]:
    held_out = run.conversations("holdout")
    summaries = []
    for example in load_labeled(run):
        text = example.revised or ("" if example.errors else example.summary)
        if text.strip() and example.conversation.id not in held_out:
            summaries.append(_right(example.conversation, text, "labeled"))
    return summaries


def _revisions(run: Run) -> list[RightSummary]:
    if not run.folder.revisions.exists():
        return []
    talks = run.conversations("train")
    rows = read_jsonl(run.folder.revisions, Revision)
    return [
        _right(talks[row.conversation_id], row.after, "revisions")
        for row in rows
        if row.verdict is Verdict.VERIFIED and row.conversation_id in talks
    ]


def _right(talk: Conversation, text: str, source: Source) -> RightSummary:
    return RightSummary(talk, text.strip(), source)
