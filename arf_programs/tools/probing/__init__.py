"""Measures the models of a run: analyst and editor on planted errors, the judge on summaries rated by people.

These are the commands `arf plant`, `arf probe` and `arf calibrate`. `arf triage` ranks drafts.
"""

from arf_programs.tools.probing.measure import check_judge, probe
from arf_programs.tools.probing.plant import ensure_planted
from arf_programs.tools.probing.triage import Triage, rank_drafts
