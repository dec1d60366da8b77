"""The `ray` section: the cluster that `engine: ray` asks models from."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from arf_programs.config.section import Section

Engine = Literal["local", "ray"]


class RayConfig(Section):
    """Where the cluster is, and how much of it a run takes. Nothing here changes a record."""

    address: str = Field(
        default="auto", min_length=1, description="of the cluster; auto: the one that this machine is in"
    )
    workers: int = Field(default=2, ge=1, le=1000, description="actors of each stage")
    cpus: float = Field(default=1.0, gt=0, le=64, description="CPUs that each actor takes")
    batch: int = Field(
        default=500, ge=1, le=10_000, description="rows at most that go to an actor and come back together"
    )
    format: Literal["parquet", "jsonl"] = Field(default="parquet", description="of the files that rows are read from")
