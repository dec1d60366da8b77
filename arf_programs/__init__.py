"""ARF: Analyze-Revise-Finetune over a corpus of conversations. This is what a notebook imports.

```python
import dspy
from arf_programs import Analyze, Revise, parse_conversation

dspy.configure(lm=dspy.LM("openai/gpt-4o-mini"))
conversation = parse_conversation("Customer: The kettle leaks.\\nAgent: A new one arrives on Friday.")
draft = "The customer's kettle leaks, and the agent refunds it."
errors = Analyze()(conversation=conversation, summary=draft).errors
revision = Revise()(conversation=conversation, draft=draft, errors=errors).revision
```

Every program is a DSPy module: call it, or `await program.acall(...)`. Each name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from arf_programs.corpus import LabeledExample, load_seed_taxonomy, parse_conversation, read_labeled_file
    from arf_programs.models import stored_lm
    from arf_programs.programs import (
        Analyze,
        HolisticAnalysis,
        Judge,
        Revise,
        SentencewiseAnalysis,
        Summarize,
        analysis_metric,
        labeled_examples,
        rating_metric,
        revision_metric,
    )
    from arf_programs.runs import LoadedRun, load_run
    from signatures.records import Conversation, ErrorNote, Revision, Summary, Taxonomy

_HOME = {
    **dict.fromkeys(
        ("LabeledExample", "read_labeled_file", "parse_conversation", "load_seed_taxonomy"), "arf_programs.corpus"
    ),
    "stored_lm": "arf_programs.models",
    **dict.fromkeys(("LoadedRun", "load_run"), "arf_programs.runs"),
    **dict.fromkeys(("Conversation", "ErrorNote", "Revision", "Summary", "Taxonomy"), "signatures.records"),
    **dict.fromkeys(("Analyze", "HolisticAnalysis", "Judge", "Revise"), "arf_programs.programs"),
    **dict.fromkeys(("SentencewiseAnalysis", "Summarize", "analysis_metric"), "arf_programs.programs"),
    **dict.fromkeys(("labeled_examples", "rating_metric", "revision_metric"), "arf_programs.programs"),
}

__all__ = [
    "Analyze",
    "Conversation",
    "ErrorNote",
    "HolisticAnalysis",
    "Judge",
    "LabeledExample",
    "LoadedRun",
    "Revise",
    "Revision",
    "SentencewiseAnalysis",
    "Summarize",
    "Summary",
    "Taxonomy",
    "analysis_metric",
    "checks",
    "labeled_examples",
    "load_run",
    "load_seed_taxonomy",
    "parse_conversation",
    "rating_metric",
    "read_labeled_file",
    "revision_metric",
    "stored_lm",
]


def __getattr__(name: str) -> Any:
    if name == "checks":
        return import_module("arf_programs.checks")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
