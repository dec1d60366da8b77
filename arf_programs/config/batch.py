"""The `batch` section of a model: how requests are gathered for the provider's batch API."""

from __future__ import annotations

from pydantic import Field

from arf_programs.config.section import Section


class BatchConfig(Section):
    """How `mode: batch` gathers, submits and waits. The limits are OpenAI's (platform.openai.com/docs/guides/batch)."""

    max_requests: int = Field(default=50_000, ge=1, le=100_000, description="requests in one batch at most")
    max_megabytes: int = Field(default=200, ge=1, le=1000, description="size of one batch's file at most")
    max_batches: int = Field(default=16, ge=1, le=1000, description="batches under way at most")
    quiet: float = Field(default=5.0, gt=0, description="seconds without a further request before a batch is sent")
    poll: float = Field(default=60.0, gt=0, description="seconds between looks at a batch under way")
    discount: float = Field(default=0.5, ge=0, le=1, description="price of a batch as a share of the live price")
