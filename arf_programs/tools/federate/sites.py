"""The sites of a federation: which training rows lie where, by a property of their conversations."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from signatures.exceptions import ConfigError, DataError
from signatures.records import Conversation, TrainingExample

CHANNEL: Final = "channel"
_METADATA: Final = "metadata."


def rows_by_site(
    rows: Iterable[TrainingExample], conversations: Mapping[str, Conversation], by: str, fewest: int
) -> dict[str, list[TrainingExample]]:
    """Split training rows by a property of their conversations: `channel`, or `metadata.KEY`. Sites come by name.

    A name is the value in lower case, with `_` for what is neither a letter from a to z nor a digit.

    Raises:
        ConfigError: `by` is neither of the two.
        DataError: rows without the property (all are counted), two values of one name, fewer than two sites, or a site
            with fewer than `fewest` rows.
    """
    if by != CHANNEL and not (by.startswith(_METADATA) and by.removeprefix(_METADATA)):
        raise ConfigError(f"--by {by}: write metadata.KEY, a column of the metadata, or {CHANNEL}")
    sites: defaultdict[str, list[TrainingExample]] = defaultdict(list)
    values: dict[str, str] = {}
    without: list[str] = []
    for row in rows:
        value = value_of(conversations[row.conversation_id], by)
        if value is None:
            without.append(row.conversation_id)
            continue
        name = re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_") or "site"
        if values.setdefault(name, value) != value:
            raise DataError(f"--by {by}: {values[name]!r} and {value!r} would both be called {name}: rename one")
        sites[name].append(row)
    number = len(without) + sum(map(len, sites.values()))
    if without:
        raise DataError(
            f"--by {by}: {len(without)} of {number} training rows have none (the first: {without[0]}), so it is not "
            f"known where they lie: add it to their conversations, or leave these out of the corpus"
        )
    if len(sites) < 2:
        raise DataError(f"--by {by}: all {number} training rows have the same value, and one site needs no federation")
    small = [f"{name} has {len(sites[name])}" for name in sorted(sites) if len(sites[name]) < fewest]
    if small:
        raise DataError(
            f"--by {by}: a site needs {fewest} training rows, one update of train.batch_size ({'; '.join(small)}): "
            "take another property, lower train.batch_size, or read more conversations"
        )
    return {name: sites[name] for name in sorted(sites)}


def value_of(conversation: Conversation, by: str) -> str | None:
    """Return the value of the property as text; None if there is none, or an empty one."""
    value = conversation.channel if by == CHANNEL else conversation.metadata.get(by.removeprefix(_METADATA))
    return str(value).strip() or None if isinstance(value, str | int | float) else None
