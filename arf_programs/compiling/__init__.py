"""Compiling: a program's prompts optimised by DSPy against the labelled set, and proof of what it buys."""
