"""The causal table: how often each kind of error occurs in drafts, revisions and the systems' summaries.

On the training side each draft is paired with its revision. On the holdout each system is paired with the teacher. A
share counts a category once per summary. A gain counts it as often as it occurs, so that the gains add up to the
difference in errors per summary.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import Field

from arf_programs.metrics.bootstrap import DEFAULT, Interval, Resampling
from arf_programs.metrics.systems.comparisons import TEACHER
from arf_programs.metrics.systems.definitions import by_system, in_order
from signatures.records import ErrorNote, Record, Revision, Score

ANY = ""
Counts = Counter[str]


class CausalRow(Record):
    """One category of error (`""`: any error), in shares from 0 to 1 with their intervals.

    Training side:
        `drafts` and `revisions` are the shares of texts with the error, `change` their paired difference.
        `fixed` is the share of the drafts with the error whose revision is without it.
        `added` is the share of the drafts without the error whose revision has it. For any error it is the share of all
        drafts whose revision has a category that the draft did not have.
    Holdout, by system:
        `holdout` is the share of summaries with the error, `against_teacher` its paired difference from the teacher.
        `gain` is the number of such errors per summary minus that of the teacher.
        `part` is the gain's part of the whole difference, None if there is no difference. It is negative if the
        category changed in the opposite direction to the whole.
    """

    category: str
    drafts: Interval | None = None
    revisions: Interval | None = None
    change: Interval | None = None
    fixed: Interval | None = None
    added: Interval | None = None
    holdout: dict[str, Interval] = Field(default_factory=dict)
    against_teacher: dict[str, Interval] = Field(default_factory=dict)
    gain: dict[str, Interval] = Field(default_factory=dict)
    part: dict[str, float | None] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Material:
    """Numbers of errors by category: before and after each revision, and of each system's summaries."""

    before: dict[str, Counts]
    after: dict[str, Counts]
    systems: dict[str, dict[str, Counts]]

    def categories(self) -> list[str]:
        """All categories, the most frequent in the drafts and the teacher's summaries first."""
        every = [*self.before.values(), *self.after.values()]
        every += [counts for rows in self.systems.values() for counts in rows.values()]
        first = sum([*self.before.values(), *self.systems.get(TEACHER, {}).values()], Counter())
        return sorted({name for counts in every for name in counts}, key=lambda name: (-first[name], name))


def causal_table(
    revisions: Iterable[Revision], scores: Sequence[Score], resampling: Resampling = DEFAULT
) -> list[CausalRow]:
    """A row for any error, then one for each category; empty if nothing was revised or scored.

    Revisions of every verdict count: the errors that remain in a rejected revision count as remaining.
    """
    counted = {row.conversation_id: (_counts(row.errors), _counts(row.remaining)) for row in revisions}
    material = _Material(
        before={name: before for name, (before, _) in counted.items()},
        after={name: after for name, (_, after) in counted.items()},
        systems={
            system: {name: _counts(score.errors) for name, score in rows.items()}
            for system, rows in by_system(scores).items()
        },
    )
    if not material.before and not material.systems:
        return []
    return [_row(material, category, resampling) for category in (ANY, *material.categories())]


def _counts(errors: Sequence[ErrorNote]) -> Counts:
    return Counter(note.category for note in errors)


def _number(counts: Counts, category: str) -> int:
    return counts.total() if category == ANY else counts[category]


def _row(material: _Material, category: str, tool: Resampling) -> CausalRow:
    systems = material.systems
    gains = _against_teacher(systems, lambda counts: _number(counts, category), tool)
    whole = {name: _total_difference(systems[name], systems[TEACHER]) for name in gains}
    return CausalRow(
        category=category,
        **_training(material, category, tool),
        holdout={
            name: interval
            for name, rows in systems.items()
            if (interval := tool.mean({key: float(_number(counts, category) > 0) for key, counts in rows.items()}))
        },
        against_teacher=_against_teacher(systems, lambda counts: _number(counts, category) > 0, tool),
        gain=gains,
        part={name: interval.value / whole[name] if whole[name] else None for name, interval in gains.items()},
    )


def _training(material: _Material, category: str, tool: Resampling) -> dict[str, Interval | None]:
    had = {name: _number(counts, category) > 0 for name, counts in material.before.items()}
    has = {name: _number(material.after[name], category) > 0 for name in had}
    if category == ANY:
        new = {name: bool(material.after[name].keys() - material.before[name].keys()) for name in had}
    else:
        new = {name: has[name] for name in had if not had[name]}
    return {
        "drafts": tool.mean(had),
        "revisions": tool.mean(has),
        "change": tool.mean({name: float(has[name]) - float(had[name]) for name in had}),
        "fixed": tool.mean({name: not has[name] for name in had if had[name]}),
        "added": tool.mean(new),
    }


def _against_teacher(
    systems: Mapping[str, Mapping[str, Counts]], read: Callable[[Counts], float], tool: Resampling
) -> dict[str, Interval]:
    """The paired mean difference of `read` between each other system and the teacher."""
    teacher = systems.get(TEACHER, {})
    differences = {}
    for system in in_order(systems):
        both = [name for name in systems[system] if name in teacher]
        if system == TEACHER or not both:
            continue
        interval = tool.mean({name: float(read(systems[system][name]) - read(teacher[name])) for name in both})
        if interval is not None:
            differences[system] = interval
    return differences


def _total_difference(system: Mapping[str, Counts], teacher: Mapping[str, Counts]) -> float:
    """Errors per summary of a system minus those of the teacher, over the conversations of both."""
    both = [name for name in system if name in teacher]
    return sum(system[name].total() - teacher[name].total() for name in both) / len(both)
