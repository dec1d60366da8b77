"""The apps of sites on several machines, which Flower's `flwr run` starts: one at the server, one at each node.

A node has a run folder of its own with trained students (`arf train`), and names it in its configuration:
`--node-config 'run="runs/mine"'`. The server knows no row: it gets the weights of adapters and numbers of rows.
"""

from __future__ import annotations

from pathlib import Path

import safetensors.numpy
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from arf_programs.config import load_config
from arf_programs.runs import Progress, Run, RunFolder, lock_run, read_jsonl, saved_base_dir
from arf_programs.tools.federate.averaging import METHODS, Weights
from arf_programs.tools.federate.flower import make_client, run_rounds
from arf_programs.tools.federate.sites import ARM, SiteTrainer
from signatures.records import TrainingExample

server_app = ServerApp()


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    """Do the rounds that the configuration of the run wants, and write the average to its `output`."""
    wanted = context.run_config
    rounds, sites = int(wanted["rounds"]), int(wanted["sites"])
    average = run_rounds(grid, METHODS[str(wanted["method"])], rounds, float(wanted["pull"]), sites)
    output = Path(str(wanted["output"]))
    output.parent.mkdir(parents=True, exist_ok=True)
    safetensors.numpy.save_file(average, output)


def answer(context: Context, start: Weights, towards: Weights, pull: float) -> tuple[Weights, int]:
    """Train on the rows of the run that the configuration of this node names."""
    from rich.console import Console

    folder = RunFolder(Path(str(context.node_config["run"])))
    config = load_config(folder.config)
    run = Run(config, saved_base_dir(folder), folder, Progress(Console(stderr=True), quiet=True))
    rows = list(read_jsonl(folder.train / f"{ARM}.jsonl", TrainingExample))
    trainer = SiteTrainer(run, folder.federated / "sites", {"here": rows})
    with lock_run(run):
        return trainer.answer(
            "here", "here", config.train.epochs / int(context.run_config["rounds"]), start, towards, pull
        )


client_app = make_client(answer)
