"""Finds students in their run, merges them, and serves them, with their teacher for what is doubtful."""

from arf_programs.tools.serving.fallback import Limits, choose_threshold, fallback_of
from arf_programs.tools.serving.server import Engine, Served, find_engine, refuse_taken_port, serve, serve_command
from arf_programs.tools.serving.student import find_student, merged_student, students_with_base
