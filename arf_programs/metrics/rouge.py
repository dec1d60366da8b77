"""ROUGE against reference summaries.

Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", as computed by Google's `rouge-score`
package, so that figures can be compared with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any

ROUGE_METRICS: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")


def rouge(summary: str, references: Sequence[str]) -> dict[str, float]:
    """F-measures from 0 to 1 of `rouge1`, `rouge2` and `rougeL`, with Porter stemming; and `rouge1_mean` and so on.

    With several references a metric takes the best of them, as `RougeScorer.score_multi` does, and its `_mean` the
    mean over them: the best rewards a summary that is like one of several people's, the mean one like all. An empty
    summary scores 0; blank references do not count, and with none left ValueError is raised. The package's tokenizer
    keeps only Latin letters without accents and digits, so text in other scripts scores 0 whatever it says.
    """
    told = [reference for reference in references if reference.strip()]
    if not told:
        raise ValueError("ROUGE needs at least one reference that is not blank")
    scored = [_scorer().score(reference, summary) for reference in told]
    values = {metric: [float(one[metric].fmeasure) for one in scored] for metric in ROUGE_METRICS}
    best = {metric: max(found) for metric, found in values.items()}
    return {**best, **{f"{metric}_mean": fmean(found) for metric, found in values.items()}}


@lru_cache(maxsize=1)
def _scorer() -> Any:
    # Imported here because it brings NLTK, which most commands never need.
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True)
