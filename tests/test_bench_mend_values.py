"""`bench/mend_values.py` plants errors in right texts, and counts those that are mended without a model."""

import asyncio
import json

import mend_values

TALK = (
    "Customer: I paid $54.90 for the kettle of order 88214, and it leaks.\n"
    "Agent: I can refund $39.90 within 5 days, or send a voucher over $60 by Monday.\n"
    "Customer: The refund of $39.90, please. Dario said on Friday that it takes 14 days."
)
RIGHT = "The customer paid $54.90 for a kettle that leaks. The agent refunded $39.90 within 5 days."


def test_planted_errors_are_mended_and_right_texts_stay(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"conversation": TALK, "references": [RIGHT]}) + "\n", encoding="utf-8")
    items = mend_values.plant(path, 5)
    assert items
    for way in ("given", "end to end"):
        mended = asyncio.run(mend_values.mend(way, items))
        invented = [
            hit
            for item in mended
            for hit, error in zip(item.fixed, item.item.plants, strict=True)
            if error.origin == "invented"
        ]
        assert invented and all(invented), way
        assert mend_values.row("rows", way, mended).startswith(f"| rows | {way} | ")
    assert asyncio.run(mend_values.untouched(items)) == 1
