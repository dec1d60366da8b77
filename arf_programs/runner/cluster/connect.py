"""An error that stops a run, on its way from a worker to the user.

Ray, quietly: joins the cluster that there is, and leaves it.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import BaseModel, ConfigDict

from arf_programs.config import RayConfig
from signatures import exceptions
from signatures.exceptions import ArfError, ConfigError, MissingExtra, StageError, WorkError


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


_REACHED_WITHIN = 10.0  # seconds
_LOGGERS = ("ray", "ray.data")
_SETTINGS = {
    "enable_progress_bars": False,
    "print_on_execution_start": False,
    "use_datasource_v2": False,  # which lists files in a task that wants a CPU
}


def import_ray() -> Any:
    """Ray with Ray Data, which reports to nobody. Raises MissingExtra where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # It warns on stderr of arguments that a restarted actor could miss: they are in this process, which has to live.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtra("`engine: ray` needs the package ray: pip install 'arf-programs[ray]'") from None
    return ray


@contextmanager
def connected(config: RayConfig) -> Iterator[Any]:
    """Ray, connected to the cluster at `config.address`, or to the one that this process is connected to.

    Raises MissingExtra, and WorkError where there is no cluster.
    """
    ray = import_ray()
    ours = not ray.is_initialized()
    if ours:
        try:
            _reach(config.address)
            ray.init(config.address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, ValueError, RuntimeError) as error:
            raise WorkError(
                f"ray.address: no cluster at {config.address} ({_first_line(error)}): start one by `ray start --head`, "
                "or give its address."
            ) from None
    try:
        with _quiet(ray):
            yield ray
    finally:
        if ours:
            ray.shutdown()


def _reach(address: str) -> None:
    """Raise OSError or ValueError where nobody listens at HOST:PORT: Ray itself would try on for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_REACHED_WITHIN).close()


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Ray Data set up for a run, without its bars and messages: ARF has its own."""
    context = ray.data.DataContext.get_current()
    settings = {name: getattr(context, name) for name in _SETTINGS}
    loggers = {logger: logger.level for logger in map(logging.getLogger, _LOGGERS)}
    for name, value in _SETTINGS.items():
        setattr(context, name, value)
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, value in settings.items():
            setattr(context, name, value)
        for logger, level in loggers.items():
            logger.setLevel(level)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
