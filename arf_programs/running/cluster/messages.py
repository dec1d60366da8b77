"""What workers and the owner say to each other."""

from __future__ import annotations

from dataclasses import dataclass

from arf_programs.models.spent import Call
from arf_programs.models.call_budget import Need


@dataclass(frozen=True)
class LookUp:
    """Is there an answer under `key`? If so it is booked as `replay`, if not the worker asks for it, and has to `Leave`
    the key or to `TakeIn` its answer; `anew` if it would ask even then. Reply: the answer, or ask, or wait for another.
    """

    key: str
    replay: Call
    anew: bool


@dataclass(frozen=True)
class Spend:
    """May a call be sent? Reply: why not, or it is counted, or wait for the calls under way."""

    need: Need


@dataclass(frozen=True)
class GiveBack:
    """A call has brought no answer: what it held is free, and the try is booked as `lost`."""

    need: Need
    lost: Call | None


@dataclass(frozen=True)
class TakeIn:
    """An answer to store under `key`, and the call as it is booked."""

    key: str
    answer: str
    call: Call
    need: Need


@dataclass(frozen=True)
class Leave:
    """The worker does not ask for `key` any more."""

    key: str


Message = LookUp | Spend | GiveBack | TakeIn | Leave


@dataclass(frozen=True)
class Reply:
    """`text`: the answer, or the reason; None where the worker goes on. With `wait` it has to ask again."""

    text: str | None = None
    wait: bool = False


@dataclass(frozen=True)
class News:
    """What the driver asks for now and then: US dollars spent so far, calls under way, and what there is to say."""

    usd: float
    in_flight: int
    said: tuple[str, ...]
