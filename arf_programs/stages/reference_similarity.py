"""Similarity of the summaries to the references of their conversations, as configured."""

from __future__ import annotations

from collections.abc import Sequence

from arf_programs.fingerprint import file_digest
from arf_programs.metrics.similarity import find_model, load_embedder, similarities
from arf_programs.run import Run
from signatures.exceptions import MissingExtra
from signatures.records import Score, Summary


def with_similarity(run: Run, scores: Sequence[Score], summaries: Sequence[Summary]) -> list[Score]:
    """The scores with the embedding similarity, where it is wanted, there are references, and a model is installed."""
    name = run.config.evaluate.similarity
    references = {key: item.references for key, item in run.conversations("holdout").items()}
    if name is None or not any(references.values()):
        return list(scores)
    try:
        embed = load_embedder(find_model(name, run.base_dir))
    except MissingExtra as missing:
        run.progress.say(f"  embedding similarity is left out: {missing}")
        return list(scores)
    told = {(item.conversation_id, item.system): item.text for item in summaries}
    texts = [told[score.conversation_id, score.system] for score in scores]
    values = similarities(embed, texts, [references[score.conversation_id] for score in scores])
    return [score.model_copy(update={"similarity": value}) for score, value in zip(scores, values, strict=True)]


def embedding_digest(run: Run) -> str:
    """Hash of the embedding model, so that one that is installed later is used; empty where there is none."""
    name = run.config.evaluate.similarity
    try:
        return "" if name is None else file_digest(find_model(name, run.base_dir))
    except MissingExtra:
        return ""
