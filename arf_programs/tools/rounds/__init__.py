"""The second round, `arf improve`: a student learns from the errors that it makes on the dev side of the split.

After PaDA-Agent (arXiv 2510.18143): errors become patterns, and each pattern gets training pairs of its own.
"""

from arf_programs.tools.rounds.job import improve
from arf_programs.tools.rounds.records import Pattern, PatternFigures, RoundFigures
