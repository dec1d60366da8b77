"""Finds students in their run, merges them, and serves them.

The teacher answers where the student's answer is doubtful.
"""

from arf_programs.tools.serving.fallback import Limits, choose_threshold, fallback_of
from arf_programs.tools.serving.server import (
    Engine,
    Served,
    find_engine,
    find_student,
    merged_student,
    refuse_taken_port,
    serve,
    serve_command,
    students_with_base,
)
