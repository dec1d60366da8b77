"""Parts of the holdout that are looked at apart: conversations by their length."""

from __future__ import annotations

from collections.abc import Mapping

from signatures.exceptions import ConfigError
from signatures.records import Conversation

_NAMES = ("short", "medium", "long")


def length_bands(conversations: Mapping[str, Conversation]) -> dict[str, str]:
    """{conversation id: its band}, bands by the tertiles of the number of words, the shortest first.

    A band's name says its limits, such as `medium (41 to 90 words)`. Conversations of one length share a band, so
    bands may differ in size, and there are fewer than three where lengths are few.
    """
    words = {name: len(conversation.as_text().split()) for name, conversation in conversations.items()}
    if not words:
        return {}
    import numpy as np

    first, second = np.quantile(list(words.values()), [1 / 3, 2 / 3], method="inverted_cdf")
    bands = {name: _NAMES[int(count > first) + int(count > second)] for name, count in words.items()}
    limits = {band: [words[name] for name in words if bands[name] == band] for band in _NAMES if band in bands.values()}
    labels = {band: f"{band} ({min(counts)} to {max(counts)} words)" for band, counts in limits.items()}
    return {name: labels[bands[name]] for name in sorted(words, key=lambda name: words[name])}


def clusters(conversations: Mapping[str, Conversation], column: str | None) -> dict[str, str]:
    """{conversation id: its value of a metadata column}; conversations without the column, or with null, are left out.

    Empty without a column: each conversation then stands for itself. Raises ConfigError when none has the column.
    """
    if column is None:
        return {}
    known = sorted({key for conversation in conversations.values() for key in conversation.metadata})
    if column not in known:
        others = f"it has {', '.join(known)}" if known else "there is no metadata"
        raise ConfigError(f"evaluate.cluster: no conversation has {column!r} in its metadata ({others}): mend the key")
    values = {name: conversation.metadata.get(column) for name, conversation in conversations.items()}
    return {name: str(value) for name, value in values.items() if value is not None}
