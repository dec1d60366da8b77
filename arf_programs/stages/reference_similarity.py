"""Similarity of the summaries to the references of their conversations, as configured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from arf_programs.fingerprint import file_digest
from arf_programs.jsonl import read_jsonl
from arf_programs.metrics.similarity import Embed, find_model, load_embedder, similarities
from arf_programs.run import Run
from arf_programs.stages.told import Told
from signatures.exceptions import MissingExtra
from signatures.records import Score

_AT_ONCE = 1024


def with_similarity(run: Run, scored: Path) -> Iterator[Score]:
    """The scores of that file with the embedding similarity, where it is wanted, there are references, and a model is
    installed.
    """
    scores = read_jsonl(scored, Score)
    name = run.config.evaluate.similarity
    conversations = run.conversations("holdout")
    if name is None or not any(item.references for item in conversations.values()):
        return scores
    try:
        embed = load_embedder(find_model(name, run.base_dir))
    except MissingExtra as missing:
        run.progress.say(f"  embedding similarity is left out: {missing}")
        return scores
    return _measured(embed, scores, run)


def _measured(embed: Embed, scores: Iterator[Score], run: Run) -> Iterator[Score]:
    conversations, told = run.conversations("holdout"), Told(run)
    while some := list(islice(scores, _AT_ONCE)):
        summaries = (told.by(score.system, score.conversation_id) for score in some)
        texts = [summary.text if summary else "" for summary in summaries]
        values = similarities(embed, texts, [conversations[score.conversation_id].references for score in some])
        for score, value in zip(some, values, strict=True):
            yield score.model_copy(update={"similarity": value})


def embedding_digest(run: Run) -> str:
    """Hash of the embedding model, so that one that is installed later is used; empty where there is none."""
    name = run.config.evaluate.similarity
    try:
        return "" if name is None else file_digest(find_model(name, run.base_dir))
    except MissingExtra:
        return ""
