"""ROUGE against reference summaries.

Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", as computed by Google's `rouge-score`
package, so that figures can be compared with published ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

ROUGE_METRICS: tuple[str, ...] = ("rouge1", "rouge2", "rougeL")


def rouge(summary: str, references: Sequence[str]) -> dict[str, float]:
    """F-measures from 0 to 1 of `rouge1`, `rouge2` and `rougeL`, with Porter stemming.

    With several references each metric takes the best of them (`RougeScorer.score_multi`). An empty summary scores 0;
    blank references do not count, and with none left ValueError is raised. The package's tokenizer keeps only Latin
    letters without accents and digits, so text in other scripts scores 0 whatever it says.
    """
    told = [reference for reference in references if reference.strip()]
    if not told:
        raise ValueError("ROUGE needs at least one reference that is not blank")
    best = _scorer().score_multi(told, summary)
    return {metric: float(best[metric].fmeasure) for metric in ROUGE_METRICS}


@lru_cache(maxsize=1)
def _scorer() -> Any:
    # Imported here because it brings NLTK, which most commands never need.
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(list(ROUGE_METRICS), use_stemmer=True)
