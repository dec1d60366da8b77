"""An error that stops a run, on its way from a worker to the user."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from signatures import exceptions
from signatures.exceptions import ArfError, ConfigError, StageError


class Stop(BaseModel):
    """The class of an ArfError and what it says; of a ConfigError, each problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    said: tuple[str, ...]

    @classmethod
    def of(cls, error: ArfError) -> Stop:
        """The error, to be sent."""
        said = tuple(error.problems) if isinstance(error, ConfigError) else (str(error),)
        return cls(kind=type(error).__name__, said=said)

    def error(self) -> ArfError:
        """The error that was sent; a StageError for a class that is not in the tree."""
        kind = getattr(exceptions, self.kind, StageError)
        if issubclass(kind, ConfigError):
            return ConfigError(list(self.said))
        made: ArfError = kind(self.said[0])
        return made
