"""The report of a run: one HTML file that needs no network."""

from arf_programs.report.data import ReportData, RevisionCase, RunSummary, sample_revisions
from arf_programs.report.render import render_report

__all__ = ["ReportData", "RevisionCase", "RunSummary", "render_report", "sample_revisions"]
