"""The corpus of a run with its labelled set, split into sides, and the clusters of its conversations."""

from __future__ import annotations

from collections.abc import Mapping

from arf_programs.corpus.labeled import LabeledExample, read_labeled_of
from arf_programs.corpus.read import StoredCorpus
from arf_programs.corpus.split import Split, split_conversations
from arf_programs.runs import Run
from signatures.exceptions import ConfigError
from signatures.records import Conversation


def split_corpus(run: Run, corpus: StoredCorpus) -> tuple[Split, tuple[LabeledExample, ...]]:
    """Split the corpus, and read the labelled set.

    Raises DataError if either is not possible, and ConfigError for a wrong `evaluate.cluster`, which would otherwise
    fail only at the end.
    """
    config = run.config.corpus
    read_clusters(corpus.conversations, run.config.evaluate.cluster)
    labeled = read_labeled_of(run.config, corpus.conversations, run.base_dir)
    sides = split_conversations(
        corpus.conversations.values(),
        holdout=config.holdout,
        dev=config.dev,
        seed=run.config.seed,
        threshold=config.near_duplicate,
        # A labelled conversation may be shown to the models, so it must not test them.
        keep_in_train={example.conversation.id for example in labeled},
        keep_with=[example.conversation for example in labeled],
    )
    return sides, labeled


def read_clusters(conversations: Mapping[str, Conversation], column: str | None) -> dict[str, str]:
    """{conversation id: its value of a metadata column}, without the conversations that lack the column or have null.

    Empty without a column: each conversation then stands for itself. Raises ConfigError when none has the column.
    """
    if column is None:
        return {}
    columns = sorted({key for conversation in conversations.values() for key in conversation.metadata})
    if column not in columns:
        others = f"it has {', '.join(columns)}" if columns else "there is no metadata"
        raise ConfigError(f"evaluate.cluster: no conversation has {column!r} in its metadata ({others}): mend the key")
    values = {name: conversation.metadata.get(column) for name, conversation in conversations.items()}
    return {name: str(value) for name, value in values.items() if value is not None}
