"""DSPy modules: one file for each thing that ARF does with a language model."""
