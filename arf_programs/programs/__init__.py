"""The DSPy programs: summarise, analyse, revise, verify, judge.

Each program asks models typed questions and returns records. `Program` is their base: they are called with or without
`await`. Every question is asked by `ask`.
"""

from arf_programs.programs.analysis.analyze import Analyze, HolisticAnalysis, SentencewiseAnalysis
from arf_programs.programs.analysis.reported_errors import omission_ids, statement_ids
from arf_programs.programs.analysis.signs import SIGNS, read_signs
from arf_programs.programs.analysis.support import (
    CheckerSupport,
    SentenceSupport,
    SupportAdapter,
    calibration_of,
    support_rows,
)
from arf_programs.programs.analysis.taxonomy import MergeNotes, TakeNotes, count_errors
from arf_programs.programs.analysis.value_candidates import find_value_errors
from arf_programs.programs.asking import Program, ask, demos_for, question_messages
from arf_programs.programs.demos import analysis_examples, revision_examples, show, usable_examples
from arf_programs.programs.examples import (
    RATING_STEPS,
    analysis_metric,
    labeled_examples,
    new_check_errors,
    rating_metric,
    reasons_of,
    revision_metric,
    score_rating,
)
from arf_programs.programs.json_answers import TypedAnswers
from arf_programs.programs.judge import ComparePair, Judge, prompt_name
from arf_programs.programs.revision.edit_sentences import EditSentences
from arf_programs.programs.revision.propose import EditSummary, Propose, Rewrite, RewriteByTaxonomy
from arf_programs.programs.revision.revise import Revise, new_summary_instruction
from arf_programs.programs.revision.verify import VerifyRevision
from arf_programs.programs.saved import (
    CANDIDATE,
    CARD,
    PROGRAM,
    TARGET_ROLES,
    Card,
    ProgramState,
    SideScores,
    Spent,
    apply_state,
    plain_demos,
    predictor_fields,
    program_fingerprint,
    program_folder,
    program_notes,
    program_state,
    read_card,
    strategy_of,
    use_calibration,
    use_compiled,
)
from arf_programs.programs.summarize import PlainAdapter, Summarize
