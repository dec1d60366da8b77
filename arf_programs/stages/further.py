"""Which revisions a configuration wants beside the main ones, and where they stand. Needs no model."""

from __future__ import annotations

from pathlib import Path

from arf_programs.config.schema import Config, Strategy
from arf_programs.fingerprint import digest
from arf_programs.run import Run


def further_strategies(config: Config) -> tuple[Strategy, ...]:
    """The strategies by which drafts are revised for an arm of their own, beside the one that is configured."""
    wanted: tuple[Strategy, ...] = ("rewrite", "taxonomy")
    return tuple(name for name in wanted if name in config.train.arms and name != config.revise.strategy)


def further_programs(config: Config) -> list[tuple[Strategy, int]]:
    """The strategies and samples by which drafts are revised beside the main ones; the first sample has number 1."""
    further, numbers = further_strategies(config), range(2, config.revise.samples + 1)
    sampled = [(name, number) for name in (config.revise.strategy, *further) for number in numbers]
    return [*((name, 1) for name in further), *sampled]


def further_outputs(run: Run) -> tuple[Path, ...]:
    """The files that `revise_further` writes under this configuration."""
    samples = (run.folder.revision_samples,) if run.config.revise.samples > 1 else ()
    return (*(run.folder.revisions_by(name) for name in further_strategies(run.config)), *samples)


def further_fingerprint(run: Run) -> dict[str, str]:
    """What the further revisions depend on beside what the main ones do; nothing where there are none."""
    strategies = further_strategies(run.config)
    return {"further strategies": digest(strategies)} if strategies else {}
