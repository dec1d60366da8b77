"""The stages of the pipeline.

A file says what its stage depends on, how its program is built, and what it does to a row.
"""

from arf_programs.stages.analyze import STAGE as ANALYZE
from arf_programs.stages.analyze import (
    analyst_fingerprint,
    analysts,
    build_analyzer,
    build_support,
    calibrate,
    checker_digest,
    load_checkers,
    read_run_calibration,
    refuse_calibration,
    support_to_calibrate,
)
from arf_programs.stages.calibration import AT_ONCE, planted_talks
from arf_programs.stages.corpus import STAGE as CORPUS
from arf_programs.stages.corpus import store_conversations
from arf_programs.stages.draft import STAGE as DRAFT
from arf_programs.stages.draft import TEACHER, build_teacher
from arf_programs.stages.evaluation.evaluate import STAGE as EVALUATE
from arf_programs.stages.evaluation.evaluate import answer_holdout
from arf_programs.stages.evaluation.scoring import build_judge, embedding_digest, prepare_checker
from arf_programs.stages.evaluation.systems import models_of_systems, own_model, pairs_to_compare, prepare_answers
from arf_programs.stages.evaluation.vllm import BASE, adapter_rank, template_of, vllm_to_use
from arf_programs.stages.report import STAGE as REPORT
from arf_programs.stages.report import keeping_report, share_report
from arf_programs.stages.revise import STAGE as REVISE
from arf_programs.stages.revise import analyze_and_revise, build_reviser, scores_sentences
from arf_programs.stages.stage import Stage, StageState, run_stage, run_together, state_of
from arf_programs.stages.taxonomy import STAGE as TAXONOMY
from arf_programs.stages.train import STAGE as TRAIN
from arf_programs.stages.train import (
    Preview,
    outlook_of,
    preview_base,
    preview_unpaid,
    run_training_module,
    settings_of,
    student_name,
    train_on,
    train_on_pairs,
    training_log,
)
from arf_programs.stages.variants import Variant, further_programs
