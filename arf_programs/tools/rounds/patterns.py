"""Groups errors that are alike into patterns, and lets the analyst name them.

Errors are embedded by the model of `evaluate.similarity`, or else by TF-IDF. They are clustered by k-means, and the
number of clusters is the one with the best mean silhouette (Rousseeuw 1987, "Silhouettes: a graphical aid"). Without an
analyst, a pattern is named by its commonest category, and described by its commonest words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import dspy

from arf_programs.metrics import find_model, load_embedder
from arf_programs.models import build_lm
from arf_programs.planting import FACETS, Facet
from arf_programs.programs import Program, ask
from arf_programs.runner import RowKey, ask_rows
from arf_programs.runs import Run
from arf_programs.text import readable
from arf_programs.tools.rounds.records import Pattern, Watched
from arf_programs.values import ValueKind, find_values
from signatures.describe_pattern import DescribePattern
from signatures.exceptions import MissingExtra
from signatures.records import ErrorNote, Failure

Embedding = Callable[[Sequence[str]], Any]
"""From texts to an array of shape (texts, dimensions) whose rows have the length 1."""

_MOST: Final = 8
_FEWEST: Final = 4  # errors; fewer are one pattern
_OFTEN: Final = 0.25  # share of a pattern's errors that a facet has to concern
_FACETS: Final[Mapping[ValueKind, Facet]] = {
    "number": "number",
    "code": "number",
    "amount": "amount",
    "date": "date",
    "name": "name",
}
_WORDS: Final = 4
_SHOWN: Final = 20  # errors of a pattern that the analyst is shown


def errors_by_name(rows: Sequence[Watched]) -> dict[str, ErrorNote]:
    """Return the errors of all summaries by conversation/error."""
    return {f"{row.conversation_id}/{note.id}": note for row in rows for note in row.errors}


def text_of(note: ErrorNote) -> str:
    """Write an error in one line, as it is embedded, and as a model reads it."""
    quoted = f' "{note.quote}":' if note.quote else ""
    return " ".join(f"{readable(note.category)}:{quoted} {note.explanation}".split())


def find_embedding(run: Run, texts: Sequence[str]) -> Embedding:
    """Return what embeds texts: the configured model if it is installed, else TF-IDF, whose words come from `texts`.

    Raises ConfigError for a configured model that is not there.
    """
    from sklearn.preprocessing import normalize

    name = run.config.evaluate.similarity
    try:
        if name is not None:
            embed = load_embedder(find_model(name, run.base_dir))
            return lambda texts: normalize(embed(list(texts)))
    except MissingExtra:
        pass  # the package is optional
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit([*texts, "error"])  # noqa: S106 - a pattern of words
    return lambda texts: words.transform(texts).toarray()


def cluster(vectors: Any, seed: int) -> list[int]:
    """Give each row the number of its cluster. Few rows, or rows that are all the same, are one cluster."""
    import numpy as np
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    distinct = len(np.unique(np.round(vectors, 6), axis=0))
    best: tuple[float, list[int]] = (0.0, [0] * len(vectors))
    if len(vectors) < _FEWEST:
        return best[1]
    for k in range(2, min(_MOST, distinct, len(vectors) - 1) + 1):
        labels = KMeans(k, n_init=4, random_state=seed).fit_predict(vectors)
        score = float(silhouette_score(vectors, labels))
        if score > best[0]:
            best = score, labels.tolist()
    return best[1]


def find_patterns(errors: Mapping[str, ErrorNote], labels: Sequence[int], pairs: int) -> list[Pattern]:
    """Make a pattern of each cluster, the largest first, and share out `pairs` by the numbers of errors.

    A pattern is named by its commonest category and facets, and described by its commonest words.
    """
    groups: dict[int, dict[str, ErrorNote]] = {}
    for (name, note), label in zip(errors.items(), labels, strict=True):
        groups.setdefault(label, {})[name] = note
    largest = sorted(groups.values(), key=len, reverse=True)
    return [
        Pattern(
            id=f"pattern_{number}",
            name=_plain_name(list(group.values())),
            description=describe(list(group.values())),
            facets=facets_of(list(group.values())),
            pairs=round(pairs * len(group) / len(errors)),
            errors=tuple(group),
        )
        for number, group in enumerate(largest, start=1)
    ]


def _plain_name(notes: Sequence[ErrorNote]) -> str:
    """Name errors by their commonest category, and by their facets unless these are all facets."""
    category, facets = Counter(note.category for note in notes).most_common(1)[0][0], facets_of(notes)
    return readable(category) + (f": {', '.join(facets)}" if facets != FACETS else "")


def describe(notes: Sequence[ErrorNote]) -> str:
    """Describe errors by their categories and commonest words."""
    from sklearn.feature_extraction.text import CountVectorizer

    kinds = ", ".join(f"{count} {readable(name)}" for name, count in Counter(n.category for n in notes).most_common(3))
    split = CountVectorizer(stop_words="english").build_analyzer()
    words = Counter(word for note in notes for word in set(split(f"{note.quote} {note.explanation}")))
    common = [word for word, count in words.most_common(_WORDS) if count > 1]
    return f"Errors: {kinds}." + (f" Common words: {', '.join(common)}." if common else "")


def facets_of(notes: Sequence[ErrorNote]) -> tuple[Facet, ...]:
    """Return the facets that a quarter of the errors concern, by the values that they quote; all, if there is none."""
    counts: Counter[Facet] = Counter()
    for note in notes:
        values = (value for value in find_values(note.quote) if value.quantity is None or value.quantity.value > 1)
        counts.update({_FACETS[value.kind] for value in values if value.kind in _FACETS})
        counts["action"] += "outcome" in note.category
    often = tuple(facet for facet in FACETS if counts[facet] >= _OFTEN * len(notes) and counts[facet])
    return often or FACETS


def count_by_pattern(
    patterns: Sequence[Pattern],
    known: Mapping[str, ErrorNote],
    errors: Mapping[str, ErrorNote],
    embed: Embedding,
) -> dict[str, int]:
    """Count errors by pattern.

    An error belongs to the pattern whose `known` errors are the nearest to it on average.
    """
    import numpy as np

    counts = dict.fromkeys((pattern.id for pattern in patterns), 0)
    centres = {}
    for pattern in patterns:
        texts = [text_of(known[name]) for name in pattern.errors if name in known]
        if texts:
            centres[pattern.id] = embed(texts).mean(axis=0)
    if errors and centres:
        alike = embed([text_of(note) for note in errors.values()]) @ np.stack(list(centres.values())).T
        for place in alike.argmax(axis=1):
            counts[list(centres)[place]] += 1
    return counts


class DescribePatterns(Program):
    """Names and describes the errors of a pattern."""

    def __init__(self, *, retries: int) -> None:
        super().__init__()
        self.retries = retries
        self.describe = dspy.Predict(DescribePattern)

    async def aforward(self, pattern: Pattern, notes: Sequence[ErrorNote]) -> dspy.Prediction:
        """Return Prediction(pattern: Pattern). Raises ModelError when the answers cannot be parsed."""
        lines = "\n".join(text_of(note) for note in notes[:_SHOWN])
        answer = await ask(self.describe, retries=self.retries, errors=lines)
        name, description = (" ".join(text.split()) for text in (answer.name, answer.description))
        changes = {"name": name or pattern.name, "description": description or pattern.description}
        return dspy.Prediction(pattern=pattern.model_copy(update=changes))


def name_patterns(
    run: Run, stage: str, patterns: Sequence[Pattern], errors: Mapping[str, ErrorNote]
) -> tuple[list[Pattern], list[Failure]]:
    """Let the analyst name and describe the patterns. Return the patterns, and the failures.

    A pattern keeps its plain name if naming it failed, or if there is no analyst.
    """
    if not run.config.analyze.analyst or not patterns:
        return list(patterns), []
    analyst = run.config.models.analyst
    program = DescribePatterns(retries=analyst.parse_retries)
    program.set_lm(build_lm(analyst, seed=run.config.seed))

    async def name(pattern: Pattern) -> Pattern:
        named: Pattern = (
            await program.acall(pattern=pattern, notes=[errors[error] for error in pattern.errors])
        ).pattern
        return named

    outcome = ask_rows(
        run, stage, patterns, name, key=lambda pattern: RowKey("", pattern.id), concurrency=analyst.concurrency
    )
    named = {pattern.id: pattern for pattern in outcome.results.values()}
    return [named.get(pattern.id, pattern) for pattern in patterns], outcome.failures
