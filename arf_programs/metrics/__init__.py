"""Scores, statistics, detection and repair of errors, agreement with people, and win rates. Pure functions."""

from arf_programs.metrics.aggregate import (
    Figures,
    by_channel,
    by_stratum,
    by_system,
    errors_by_category,
    length_bands,
    system_metrics,
)
from arf_programs.metrics.agreement import JudgeCalibration, RatedPair, calibrate_judge, rating_agreement
from arf_programs.metrics.bootstrap import (
    Interval,
    Resampling,
    configured_resampling,
    mean_interval,
    paired_difference,
)
from arf_programs.metrics.calibration import Calibration, fit_calibration, logit, mismatches, sigmoid
from arf_programs.metrics.causal import ANY, CausalRow, causal_table
from arf_programs.metrics.checker_probe import CHECKER_PROBE, LABELLED, PLANTED_SUMMARIES, CheckerFigures, CheckerProbe
from arf_programs.metrics.comparisons import TEACHER, Comparison, compare, compare_systems, with_holm
from arf_programs.metrics.definitions import METRICS, Better, Unit, in_order
from arf_programs.metrics.detection import balanced_accuracy, score_detection
from arf_programs.metrics.fallback import (
    DOUBTFUL,
    FallbackCurve,
    FallbackPoint,
    FallbackRow,
    doubt_of,
    fallback_curve,
    point_at,
    threshold_for_errors,
    threshold_for_share,
)
from arf_programs.metrics.gate import FEWEST_UNITS, GateCheck, GateVerdict, check_margins, verdict_of
from arf_programs.metrics.paired import Effect
from arf_programs.metrics.prevalence import ErrorRates, correct_prevalence
from arf_programs.metrics.ranking import CatchCurve, catch_curve
from arf_programs.metrics.repair import Place, Untouched, count_untouched, find_exact_fixes, score_repair
from arf_programs.metrics.self_calibration import (
    SelfCalibration,
    fit_self_calibration,
    is_hopeless,
    read_calibration,
)
from arf_programs.metrics.separation import Scored, measure_separation
from arf_programs.metrics.similarity import (
    Embed,
    EmbeddingRanking,
    find_model,
    load_embedder,
    rouge,
    similarities,
)
from arf_programs.metrics.stacking import SCORE, ScoredSentence, StackedCalibration, fit_stack
from arf_programs.metrics.win_rate import WinRate, win_rates
