"""How texts and figures are written in the report. Every text may be hostile."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from markupsafe import Markup

from arf_programs.metrics import METRICS, Unit
from arf_programs.text import clean, readable

SYSTEM_LABELS: Final = {
    "base": "Base model",
    "teacher": "Teacher",
    "reviser": "Reviser",
    "student_teacher": "Student on drafts",
    "student_rewrite": "Student on rewrites",
    "student_taxonomy": "Student (taxonomy)",
    "student_arf": "Student (ARF)",
    "student_arf_dpo": "Student (ARF, DPO)",
    "student_arf_apo": "Student (ARF, APO)",
}
MINUS: Final = "\u2212"


def finalize(value: object) -> object:
    """Prepare a value for Jinja, before it is escaped: clean texts, leave our own markup alone."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return clean(value)
    return "" if value is None else value


def system_label(system: str) -> str:
    """The name of a system for readers."""
    if system in SYSTEM_LABELS or not system.startswith("student_"):
        return SYSTEM_LABELS.get(system, system)
    return f"Student ({readable(system.removeprefix('student_'))})"


def metric_label(metric: str) -> str:
    """The name of a metric for readers."""
    return METRICS[metric].label if metric in METRICS else metric


def figure(value: float, metric: str, *, signed: bool = False) -> str:
    """Write a value of a metric: a share in per cent; a count, rating or score with its decimals.

    With `signed` it is a difference: it has its sign, and a share is in percentage points.
    """
    unit = METRICS[metric].unit if metric in METRICS else "score"
    digits, suffix, scale = _FORMATS[unit]
    number = f"{abs(value) * scale:.{digits}f}"
    sign = MINUS if value < 0 and float(number) else "+" if signed and float(number) else ""
    return f"{sign}{number}{' pts' if signed and suffix else suffix}"


_FORMATS: Final[dict[Unit, tuple[int, str, float]]] = {
    "share": (1, "%", 100.0),
    "count": (2, "", 1.0),
    "rating": (2, "", 1.0),
    "score": (3, "", 1.0),
    "words": (1, "", 1.0),
}


class _Bounded(Protocol):
    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


def signed_bounds(interval: _Bounded, metric: str) -> str:
    """Write the bounds of a difference, `−25.0 to +12.5`; the unit stands at the value beside them."""
    low, high = (figure(value, metric, signed=True).removesuffix(" pts") for value in (interval.low, interval.high))
    return f"{low} to {high}"


def probability(p: float) -> str:
    """Write a p-value with three decimals, a smaller one as `<0.001`."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def integer(value: float) -> str:
    """Write a whole number, as `12,345`."""
    return f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """Write `part` of `whole` in per cent, or a dash if the whole is 0."""
    return f"{part / whole:.0%}" if whole else "–"


def duration(seconds: float) -> str:
    """Write seconds as `8.2 s`, `3 min 05 s` or `2 h 07 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left:02d} min" if hours else f"{minutes} min {rest:02d} s"


def dollars(usd: float) -> str:
    """Write US dollars, with fractions of a cent, since calls cost so little."""
    return f"${usd:,.2f}" if usd == 0 or usd >= 0.01 else f"${usd:.4f}"


def metric_column(metric: str, checks_alone: bool) -> str:
    """The name of a metric over its column; with `checks_alone` it says who counted the errors."""
    counted = metric in ("error_rate", "errors_per_summary") and checks_alone
    return metric_label(metric) + (" that the automatic checks could see" if counted else "")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
