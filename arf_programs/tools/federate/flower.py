"""The federation in Flower's terms: a strategy for the server, an app for a site, and a grid for sites on one machine.

This is the only file that needs `flwr`. Flower's own simulation runs the sites at once, in processes of Ray. Here a
site's training is a process that takes the whole machine, so `LocalGrid` asks one site after another, and needs no Ray.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")  # Flower reads it when it is imported

from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict, UserConfig
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from arf_programs.tools.federate.averaging import Method, Weights, combine_products, project
from signatures.exceptions import StageError

TrainSite = Callable[[Context, Weights, Weights, float], tuple[Weights, int]]
"""Trains at a site, from weights (empty: a new adapter), pulled towards weights (empty: the start) by a strength.

Returns the weights that it has then, and the number of its training rows.
"""

_ARRAYS, _CONFIG, _METRICS, _TOWARDS = "arrays", "config", "metrics", "towards"
_PULL, _ROWS = "proximal-mu", "num-examples"  # Flower's names


class Averaging(FedAvg):
    """Flower's FedAvg with the pull and the average of a method. Every site takes part in every round."""

    def __init__(self, method: Method, pull: float, sites: int) -> None:
        counts = {"min_train_nodes": sites, "min_available_nodes": sites}
        super().__init__(fraction_evaluate=0.0, weighted_by_key=_ROWS, **counts)
        self._method = method
        self._pull = pull
        self._before: Weights | None = None

    def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Grid) -> Iterable[Message]:
        """Send the average to all sites, with what pulls them. The projection begins with the second round."""
        method, now = self._method, _weights(arrays)
        config[_PULL] = self._pull if method.pull == "start" or (method.pull == "projection" and now) else 0.0
        messages = list(super().configure_train(server_round, arrays, config, grid))
        if method.pull == "projection" and now:
            ahead = _record(project(now, self._before))
            for message in messages:
                message.content[_TOWARDS] = ahead
            self._before = now
        return messages

    def aggregate_train(self, server_round: int, replies: Iterable[Message]) -> tuple[Any, Any]:
        """Average what the sites sent, by their numbers of rows. Raises StageError if a site failed."""
        replies = sorted(replies, key=lambda reply: reply.metadata.src_node_id)  # the same sum each time
        failed = [reply.error.reason for reply in replies if reply.has_error()]
        if failed:
            raise StageError(f"round {server_round}: {len(failed)} of {len(replies)} sites failed: {failed[0]}")
        arrays, metrics = super().aggregate_train(server_round, replies)
        if self._method.products:
            rows = [float(reply.content[_METRICS][_ROWS]) for reply in replies]
            adapters = [_weights(reply.content[_ARRAYS]) for reply in replies]
            arrays = _record(combine_products(adapters, [count / sum(rows) for count in rows]))
        return arrays, metrics


def make_client(train: TrainSite) -> ClientApp:
    """Make the app of a site, which trains when the server asks for it. Its rows never leave it."""
    app = ClientApp()

    @app.train()
    def _train(message: Message, context: Context) -> Message:
        content = message.content
        towards = _weights(content[_TOWARDS]) if _TOWARDS in content else {}
        pull = float(content[_CONFIG][_PULL])
        weights, rows = train(context, _weights(content[_ARRAYS]), towards, pull)
        reply = {_ARRAYS: _record(weights), _METRICS: MetricRecord({_ROWS: rows})}
        return Message(RecordDict(reply), reply_to=message)

    return app


def run_rounds(grid: Grid, method: Method, rounds: int, pull: float, sites: int) -> Weights:
    """Do the rounds of a method with the sites of a grid, from a new adapter, and return the last average."""
    strategy = Averaging(method, pull, sites)
    result = strategy.start(grid, ArrayRecord(), num_rounds=rounds, train_config=ConfigRecord(), timeout=_NO_END)
    return _weights(result.arrays)


_NO_END: Final = 30 * 86400.0  # seconds; a site that is gone makes Flower send an error


class LocalGrid(Grid):
    """Sites on this machine, one after another. Site number n, from 1, has `sites[n - 1]` as `site` of its config.

    Flower's strategies call `get_node_ids` and `send_and_receive` alone. The other methods of a grid are not supported.
    """

    def __init__(self, train: TrainSite, sites: Sequence[str]) -> None:
        logging.getLogger("flwr").setLevel(logging.ERROR)  # it tells of rounds and keys of messages
        self._app = make_client(train)
        self._sites = sites
        TaskIdentity.run_id, TaskIdentity.node_id, TaskIdentity.task_id = 1, 0, 1  # messages name their sender

    def get_node_ids(self) -> Iterable[int]:
        return range(1, len(self._sites) + 1)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """Let each site answer its message. What a site raises is raised."""
        ordered = sorted(messages, key=lambda message: message.metadata.dst_node_id)
        return [self._app(message, self._context(message.metadata.dst_node_id)) for message in ordered]

    def _context(self, node: int) -> Context:
        config = UserConfig({"site": self._sites[node - 1]})
        return Context(run_id=1, node_id=node, node_config=config, state=RecordDict(), run_config=UserConfig())

    @property
    def run(self) -> Any:
        raise NotImplementedError

    def set_run(self, run: Any) -> None:
        raise NotImplementedError

    def create_message(self, *args: Any, **kwargs: Any) -> Message:
        raise NotImplementedError

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError


def _weights(record: Any) -> Weights:
    return {name: array.numpy() for name, array in record.items()}


def _record(weights: Weights) -> ArrayRecord:
    return ArrayRecord({name: Array(array) for name, array in weights.items()})
