"""Run the steps of a stage over many rows, in this process, in worker processes or on a Ray cluster.

Results and failures are kept in checkpoints, so a run that has stopped goes on where it was.
"""

from arf_programs.runner.collect import StepOutcome, reopen_step
from arf_programs.runner.context import ask_rows, asking, asking_from, budget_of
from arf_programs.runner.rows import RowKey, reason_of, run_rows
from arf_programs.runner.steps import Step, remove_checkpoints
from arf_programs.runner.stream import run_steps
