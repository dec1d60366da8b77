"""Finds students in their run, merges them into their base, and serves them over the API of OpenAI."""

from arf_programs.serving.server import find_engine, refuse_taken_port, serve, serve_command
from arf_programs.serving.student import find_student, merged_student, students_with_base

__all__ = [
    "find_engine",
    "find_student",
    "merged_student",
    "refuse_taken_port",
    "serve",
    "serve_command",
    "students_with_base",
]
