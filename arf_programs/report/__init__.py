"""The report of a run: its figures (summary.json), the HTML page, the tables of a probe, and runs compared.

It gathers figures from the files of a run, but asks no model and writes no file.
"""

from arf_programs.report.calibration import calibration_lines
from arf_programs.report.compare import ComparedRuns, GateResult, RunDifference, compare_runs, gate_runs
from arf_programs.report.data import RunSummary, without_texts
from arf_programs.report.gather import Sources, fallback_rows, gather_report, gather_summary, teacher_price
from arf_programs.report.page.headline import READ_BY_NOBODY
from arf_programs.report.page.render import render_report
from arf_programs.report.probe import (
    AnalyzeProbe,
    Cost,
    Detected,
    Overall,
    Probe,
    Recall,
    ReviseProbe,
    as_markdown,
    tables,
)
from arf_programs.report.text import duration, figure, markdown_table, metric_label, probability, signed_bounds
