"""`arf estimate`: calls, tokens, money and time of a run, before it is started.

The stages' own programs run over a sample with answers that stand in for a model's. Earlier runs narrow the ranges.
"""

from arf_programs.tools.estimating.estimate import estimate_run
from arf_programs.tools.estimating.figures import Estimate, Line, Range, total
