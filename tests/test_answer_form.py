import json
from typing import Literal

import dspy
import pytest

from arf_programs.programs import TypedAnswers
from arf_programs.programs.analysis.analyze import HolisticAnalysis
from arf_programs.programs.revision.verify import VerifyRevision

FIND = HolisticAnalysis().find_errors.signature


def system(signature, adapter=TypedAnswers) -> str:
    return adapter().format(signature, [], {})[0]["content"]


def test_the_form_has_the_fields_in_the_order_of_the_signature_with_their_descriptions():
    form = system(FIND).partition("in this order:\n")[2]
    assert form.startswith('{\n  "errors": [{  // empty if there is none\n    "quote": string,  // the wrong words')
    places = [form.index(f'"{name}"') for name in ("quote", "evidence", "explanation", "category")]
    assert places == sorted(places)
    assert '"evidence": [integer, ...],  // numbers in square brackets' in form
    assert "wrong_fact" not in form, "the ids stand in the input `categories`"


def test_a_field_that_may_be_left_out_is_shown_as_its_type():
    correcting = HolisticAnalysis(corrections=True).find_errors.signature
    assert '"correction": string  // what stands in place of the quote' in system(correcting)
    assert "With each error give its correction." in system(correcting)
    assert "correction" not in system(FIND)


def test_values_are_named_where_they_are_few():
    class Ask(dspy.Signature):
        """Ask."""

        text: str = dspy.InputField()
        choice: Literal["a", "b"] = dspy.OutputField(desc="one of them")
        sure: bool = dspy.OutputField()

    assert system(Ask).endswith('{\n  "choice": "a" | "b",  // one of them\n  "sure": true | false\n}')


@pytest.mark.parametrize("signature", [FIND, VerifyRevision().check.signature])
def test_the_prompt_is_shorter_than_dspys(signature):
    ours, theirs = (
        sum(len(message["content"]) for message in adapter().format(signature, [], {}))
        for adapter in (TypedAnswers, dspy.JSONAdapter)
    )
    assert theirs - ours > 900  # 300 tokens


def test_the_schema_that_is_sent_has_the_same_order():
    """A model that is held to a schema writes its fields in that order: the explanation before the verdict."""
    from dspy.adapters.json_adapter import _get_structured_outputs_response_format

    schema = _get_structured_outputs_response_format(VerifyRevision().check.signature).model_json_schema()
    assert list(schema["properties"]) == ["checks", "new_errors"]
    assert list(schema["$defs"]["MendedError"]["properties"]) == ["id", "explanation", "mended"]
    assert json.dumps(schema).index('"explanation"') < json.dumps(schema).index('"mended"')
