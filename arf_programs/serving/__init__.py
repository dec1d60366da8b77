"""`arf serve`: serves a student over the API of OpenAI."""

from arf_programs.serving.server import (
    Engine,
    find_engine,
    refuse_taken_port,
    running,
    serve_command,
    wait_for_end,
    wait_until_ready,
)
from arf_programs.serving.student import find_student, merged_student, run_training_module

__all__ = [
    "Engine",
    "find_engine",
    "find_student",
    "merged_student",
    "refuse_taken_port",
    "run_training_module",
    "running",
    "serve_command",
    "wait_for_end",
    "wait_until_ready",
]
