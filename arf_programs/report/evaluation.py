"""The figures of the evaluation, from scores and revisions. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from arf_programs.metrics.aggregate import by_channel, by_stratum, system_metrics
from arf_programs.metrics.causal import causal_table
from arf_programs.metrics.comparisons import comparisons
from arf_programs.metrics.resampling import Resampling
from arf_programs.metrics.strata import length_bands
from arf_programs.metrics.win_rate import WinRate
from arf_programs.report.data import EvaluateFigures
from signatures.records import Conversation, Revision, Score


def evaluation_figures(
    *,
    scores: Sequence[Score],
    revisions: Iterable[Revision],
    holdout: Mapping[str, Conversation],
    resampling: Resampling,
    choices: Sequence[WinRate] = (),
) -> EvaluateFigures:
    """All figures of summary.json's `evaluate`; `holdout` are the conversations that were scored, by id, `choices` the
    judge's win rates.
    """
    bands = length_bands(holdout)
    return EvaluateFigures(
        systems=system_metrics(scores, resampling),
        comparisons=tuple(comparisons(scores, resampling=resampling)),
        causal=tuple(causal_table(revisions, scores, resampling)),
        win_rates=tuple(choices),
        by_channel=by_channel(scores),
        by_length=by_stratum([score for score in scores if score.conversation_id in bands], bands),
    )
