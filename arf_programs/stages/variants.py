"""The revisions beside the main ones: which there are, and which of them are kept.

A variant is another strategy, a further sample, or another editor. Of its verified revisions those are kept that differ
from the others, by their wording or by their facts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from arf_programs.config import Config, Strategy
from arf_programs.runs import JsonlIndex, Run, digest, digest_model, read_jsonl, read_lines, write_jsonl_atomic
from arf_programs.text import measure_change
from arf_programs.values import Value, find_values, same_value
from signatures.records import Revision, Verdict


def further_strategies(config: Config) -> tuple[Strategy, ...]:
    """Return the strategies, other than the configured one, that have an arm of their own."""
    wanted: tuple[Strategy, ...] = ("rewrite", "taxonomy")
    return tuple(name for name in wanted if name in config.train.arms and name != config.revise.strategy)


class Variant(NamedTuple):
    """Who revises, and how: the strategy, the number of the sample (from 1), and the editor.

    Editor 0 is `models.editor`, and editor k the k-th of `models.editors`.
    """

    strategy: Strategy
    sample: int = 1
    editor: int = 0

    @property
    def name(self) -> str:
        """The name under which failures are counted and files are kept."""
        sample = f" sample {self.sample}" if self.sample > 1 else ""
        return f"{self.strategy}{sample}{f' by editor {self.editor}' if self.editor else ''}"


def further_programs(config: Config) -> list[Variant]:
    """Return the variants of the further revisions. Further editors have the configured strategy alone."""
    own, further = config.revise.strategy, further_strategies(config)
    samples = [variant for name in (own, *further) for variant in samples_of(config, name)]
    return [*(Variant(name) for name in further), *samples]


def samples_of(config: Config, strategy: Strategy) -> list[Variant]:
    """Return the samples of a strategy beyond its first revisions, of each editor that has this strategy."""
    numbers = range(1, config.revise.samples + 1)
    editors = len(config.models.editors) if strategy == config.revise.strategy else 0
    further = [Variant(strategy, number, editor) for editor in range(1, editors + 1) for number in numbers]
    return [*(Variant(strategy, number) for number in numbers[1:]), *further]


def further_outputs(run: Run) -> tuple[Path, ...]:
    """Return the files of the further revisions."""
    samples = (run.folder.revision_samples,) if run.config.samples_revisions else ()
    return (*(run.folder.revisions_by(name) for name in further_strategies(run.config)), *samples)


def further_fingerprint(run: Run) -> dict[str, str]:
    """Return the hashes of the further strategies and editors; empty if there are none."""
    strategies, editors = further_strategies(run.config), run.config.models.editors
    return {
        **({"further strategies": digest(strategies)} if strategies else {}),
        **({"models.editors": digest([digest_model(model) for model in editors])} if editors else {}),
    }


def write_distinct(run: Run, main: Mapping[Strategy, Path], samples: Mapping[Strategy, Sequence[Path]]) -> int:
    """Write the further revisions that are kept, and return their number.

    Args:
        run: the run, whose `revision_samples` is written.
        main: the file of the main revisions of each strategy.
        samples: the files of its samples and further editors.
    """
    kept = (row for strategy, path in main.items() for row in _kept(run.config, strategy, path, samples[strategy]))
    write_jsonl_atomic(run.folder.revision_samples, kept)
    return sum(1 for _ in read_lines(run.folder.revision_samples))


def _kept(config: Config, strategy: Strategy, main: Path, samples: Sequence[Path]) -> Iterator[Revision]:
    if config.models.editors and strategy == config.revise.strategy:
        return distinct_by_facts(main, samples)
    return distinct_verified(_rows(samples), _rows([main]))


def _rows(paths: Iterable[Path]) -> Iterator[Revision]:
    return (row for path in paths for row in read_jsonl(path, Revision))


def distinct_verified(samples: Iterable[Revision], main: Iterable[Revision]) -> Iterator[Revision]:
    """Return the verified revisions of `samples` whose text is neither in `main` nor in an earlier sample."""
    seen = {_text_digest(row) for row in main if row.verdict is not Verdict.REJECTED}
    for row in samples:
        text = _text_digest(row)
        if row.verdict is Verdict.VERIFIED and text not in seen:
            seen.add(text)
            yield row


def _text_digest(row: Revision) -> bytes:
    """Return 16 bytes that identify a revision's text."""
    return hashlib.blake2b(f"{row.conversation_id}\n{row.after.strip()}".encode(), digest_size=16).digest()


def distinct_by_facts(main: Path, samples: Sequence[Path]) -> Iterator[Revision]:
    """Return the verified revisions of the files `samples` that `choose_distinct` keeps beside those of `main`.

    Only the revisions of one draft are in memory at a time.
    """
    first, *further = [
        JsonlIndex(path, Revision, key=lambda row: row["conversation_id"], value=_itself) for path in (main, *samples)
    ]
    for name in dict.fromkeys(name for index in further for name in index):
        revisions = [row for index in further if (row := index.get(name)) is not None]
        yield from choose_distinct(first.get(name), [row for row in revisions if row.verdict is Verdict.VERIFIED])


def choose_distinct(main: Revision | None, verified: Iterable[Revision]) -> list[Revision]:
    """Choose among the verified revisions of one draft those whose facts differ, whatever their wording.

    The facts of a text are its numbers, amounts, dates, times, codes and names, as the checks read them. `main` is kept
    in any case, unless it is rejected, so none with its facts is chosen. Of revisions with the same facts the one that
    is farthest from the others kept is chosen: by the sum of the shares of words that differ (`measure_change`). That
    is how rejection-sampling fine-tuning selects (Yuan et al. 2023, arXiv 2308.01825), with the facts in
    the place of equations, and words in that of letters.
    """
    kept = [] if main is None or main.verdict is Verdict.REJECTED else [main]
    fixed = len(kept)
    for row in verified:
        alike = next((place for place, other in enumerate(kept) if _same_facts(row, other)), None)
        if alike is None:
            kept.append(row)
        elif alike >= fixed:
            others = [other for place, other in enumerate(kept) if place != alike]
            kept[alike] = max((kept[alike], row), key=_distance_from(others))
    return kept[fixed:]


def _same_facts(one: Revision, other: Revision) -> bool:
    """Say whether each value of one text has an equal value in the other."""
    first, second = find_values(one.after), find_values(other.after)
    return _has_all(first, second) and _has_all(second, first)


def _has_all(values: Sequence[Value], wanted: Sequence[Value]) -> bool:
    return all(any(same_value(value, item) for value in values) for item in wanted)


def _distance_from(others: Sequence[Revision]) -> Callable[[Revision], float]:
    return lambda row: sum(measure_change(other.after, row.after) for other in others)


def _itself(row: Revision) -> Revision:
    return row
