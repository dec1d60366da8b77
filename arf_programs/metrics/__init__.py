"""Scores, statistics, detection and repair of errors, agreement with people, and win rates. Pure functions."""

from arf_programs.metrics.agreement import JudgeCalibration, RatedPair, calibrate_judge, rating_agreement
from arf_programs.metrics.bootstrap import (
    Interval,
    Resampling,
    configured_resampling,
    mean_interval,
    paired_difference,
)
from arf_programs.metrics.detection import balanced_accuracy, score_detection
from arf_programs.metrics.detectors.calibration import Calibration, fit_calibration, logit, mismatches, sigmoid
from arf_programs.metrics.detectors.fallback import (
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
from arf_programs.metrics.detectors.self_calibration import (
    ScoredSentence,
    SelfCalibration,
    StackedCalibration,
    fit_self_calibration,
    is_hopeless,
    read_calibration,
)
from arf_programs.metrics.detectors.separation import (
    CHECKER_PROBE,
    LABELLED,
    PLANTED_SUMMARIES,
    CatchCurve,
    CheckerFigures,
    CheckerProbe,
    ErrorRates,
    Scored,
    catch_curve,
    correct_prevalence,
    measure_separation,
)
from arf_programs.metrics.repair import Place, Untouched, count_untouched, find_exact_fixes, score_repair
from arf_programs.metrics.similarity import (
    Embed,
    EmbeddingRanking,
    find_model,
    load_embedder,
    rouge,
    similarities,
)
from arf_programs.metrics.systems.causal import ANY, CausalRow, causal_table
from arf_programs.metrics.systems.comparisons import STUDENT, TEACHER, Comparison, compare, compare_systems, with_holm
from arf_programs.metrics.systems.definitions import (
    METRICS,
    Better,
    Figures,
    Unit,
    by_channel,
    by_stratum,
    by_system,
    errors_by_category,
    in_order,
    length_bands,
    system_metrics,
)
from arf_programs.metrics.systems.gate import FEWEST_UNITS, GateCheck, GateVerdict, check_margins, verdict_of
from arf_programs.metrics.systems.paired import Effect, sign_flip_test
from arf_programs.metrics.systems.win_rate import WinRate, win_rates
