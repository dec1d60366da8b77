"""ARF: Analyze-Revise-Finetune as declarative programs over a corpus of conversations."""

__version__ = "0.1.0"
