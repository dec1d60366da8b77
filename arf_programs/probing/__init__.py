"""`arf plant` and `arf probe`: measures analyst and editor on planted errors."""

from arf_programs.probing.judge import check_judge
from arf_programs.probing.measure import probe
from arf_programs.probing.plant import ensure_planted

__all__ = [
    "check_judge",
    "ensure_planted",
    "probe",
]
