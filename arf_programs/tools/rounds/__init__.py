"""The second round, `arf improve`: a student learns from the errors that it makes on the dev side of the split.

After PaDA-Agent (arXiv 2510.18143): errors become patterns, and each pattern gets training pairs of its own. `arf
stress` searches for conversations that make the student fail, after ReverseGen (arXiv 2410.16736).
"""

from arf_programs.tools.rounds.improvement import holdout_setting, improve
from arf_programs.tools.rounds.records import RoundFigures
from arf_programs.tools.rounds.search import stress, stress_folder
