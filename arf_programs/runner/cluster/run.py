"""A stage's rows through Ray Data: from files, through one pool of actors a step, back to this process."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from arf_programs.config import RayConfig
from arf_programs.runner.cluster.connect import Stop, connected
from arf_programs.runner.cluster.owner import Job, News, Owner
from arf_programs.runner.cluster.pool import StepActor, from_table, write_files
from arf_programs.runner.collect import Task
from arf_programs.runner.steps import Step
from arf_programs.runs import Run
from signatures.exceptions import ArfError, StageError

_FILES = "ray"  # within `parts/`
_SECONDS_BETWEEN_NEWS = 1.0
_READERS = 2
_BLOCKS_AN_ACTOR = 4
_ROWS_A_ROUND = 500_000  # written to files before the first of them is asked about; a round takes seconds to start


class Cluster:
    """The way of `engine: ray`."""

    def __init__(self, ray: Any, run: Run, steps: Sequence[Step[Any, Any]], total: int) -> None:
        self._ray, self._run, self._job = ray, run, Job.of(run, steps)
        self._rows_a_block = rows_a_block(run.config.ray, total)
        self._owner = _start_owner(ray, self._job)
        self._news = News(0.0, 0, ())
        self._asked = 0.0

    def usd(self) -> float:
        """US dollars spent so far."""
        return self._news.usd

    def work(self, tasks: Iterator[Task], take_in: Callable[..., None]) -> None:
        """Have the cluster do the tasks; each result is handed to `take_in` as its block comes.

        Raises the first error that a row stopped for, and StageError where the cluster fails.
        """
        self._warn_of_few_cpus()
        while self._round(islice(tasks, _ROWS_A_ROUND), take_in):
            pass

    def _round(self, tasks: Iterator[Task], take_in: Callable[..., None]) -> bool:
        """Do so many tasks; False where there were none."""
        with self._files() as folder:
            paths = write_files(tasks, folder, self._run.config.ray.format, self._rows_a_block)
            if not paths:
                return False
            try:
                self._take_blocks(paths, take_in)
            except self._ray.exceptions.RayError as error:
                if not self._is_the_clusters(error):
                    raise  # a defect, with its traceback
                raise StageError(
                    f"the Ray cluster failed ({type(error).__name__}): what was done is kept, and the same command "
                    "goes on from there."
                ) from error
            return True

    def close(self) -> None:
        """End the owner, when its files are closed."""
        with suppress(self._ray.exceptions.RayError):  # it is dead already
            self._ray.get(self._owner.close.remote())
        self._ray.kill(self._owner)

    def _is_the_clusters(self, error: BaseException) -> bool:
        """Whether the cluster failed: not only a function that ran on it."""
        kinds = self._ray.exceptions
        return any(
            isinstance(item, kinds.RayError) and not isinstance(item, kinds.RayTaskError) for item in _chain(error)
        )

    def _take_blocks(self, paths: list[Path], take_in: Callable[..., None]) -> None:
        stop: Stop | None = None
        for block in self._dataset(paths).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            news = self._hear(force=stop is not None)
            for row in from_table(block):
                for done in row.done:
                    take_in(done, in_flight=news.in_flight)
                stop = stop or row.stop
            if stop is not None and self._calls_have_ended():
                break
        self._hear(force=True)
        if stop is not None:
            raise stop.error()

    def _dataset(self, paths: list[Path]) -> Any:
        settings, data = self._run.config.ray, self._ray.data
        read = data.read_parquet if settings.format == "parquet" else data.read_json
        more: dict[str, Any] = {} if settings.format == "parquet" else {"lines": True, "file_extensions": ["jsonl"]}
        # A file is a block. Reading takes no CPU of the cluster, or actors that fill it up would wait for it for ever.
        rows = read(
            [str(path) for path in paths],
            num_cpus=0,
            concurrency=_READERS,
            override_num_blocks=len(paths),
            **more,
        )
        for place in range(len(self._job.steps)):
            blocks = 1 + -(-self._job.slots(place) // self._rows_a_block)
            rows = rows.map_batches(
                StepActor,
                fn_constructor_kwargs={"job": self._job, "place": place, "owner": self._owner},
                batch_size=None,
                batch_format="pyarrow",
                num_cpus=settings.cpus,
                compute=data.ActorPoolStrategy(
                    size=settings.workers,
                    max_concurrent_calls_per_actor=blocks,
                    max_tasks_in_flight_per_actor=blocks + 1,
                    enable_true_multi_threading=True,
                ),
            )
        return rows

    def _calls_have_ended(self) -> bool:
        """Have no further call sent; whether those that were under way are paid for and stored."""
        self._ray.get(self._owner.stop.remote())
        return self._hear(force=True).in_flight == 0

    def _hear(self, *, force: bool = False) -> News:
        """The owner's news, once a second; what workers have to say is said."""
        if force or time.monotonic() - self._asked >= _SECONDS_BETWEEN_NEWS:
            self._asked = time.monotonic()
            self._news = self._ray.get(self._owner.news.remote())
            for text in self._news.said:
                self._run.progress.say(text)
        return self._news

    def _warn_of_few_cpus(self) -> None:
        settings = self._run.config.ray
        wanted = self._job.actors * settings.cpus
        has = self._ray.cluster_resources().get("CPU", 0)
        if wanted > has:
            self._run.progress.say(
                f"  The cluster has {has:g} CPUs, and {self._job.actors} actors take {wanted:g}: some of them wait. "
                "Lower ray.workers or ray.cpus if no more will come."
            )

    @contextmanager
    def _files(self) -> Iterator[Path]:
        folder = self._job.run.folder / "parts" / _FILES
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def rows_a_block(settings: RayConfig, total: int) -> int:
    """Rows that travel together: as configured, and no more than leave some blocks for each actor."""
    return max(1, min(settings.batch, -(-total // (_BLOCKS_AN_ACTOR * settings.workers))))


def _start_owner(ray: Any, job: Job) -> Any:
    """The owner of answers and budget, on this machine. Raises the ArfError that it cannot be started for."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    owner = ray.remote(Owner).options(num_cpus=0, scheduling_strategy=here, max_restarts=0).remote(job)
    try:
        ray.get(owner.news.remote())
    except ray.exceptions.RayError as error:
        raise next((item for item in _chain(error) if isinstance(item, ArfError)), error) from None
    return owner


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what Ray wrapped in it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = getattr(seen, "cause", None) or seen.__cause__


@contextmanager
def on_cluster(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> Iterator[Cluster]:
    """A run's cluster, connected, with an owner. Raises MissingExtra, and WorkError where there is no cluster."""
    with connected(run.config.ray) as ray:
        cluster = Cluster(ray, run, steps, total)
        try:
            yield cluster
        finally:
            cluster.close()
