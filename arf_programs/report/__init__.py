"""The report: figures, headline, plots and the HTML page; and tables that compare runs."""

from arf_programs.report.compare import ComparedRuns, RunDifference, compare_runs
from arf_programs.report.data import (
    AnalyzeFigures,
    ArmFigures,
    CorpusFigures,
    EvaluateFigures,
    ReportData,
    ReviseFigures,
    RunSummary,
    SpendFigures,
    evaluation_figures,
    revision_costs,
    sample_revisions,
)
from arf_programs.report.probe import (
    AnalyzeProbe,
    Cost,
    Detected,
    Overall,
    Probe,
    Recall,
    ReviseProbe,
    Table,
    as_markdown,
    tables,
)
from arf_programs.report.render import render_report
from arf_programs.report.text import clean, duration, figure, metric_label, probability, signed_bounds

__all__ = [
    "AnalyzeFigures",
    "AnalyzeProbe",
    "ArmFigures",
    "ComparedRuns",
    "CorpusFigures",
    "Cost",
    "Detected",
    "EvaluateFigures",
    "Overall",
    "Probe",
    "Recall",
    "ReportData",
    "ReviseFigures",
    "ReviseProbe",
    "RunDifference",
    "RunSummary",
    "SpendFigures",
    "Table",
    "as_markdown",
    "clean",
    "compare_runs",
    "duration",
    "evaluation_figures",
    "figure",
    "metric_label",
    "probability",
    "render_report",
    "revision_costs",
    "sample_revisions",
    "signed_bounds",
    "tables",
]
