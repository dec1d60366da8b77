"""`arf compile`: optimises the prompts of one program with a DSPy optimizer, and scores it on held-out labels."""

from arf_programs.compiling.compile import compile_program, show_prompts

__all__ = [
    "compile_program",
    "show_prompts",
]
