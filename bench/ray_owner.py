"""Measure how many calls a second the owner of a run on Ray serves. This bounds a cluster of any number of nodes.

    python bench/ray_owner.py --calls 5000

Starts a Ray cluster of this machine and an owner, which `--workers` processes ask about different calls: they look up
the key, spend, and hand in an answer of 1.5 kB, 64 at once in each process. Prints one JSON object: calls a second, and
milliseconds of processor time of the owner a call, which is the bound on a machine with free cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

IN_FLIGHT = 64


def ask(owner: Any, name: str, calls: int) -> None:
    from arf_programs.models.answers.budget import Need
    from arf_programs.runner.cluster.owner import LookUp, OwnerConnection, Spend, StoreAnswer
    from arf_programs.runs.ledger import Call

    need, answer = Need(500, 0.0), "x" * 1500
    call = Call(stage="draft", model="m", cached=False, prompt_tokens=400, completion_tokens=50)
    numbers = iter(range(calls))

    async def worker(connection: OwnerConnection) -> None:
        for number in numbers:
            key = f"{name}-{number}"
            await connection.ask(LookUp(key, call, False))
            await connection.ask(Spend(need))
            await connection.ask(StoreAnswer(key, answer, call, need))

    async def work() -> None:
        connection = OwnerConnection(owner, name)
        keeping = asyncio.create_task(connection.run())
        await asyncio.gather(*(worker(connection) for _ in range(IN_FLIGHT)))
        keeping.cancel()

    asyncio.run(work())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    from arf_programs.config.schema import Config
    from arf_programs.runner.cluster.connect import import_ray
    from arf_programs.runner.cluster.owner import Job, Owner
    from arf_programs.runner.workers import PortableRun

    class Timed(Owner):
        def processor(self) -> float:
            return time.process_time()

    ray = import_ray()
    ray.init(num_cpus=options.workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        config = Config.model_validate({"corpus": {"path": "none"}, "models": {"teacher": "scripted/none"}})
        job = Job(PortableRun(config, Path(name), Path(name) / "run"), (), ())
        owner = ray.remote(Timed).options(num_cpus=0).remote(job)
        asking = ray.remote(ask)
        ray.get([asking.remote(owner, f"warm{n}", 100) for n in range(options.workers)])
        start, used = time.monotonic(), ray.get(owner.processor.remote())
        share = options.calls // options.workers
        ray.get([asking.remote(owner, f"w{n}", share) for n in range(options.workers)])
        seconds = time.monotonic() - start
        used = ray.get(owner.processor.remote()) - used
        done = share * options.workers
        print(json.dumps({"calls": done, "calls_per_second": done / seconds, "owner_cpu_ms": 1000 * used / done}))
        ray.get(owner.close.remote())
        ray.shutdown()


if __name__ == "__main__":
    main()
