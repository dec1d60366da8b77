"""The report without any text of a conversation or a summary: figures and edit statistics alone."""

from __future__ import annotations

from arf_programs.report.data import ReportData


def without_texts(data: ReportData) -> ReportData:
    """Return the data of a page that can be shared.

    Left out are conversations, summaries, edits, reasons of failures, definitions and examples of categories,
    instructions, tables of the probe, and the configuration. Their numbers stay.
    """
    taxonomy = data.taxonomy
    if taxonomy is not None:
        kept = tuple(category.model_copy(update={"example": "", "definition": ""}) for category in taxonomy.categories)
        taxonomy = taxonomy.model_copy(update={"categories": kept})
    failures = tuple(
        failure.model_copy(update={"conversation_id": str(number), "reason": "not shown"})
        for number, failure in enumerate(data.failures, start=1)
    )
    left_out = {
        "revisions": (),
        "revisions_total": 0,
        "holdout": (),
        "holdout_total": 0,
        "probe": (),
        "prompts": {},
        "config_yaml": "",
        "review_command": "",
    }
    return data.model_copy(update={**left_out, "taxonomy": taxonomy, "failures": failures})
