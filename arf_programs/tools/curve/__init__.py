"""`arf curve`: students of fractions of the conversations, and what more conversations would buy and cost."""

from arf_programs.tools.curve.curve import Curve, FewerRevisions, measure_curve
from arf_programs.tools.curve.fit import MetricCurve
from arf_programs.tools.curve.points import link_shared, run_of_students
