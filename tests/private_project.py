"""A project whose conversations have private values, and a server of its team that keeps what it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import scripted_team
from odd_server import OddServer, completion, serving_oddly

PEOPLE = (
    ("Xochitl", "Dlamini"),
    ("Jökull", "Okafor"),
    ("Saoirse", "Brightwater"),
    ("Aapo", "Kettleman"),
    ("Zsófia", "Overmars"),
    ("Thabo", "Quillfeather"),
    ("Enora", "Sandgrove"),
    ("Lovro", "Hatherleigh"),
)
AGENT = "Marguerite"


def private_values(number: int) -> dict[str, str]:
    """The private values of the conversation of that number."""
    given, surname = PEOPLE[number]
    return {
        "given": given,
        "surname": surname,
        "order": str(48_211 + number * 1_013),
        "phone": f"07700 9{number}0{number}23",
        "mail": f"{surname.lower()}.{number}77@mail.test",
        "street": f"{number + 11} Thistledown Street",
        "card": "4111 1111 1111 1111",
    }


def conversation(number: int) -> dict[str, Any]:
    """A row of the corpus."""
    has = private_values(number)
    thing = ("kettle", "lamp", "drill", "scarf", "router", "tent", "piano", "mirror")[number]
    turns = [
        ("Agent", f"Hello, you are speaking with {AGENT}."),
        (
            "Customer",
            f"My name is {has['given']} {has['surname']}. My {thing} from order {has['order']} came broken, it cost "
            f"€{40 + number}.50. Call {has['phone']} or write to {has['mail']}. I paid by card {has['card']}.",
        ),
        ("Agent", f"Sorry, {has['given']}. A new {thing} goes to {has['street']} in {number + 2} days."),
        ("Customer", f"Thanks!\nBest regards,\n{has['given']} {has['surname']}"),
    ]
    return {
        "id": f"p{number}",
        "conversation": [{"speaker": speaker, "text": text} for speaker, text in turns],
        "references": [f"{has['given']} {has['surname']} wanted a new {thing} for order {has['order']}."],
    }


def label(number: int) -> dict[str, Any]:
    """A labelled row: its demonstration names a person of another conversation."""
    has = private_values(number)
    quote = f"{has['given']} {has['surname']} got a refund."
    return {
        "id": f"p{number}",
        "summary": f"The order {has['order']} came broken. {quote}",
        "errors": [{"category": "fabricated", "quote": quote, "evidence": [3], "explanation": "No refund."}],
        "revised": f"The order {has['order']} of {has['given']} {has['surname']} came broken.",
    }


def originals() -> list[str]:
    """What must not leave: every word of a name, and every other value."""
    found = {AGENT}
    for number in range(len(PEOPLE)):
        has = private_values(number)
        found |= {has["given"], has["surname"], has["order"], has["phone"], has["mail"], "Thistledown", has["card"]}
    return sorted(found)


def find_originals(text: str) -> list[str]:
    """The originals that stand in a text, in any case."""
    return [value for value in originals() if re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text, re.IGNORECASE)]


def draft(fields: dict[str, str]) -> str:
    """The teacher's summary: it repeats what it sees of the customer, and every second one has a flaw."""
    text = fields["conversation"]
    name = re.search(r"My name is ([\w' -]+)\.", text)[1]
    thing, order = re.search(r"My (\w+) from order (\d+)", text).groups()
    price = re.search(r"€(\d+)\.50", text)[1]
    clean = f"{name} wrote that the {thing} from order {order} came broken. It had cost €{price}.50."
    return f"{clean} {scripted_team.FLAW}" if int(price) % 2 else clean


@contextmanager
def serving_team() -> Iterator[OddServer]:
    """The team behind a server; `calls` are the bodies that it was sent."""
    team = scripted_team.Team(summary=draft)

    def answer(_: int, body: dict[str, Any]) -> Any:
        kind, fields = scripted_team.read_question(body["messages"])
        made = team.answers[kind](fields)
        return completion(made if isinstance(made, str) else json.dumps(made))

    with serving_oddly() as server:
        server.answer = answer
        yield server


def write_project(folder: Path, url: str, privacy: str, *, base: Path | str = "none", more: str = "") -> None:
    """A configuration whose roles are all behind `url`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {"conversations": map(conversation, range(len(PEOPLE))), "labels": (label(0), label(3))}
    for name, written in rows.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in written]
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    (folder / "arf.yaml").write_text(
        f"""
name: private
corpus: {{path: conversations.jsonl, holdout: 0.25}}
models: {{teacher: {{model: hosted_vllm/m, api_base: '{url}', json_schema: true, logprobs: false}}}}
labeled: {{path: labels.jsonl, demos: 2}}
privacy: {privacy}
train: {{base: {base}, arms: [arf], epochs: 1, lora: {{r: 2}}}}
evaluate: {{max_tokens: 16, samples: 100, pairwise: true}}
{more}
""",
        encoding="utf-8",
    )
