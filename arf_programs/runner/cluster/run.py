"""Send the rows of a stage through Ray Data, with one pool of actors for each step, and collect the results here."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from arf_programs.runner.cluster.connect import PortableError, connected
from arf_programs.runner.cluster.owner import Job, Owner, OwnerStatus
from arf_programs.runner.cluster.pool import StepActor, from_table, write_files
from arf_programs.runner.collect import Task
from arf_programs.runner.steps import Step
from arf_programs.runs import Run
from signatures.exceptions import ArfError, StageError

_FOLDER = "ray"  # in `parts/`
_STATUS_SECONDS = 1.0  # between two calls for the owner's status
_READERS = 2
_BLOCKS_AN_ACTOR = 4
_ROWS_A_ROUND = 500_000  # written to files before the first is asked about; a round takes seconds to start


@contextmanager
def on_cluster(run: Run, steps: Sequence[Step[Any, Any]], total: int) -> Iterator[ClusterExecutor]:
    """Connect to the cluster and start the owner. Raises MissingExtra, and WorkError if there is no cluster."""
    with connected(run.config.ray) as ray:
        executor = ClusterExecutor(ray, run, steps, total)
        try:
            yield executor
        finally:
            executor.close()


class ClusterExecutor:
    """Does tasks on a Ray cluster, for `engine: ray`."""

    def __init__(self, ray: Any, run: Run, steps: Sequence[Step[Any, Any]], total: int) -> None:
        self._ray, self._run, self._job = ray, run, Job.of(run, steps)
        # As configured, but each actor gets some blocks.
        self._rows_a_block = max(1, min(run.config.ray.batch, -(-total // (_BLOCKS_AN_ACTOR * run.config.ray.workers))))
        self._owner = _start_owner(ray, self._job)
        self._status = OwnerStatus(0.0, 0, ())
        self._status_time = 0.0

    def usd(self) -> float:
        return self._status.usd

    def execute(self, tasks: Iterator[Task], collect: Callable[..., None]) -> None:
        """Do the tasks on the cluster, and call `collect` with each result when its block comes.

        Raises the first error that stopped a row, and StageError if the cluster fails.
        """
        self._warn_of_few_cpus()
        while self._execute_round(islice(tasks, _ROWS_A_ROUND), collect):
            pass

    def close(self) -> None:
        """Let the owner close its files, and end it."""
        with suppress(self._ray.exceptions.RayError):  # the owner is dead already
            self._ray.get(self._owner.close.remote())
        self._ray.kill(self._owner)

    def _execute_round(self, tasks: Iterator[Task], collect: Callable[..., None]) -> bool:
        """Do the tasks of a round. Return False if there are none."""
        with self._folder() as folder:
            paths = write_files(tasks, folder, self._run.config.ray.format, self._rows_a_block)
            if not paths:
                return False
            try:
                self._collect_blocks(paths, collect)
            except self._ray.exceptions.RayError as error:
                if not self._is_cluster_failure(error):
                    raise  # a defect, with its traceback
                raise StageError(
                    f"the Ray cluster failed ({type(error).__name__}): what was done is kept, and the same command "
                    "goes on from there."
                ) from error
            return True

    def _is_cluster_failure(self, error: BaseException) -> bool:
        """Whether the cluster itself failed, not only a function that ran on it."""
        kinds = self._ray.exceptions
        return any(
            isinstance(item, kinds.RayError) and not isinstance(item, kinds.RayTaskError) for item in _chain(error)
        )

    def _collect_blocks(self, paths: list[Path], collect: Callable[..., None]) -> None:
        error: PortableError | None = None
        for block in self._dataset(paths).iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            status = self._update_status(force=error is not None)
            for row in from_table(block):
                for result in row.results:
                    collect(result, in_flight=status.in_flight)
                error = error or row.error
            if error is not None and self._calls_have_ended():
                break
        self._update_status(force=True)
        if error is not None:
            raise error.error()

    def _dataset(self, paths: list[Path]) -> Any:
        settings, data = self._run.config.ray, self._ray.data
        read = data.read_parquet if settings.format == "parquet" else data.read_json
        more: dict[str, Any] = {} if settings.format == "parquet" else {"lines": True, "file_extensions": ["jsonl"]}
        # A file is a block. Reading takes no CPU: actors may have them all, and would wait for the files for ever.
        rows = read(
            [str(path) for path in paths],
            num_cpus=0,
            concurrency=_READERS,
            override_num_blocks=len(paths),
            **more,
        )
        for step in range(len(self._job.steps)):
            blocks = 1 + -(-self._job.slots(step) // self._rows_a_block)
            rows = rows.map_batches(
                StepActor,
                fn_constructor_kwargs={"job": self._job, "step": step, "owner": self._owner},
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
        """Stop further calls. Return True when all calls under way have ended and their answers are stored."""
        self._ray.get(self._owner.stop.remote())
        return self._update_status(force=True).in_flight == 0

    def _update_status(self, *, force: bool = False) -> OwnerStatus:
        """Return the owner's status, at most a second old, and show the workers' messages."""
        if force or time.monotonic() - self._status_time >= _STATUS_SECONDS:
            self._status_time = time.monotonic()
            self._status = self._ray.get(self._owner.status.remote())
            for text in self._status.messages:
                self._run.progress.say(text)
        return self._status

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
    def _folder(self) -> Iterator[Path]:
        folder = self._job.run.folder / "parts" / _FOLDER
        shutil.rmtree(folder, ignore_errors=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _start_owner(ray: Any, job: Job) -> Any:
    """Start the owner on this machine. Raises an ArfError of its start, such as a wrong configuration."""
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), soft=False
    )
    owner = ray.remote(Owner).options(num_cpus=0, scheduling_strategy=here, max_restarts=0).remote(job)
    try:
        ray.get(owner.status.remote())
    except ray.exceptions.RayError as error:
        raise next((item for item in _chain(error) if isinstance(item, ArfError)), error) from None
    return owner


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and the errors that Ray wrapped in it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = getattr(seen, "cause", None) or seen.__cause__
