"""Measure rows a second against bare clients and DSPy. Each row is one call; all ask one server in one run.

    python bench/throughput.py --rows 2000 --latency 0.2 --repeats 3

Starts `model_server.py`, and asks it for a summary of each of `--rows` different conversations: by bare aiohttp, by
bare LiteLLM, by `dspy.Parallel` on LiteLLM, and by ARF's `draft` stage with its store on, with one worker and with two,
at 64 and 256 calls in flight; then by ARF under faults (10% 429, 5% 500, 2% resets, 1% hangs). The ways alternate,
`--repeats` times each, every time in a process of its own. Seconds are measured by the server, from the first request
to the last answer, so imports and the start of workers do not count. `whole` is the time of the process with them. CPU
and memory are those of the process and its workers. Prints a table of medians, and as the last line one JSON object
with all figures and ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
INSTRUCTION = "Summarize this customer-service conversation in two or three plain sentences."
MODEL = "hosted_vllm/m"
_PATIENCE = 90  # seconds for one way
FAULTS = ("--rate-429", "0.1", "--rate-500", "0.05", "--rate-reset", "0.02", "--rate-hang", "0.01")


@dataclass(frozen=True)
class Way:
    """A way to ask, with so many calls in flight; `workers` is ARF's."""

    name: str
    flight: int
    workers: int = 1
    faults: bool = False
    actors: int = 0  # on a Ray cluster; 0: on this machine

    @property
    def label(self) -> str:
        workers = f", {self.workers} worker{'s' * (self.workers > 1)}" if self.name == "arf" else ""
        workers = f" on Ray, {self.actors} actors" if self.actors else workers
        return f"{self.name}{workers}, {self.flight} in flight{', faults' * self.faults}"


WAYS = (
    *(Way(name, flight) for flight in (64, 256) for name in ("aiohttp", "litellm", "dspy.Parallel")),
    *(Way("arf", flight, workers) for flight in (64, 256) for workers in (1, 2)),
    Way("arf", 1024, 2),
    Way("arf", 64, 1, faults=True),
)


def conversation(number: int) -> list[dict[str, str]]:
    turns = (("Customer", f"My parcel {number} is late, where is it?"), ("Agent", "I am sorry. It left today."))
    return [{"speaker": who, "text": text} for _ in range(8) for who, text in turns]


def messages(number: int) -> list[dict[str, str]]:
    text = "\n".join(f"{turn['speaker']}: {turn['text']}" for turn in conversation(number))
    return [{"role": "system", "content": INSTRUCTION}, {"role": "user", "content": f"Conversation:\n{text}"}]


async def in_flight(rows: int, flight: int, ask: Callable[[int], Awaitable[Any]]) -> None:
    numbers = iter(range(rows))

    async def worker() -> None:
        for number in numbers:
            await ask(number)

    await asyncio.gather(*(worker() for _ in range(flight)))


def by_aiohttp(base: str, rows: int, way: Way) -> None:
    import aiohttp

    async def main() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

            async def ask(number: int) -> str:
                body = {"model": "m", "messages": messages(number), "temperature": 0, "max_tokens": 1024}
                async with session.post(f"{base}/chat/completions", json=body) as response:
                    return (await response.json())["choices"][0]["message"]["content"]

            await in_flight(rows, way.flight, ask)

    asyncio.run(main())


def by_litellm(base: str, rows: int, way: Way) -> None:
    from arf_programs.models.providers.litellm import import_litellm

    litellm = import_litellm()

    async def ask(number: int) -> Any:
        return await litellm.acompletion(
            model=MODEL, api_base=base, api_key="none", messages=messages(number), temperature=0, max_tokens=1024
        )

    asyncio.run(in_flight(rows, way.flight, ask))


def by_dspy(base: str, rows: int, way: Way) -> None:
    import dspy

    from arf_programs.programs.summarize import PlainAdapter

    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    lm = dspy.LM(MODEL, api_base=base, api_key="none", engine="litellm", temperature=0, max_tokens=1024)
    predict = dspy.Predict(dspy.Signature("conversation -> summary", INSTRUCTION))
    texts = [messages(number)[1]["content"] for number in range(rows)]
    with dspy.context(lm=lm, adapter=PlainAdapter()):
        parallel = dspy.Parallel(num_threads=way.flight, disable_progress_bar=True, timeout=0)
        parallel([(predict, dspy.Example(conversation=text).with_inputs("conversation")) for text in texts])


def by_arf(base: str, rows: int, way: Way) -> None:
    from rich.console import Console

    from arf_programs.config.load import load_config
    from arf_programs.runs.folder import RunFolder
    from arf_programs.runs.progress import Progress
    from arf_programs.runs.run import Run
    from arf_programs.stages import corpus, draft
    from arf_programs.stages.stage import run_stage

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [json.dumps({"id": f"c{n}", "conversation": conversation(n)}) for n in range(rows)]
        (folder / "corpus.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        teacher = {"model": MODEL, "api_base": base, "concurrency": way.flight, "timeout": 2, "retries": 8}
        config = {
            "run_dir": str(folder / "run"),
            "workers": way.workers,
            "engine": "ray" if way.actors else "local",
            "ray": {"workers": way.actors or 1, "cpus": 0.5},
            "corpus": {"path": "corpus.jsonl", "near_duplicate": 1.0},
            "summarize": {"instruction": INSTRUCTION},
            "models": {"teacher": teacher},
        }
        (folder / "arf.yaml").write_text(json.dumps(config), encoding="utf-8")
        resolved = load_config(folder / "arf.yaml", [])
        run = Run(resolved, folder, RunFolder(resolved.run_dir), Progress(Console(stderr=True), quiet=True))
        run_stage(corpus.STAGE, run)
        if way.actors:
            from arf_programs.runner.cluster.connect import import_ray

            import_ray().init(num_cpus=4, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        start = time.monotonic()
        counts = run_stage(draft.STAGE, run).counts
        sys.stderr.write(f"{way.label}: {counts} in {time.monotonic() - start:.1f} s\n")
        if counts["failed"] or counts["drafts"] != rows:
            raise SystemExit(f"{way.label}: {counts}")


ASK = {"aiohttp": by_aiohttp, "litellm": by_litellm, "dspy.Parallel": by_dspy, "arf": by_arf}


def work(base: str, rows: int, way: Way) -> None:
    """Work in one way in this process, and print time and memory as JSON."""
    start = time.monotonic()
    ASK[way.name](base, rows, way)
    whole = time.monotonic() - start
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(
        json.dumps({
            "whole": whole,
            "cpu": sum(item.ru_utime + item.ru_stime for item in used),
            "peak_mb": sum(item.ru_maxrss for item in used) / 1024,
        })
    )  # fmt: skip


@contextmanager
def served(latency: float, arguments: tuple[str, ...] = ()) -> Any:
    command = [sys.executable, str(HERE / "model_server.py"), "--latency", str(latency), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield (server.stdout.readline() if server.stdout else "").strip()
        finally:
            server.terminate()


def asked(url: str, *, post: bool = False) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method="POST" if post else "GET"), timeout=10) as answer:
        return json.loads(answer.read() or b"null")


def measure(base: str, rows: int, way: Way) -> dict[str, float] | None:
    """Measure one way in a process of its own; None if it hangs."""
    asked(f"{base}/reset", post=True)
    spec = json.dumps(dataclasses.asdict(way))
    command = [sys.executable, __file__, "--base", base, "--rows", str(rows), "--way", spec]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise SystemExit(f"{way.label} failed:\n{done.stderr[-2000:]}")
    figures = json.loads(done.stdout.splitlines()[-1])
    counts = asked(f"{base}/stats")
    seconds = counts["last"] - counts["first"]
    return {
        **figures,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "cpu_ms": 1000 * figures["cpu"] / rows,
        "requests": counts["requests"],
        "duplicates": counts["duplicates"],
        "peak_in_flight": counts["peak_in_flight"],
    }


def summary(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """The ratios: one worker to bare LiteLLM, the best setting to dspy.Parallel at 64, and with faults to without."""
    speed = {label: item["rows_per_second"] for label, item in figures.items()}
    arf = {way: speed[way.label] for way in WAYS if way.name == "arf" and not way.faults and way.label in speed}
    plain, faulty = Way("arf", 64).label, Way("arf", 64, 1, faults=True).label
    return {
        "arf_over_litellm": speed[plain] / speed[Way("litellm", 64).label],
        "arf_over_litellm_256": speed[Way("arf", 256).label] / speed[Way("litellm", 256).label],
        "arf_over_dspy_parallel": max(arf.values()) / speed[Way("dspy.Parallel", 64).label],
        "arf_64_over_dspy_parallel": max(v for way, v in arf.items() if way.flight == 64)
        / speed[Way("dspy.Parallel", 64).label],
        "faults_over_faultless": figures[faulty]["seconds"] / figures[plain]["seconds"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--base", help=argparse.SUPPRESS)
    parser.add_argument("--way", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        work(options.base, options.rows, Way(**options.way))
        return
    runs: dict[str, list[dict[str, float]]] = {way.label: [] for way in WAYS}
    hung: Counter[str] = Counter()
    with served(options.latency) as plain, served(options.latency, FAULTS) as faulty:
        for _ in range(options.repeats):
            for way in WAYS:
                figures = measure(faulty if way.faults else plain, options.rows, way)
                sys.stderr.write(f"{way.label}: {'hung' if figures is None else round(figures['seconds'], 2)}\n")
                if figures is None:
                    hung[way.label] += 1
                else:
                    runs[way.label].append(figures)
    medians = {
        label: {name: statistics.median(item[name] for item in items) for name in items[0]}
        for label, items in runs.items()
        if items
    }
    print("| client | seconds | rows a second | CPU a row, ms | peak memory, MB | whole, s |")
    print("| --- | --- | --- | --- | --- | --- |")
    for label, item in medians.items():
        print(
            f"| {label} | {item['seconds']:.2f} | {item['rows_per_second']:.0f} | {item['cpu_ms']:.2f} "
            f"| {item['peak_mb']:.0f} | {item['whole']:.1f} |"
        )
    print(
        json.dumps(
            {"rows": options.rows, "latency": options.latency, "hung": hung, "ways": medians, **summary(medians)}
        )
    )


if __name__ == "__main__":
    main()
