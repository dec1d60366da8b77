"""Prompts put what is common first, so that a provider's prefix cache, and vLLM's, reads it once."""

import importlib
import pkgutil

import dspy
import pytest
from dspy.signatures.signature import SignatureMeta

import signatures
from arf_programs.programs.analysis.support import SupportAdapter
from arf_programs.programs.json_answers import TypedAnswers
from arf_programs.programs.summarize import PlainAdapter

ADAPTERS: dict[str, type[dspy.Adapter]] = {"Summarize": PlainAdapter, "SupportSentence": SupportAdapter}
FIELDS = {
    "CheckRevision": [["categories"], ["conversation"], ["errors"], ["summary"], ["changes"]],
    "CompareSummaries": [["conversation"], ["first_summary", "second_summary"]],
    "DescribeError": [["categories"], ["conversation"], ["sentence"]],
    "DescribePattern": [["errors"]],
    "FindErrors": [["categories"], ["conversation"], ["summary"]],
    "FindOmissions": [["categories"], ["conversation"], ["summary"]],
    "InduceTaxonomy": [["max_categories"], ["known_categories"], ["notes"]],
    "NaturalizeError": [["marked_summary"]],
    "NoteProblems": [["conversation"], ["summary"]],
    "ProposeEdits": [["conversation"], ["summary"], ["errors"], ["feedback"]],
    "RateSummary": [["conversation"], ["summary"]],
    "ReviseByTaxonomy": [["common_errors"], ["conversation"], ["summary"], ["feedback"]],
    "RewriteSentence": [["turns"], ["before", "sentence", "after", "problem"], ["feedback"]],
    "RewriteSummary": [["conversation"], ["summary"], ["errors"], ["feedback"]],
    "Summarize": [["conversation"]],
    "SupportSentence": [["conversation"], ["sentence"]],
    "WriteMissing": [["turns"], ["summary"], ["question"], ["feedback"]],
    "WriteVariant": [["pattern"], ["conversation"], ["summary"]],
}
"""The inputs of each question, from those that most calls have in common to those that each call has for itself."""


def questions() -> dict[str, type[dspy.Signature]]:
    """Every signature that the package defines, by name."""
    modules = [importlib.import_module(f"signatures.{item.name}") for item in pkgutil.iter_modules(signatures.__path__)]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, SignatureMeta) and value.__module__ == module.__name__
    }


def rendered(question: type[dspy.Signature], inputs: dict[str, object]) -> str:
    """All that is sent, in order."""
    adapter = ADAPTERS.get(question.__name__, TypedAnswers)()
    return "\n".join(message["content"] for message in adapter.format(question, [], inputs))


def values(question: type[dspy.Signature], own: set[str], mark: str) -> dict[str, object]:
    """A value for each input; those of `own` differ from their first character on."""
    number = {"x": 111, "y": 222}
    return {
        name: number[mark if name in own else "x"]
        if field.annotation is int
        else f"{mark if name in own else ''}{name}?"
        for name, field in question.input_fields.items()
    }


def common_prefix(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


def test_every_question_is_in_the_table():
    told = {name: {field for group in groups for field in group} for name, groups in FIELDS.items()}
    assert told == {name: set(question.input_fields) for name, question in questions().items()}


@pytest.mark.parametrize("name", FIELDS)
def test_calls_share_all_that_comes_before_their_first_difference(name):
    question = questions()[name]
    for own in range(len(FIELDS[name])):
        common, particular = FIELDS[name][:own], {field for group in FIELDS[name][own:] for field in group}
        one, other = (values(question, particular, mark) for mark in "xy")
        shared = common_prefix(rendered(question, one), rendered(question, other))
        assert question.instructions.splitlines()[0] in shared
        for field in (field for group in common for field in group):
            assert str(one[field]) in shared, f"{field} comes after what differs"
