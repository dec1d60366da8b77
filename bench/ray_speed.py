"""Measure rows a second over Ray against ARF without Ray. Each row is one call; all ask one server in one run.

    python bench/ray_speed.py --rows 2000 --latency 0.2 --repeats 3

Starts `model_server.py`, and a Ray cluster of this machine in each process that needs one. The ways alternate. Seconds
are measured by the server, from the first request to the last answer, so the start of a cluster or of actors does not
count. `whole` is the time of the stage with the start of the actors. Prints a table of medians, and as the last line
one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys

from throughput import Way, asked, measure, served

WAYS = (Way("arf", 64), Way("arf", 64, actors=2), Way("arf", 256), Way("arf", 256, actors=2), Way("arf", 256, actors=4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    runs: dict[str, list[dict[str, float]]] = {way.label: [] for way in WAYS}
    with served(options.latency) as base:
        for _ in range(options.repeats):
            for way in WAYS:
                figures = measure(base, options.rows, way)
                if figures is None or asked(f"{base}/stats")["duplicates"]:
                    raise SystemExit(f"{way.label}: it hangs, or asks twice")
                sys.stderr.write(f"{way.label}: {figures['seconds']:.2f}\n")
                runs[way.label].append(figures)
    medians = {
        label: {
            name: statistics.median(item[name] for item in items) for name in ("seconds", "rows_per_second", "whole")
        }
        for label, items in runs.items()
    }
    print("| client | seconds | rows a second | whole, s |")
    print("| --- | --- | --- | --- |")
    for label, item in medians.items():
        print(f"| {label} | {item['seconds']:.2f} | {item['rows_per_second']:.0f} | {item['whole']:.1f} |")
    print(json.dumps({"rows": options.rows, "latency": options.latency, "ways": medians}))


if __name__ == "__main__":
    main()
