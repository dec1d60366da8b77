"""Pauses an endpoint that only fails or refuses, and tries it again, one call at a time."""

from __future__ import annotations

_TOLERATED = 20  # failures in a row before the first pause
_FIRST_PAUSE = 5.0
_LONGEST_PAUSE = 60.0


class Breaker:
    """Closed while calls succeed. After 20 failures in a row (more, where more are in flight) it is open for 5 seconds,
    then lets one call try; each try that fails doubles the pause, up to a minute. Where the endpoint asks for a longer
    pause, it gets that. `gave_up` is true once it has been open for `patience` seconds, or will be at the next try.

    Only failures of the endpoint count: no answer, an error of its own, or a refusal for its rate (429).
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._failures = 0
        self._opened: float | None = None
        self._pause = _FIRST_PAUSE
        self._closed_until_try = 0.0
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._opened is not None

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._opened, self._pause, self._trying = 0, None, _FIRST_PAUSE, False

    def failed(self, now: float, *, in_flight: int, asked: float = 0.0) -> bool:
        """A call failed, and the endpoint asked for a pause of `asked` seconds; whether this opened the breaker."""
        self._failures += 1
        if self._opened is not None:
            if self._trying:
                self._trying = False
                self._pause = min(_LONGEST_PAUSE, self._pause * 2)
                self._closed_until_try = now + max(self._pause, asked)
            return False
        if self._failures < max(_TOLERATED, in_flight):
            return False
        self._opened, self._closed_until_try = now, now + max(self._pause, asked)
        return True

    def abandoned(self) -> None:
        """A call ended without telling anything of the endpoint (cancelled, over budget): another may try."""
        self._trying = False

    def wait(self, now: float) -> float:
        """Seconds before a call may go; 0 lets it go, while open as the one that tries."""
        if self._opened is None:
            return 0.0
        if not self._trying and now >= self._closed_until_try:
            self._trying = True
            return 0.0
        return max(0.05, self._closed_until_try - now)

    def gave_up(self, now: float) -> bool:
        """Whether it has been open for longer than its patience, or the next try lies beyond it."""
        return self._opened is not None and max(now, self._closed_until_try) - self._opened > self._patience
