"""A clock for the pacing of calls that goes forward when somebody sleeps, so tests of rates wait for nothing."""

from __future__ import annotations

import asyncio
import heapq
from types import SimpleNamespace

import pytest


class VirtualClock:
    """The time that pacing sees. Sleepers wake in the order of their times."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        self._wakes: list[tuple[float, int]] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        wake = (self.now + seconds, len(self.slept))
        self.slept.append(seconds)
        heapq.heappush(self._wakes, wake)
        await asyncio.sleep(0)
        while self._wakes[0] != wake:
            await asyncio.sleep(0)
        heapq.heappop(self._wakes)
        self.now = max(self.now, wake[0])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    """The clock of pacing in this test."""
    clock = VirtualClock()
    loops = SimpleNamespace(sleep=clock.sleep, get_running_loop=asyncio.get_running_loop)
    monkeypatch.setattr("arf_programs.models.calls.pacing.asyncio", loops)
    monkeypatch.setattr("arf_programs.models.calls.pacing.time", clock)
    return clock
