"""Connect to a Ray cluster, keep Ray's own messages quiet, and carry errors from its workers to the user."""

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

_CONNECT_SECONDS = 10.0
_LOGGERS = ("ray", "ray.data")
_SETTINGS = {
    "enable_progress_bars": False,
    "print_on_execution_start": False,
    "use_datasource_v2": False,  # it lists files in a task that needs a CPU
}


def import_ray() -> Any:
    """Import Ray with Ray Data, and turn its usage reports off. Raises MissingExtra if it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray warns on stderr that a restarted actor may miss arguments. They are in this process, which lives longer.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingExtra("`engine: ray` needs the package ray: pip install 'arf-programs[ray]'") from None
    return ray


@contextmanager
def connected(config: RayConfig) -> Iterator[Any]:
    """Connect to the cluster at `config.address` and yield Ray. A connection that this process has is used again.

    Raises MissingExtra, and WorkError if there is no cluster.
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
    """Raise OSError or ValueError if nothing listens at HOST:PORT. Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()


@contextmanager
def _quiet(ray: Any) -> Iterator[None]:
    """Turn off the progress bars and messages of Ray Data inside this block, since ARF has its own."""
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


class PortableError(BaseModel):
    """An ArfError as it travels: its class and its messages. A ConfigError has a message for each problem."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    messages: tuple[str, ...]

    @classmethod
    def of(cls, error: ArfError) -> PortableError:
        messages = tuple(error.problems) if isinstance(error, ConfigError) else (str(error),)
        return cls(kind=type(error).__name__, messages=messages)

    def error(self) -> ArfError:
        """Return the error again. An unknown class becomes a StageError."""
        kind = getattr(exceptions, self.kind, StageError)
        if issubclass(kind, ConfigError):
            return ConfigError(list(self.messages))
        error: ArfError = kind(self.messages[0])
        return error
