"""The guard replaces values in the messages of a request, and restores them in the answer."""

import json

from arf_programs.config import CorpusConfig
from arf_programs.corpus.read import CorpusReader
from arf_programs.privacy import Elsewhere, Guard, Kind, Value, disguise, disguise_conversation, pseudonyms_of, reveal
from signatures.records import Conversation, Turn

TALK = Conversation(
    id="c1",
    turns=(
        Turn(speaker="Brightwater (agent)", text="Hello."),
        Turn(speaker="Customer", text="Order 48211 for brightwater's friend Quorne cost €48.50."),
    ),
    references=("Quorne asked.",),
    metadata={"customer": "Quorne", "note": "call 07700 900123"},
)


def asked(text, conversation=TALK, **settings):
    request = Guard(17, names=("customer",), **settings).begin(conversation)
    body = disguise(
        request, {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}]}
    )
    return request, body["messages"][0]["content"][0]["text"]


def test_speakers_and_columns_of_names_are_replaced_everywhere():
    _, sent = asked(TALK.as_text())
    assert "rightwater" not in sent and "Quorne" not in sent and "48211" not in sent
    assert "€48.50" in sent and "(agent)" in sent and "Customer:" in sent


def test_an_answer_is_restored_in_text_and_in_json():
    request, sent = asked("Order 48211, Quorne")
    order, name = sent.removeprefix("Order ").split(", ")
    content = json.dumps({"summary": f"{name} asked.\n{name} paid {order}."})
    answer = {"choices": [{"message": {"role": "assistant", "content": content}}], "usage": {"total_tokens": 3}}
    revealed = reveal(request, answer)
    assert json.loads(revealed["choices"][0]["message"]["content"]) == {"summary": "Quorne asked.\nQuorne paid 48211."}
    assert revealed["usage"] == {"total_tokens": 3}
    assert reveal(request, {"error": "odd"}) == {"error": "odd"}


def test_a_request_about_no_conversation_knows_the_names_of_all():
    known = Elsewhere.of([Value(Kind.NAME, "Quorne", "X"), Value(Kind.STREET, "1 Elmway Road", "2 Birch Road")])
    _, sent = asked("Notes: Quorne of Elmway was unhappy.", None, elsewhere=known)
    assert "Quorne" not in sent and "Elmway" not in sent and "Notes:" in sent


def test_two_requests_about_a_conversation_have_the_same_stand_ins():
    assert asked("Order 48211, Quorne")[1] == asked("Order 48211, Quorne")[1]
    assert asked("Order 48211")[1].split()[1] in asked("Quorne and Order 48211")[1]


def test_a_conversation_is_disguised_in_all_its_texts():
    disguised = disguise_conversation(TALK, pseudonyms_of(TALK, 17, names=("customer",)).for_request())
    assert not {"Quorne", "48211", "900123"} & set(disguised.model_dump_json().replace('"', " ").split())
    assert disguised.id == "c1"
    assert disguised.turns[1].text.endswith("€48.50.")


def test_a_column_of_names_becomes_metadata(tmp_path):
    path = tmp_path / "talks.jsonl"
    row = '{"id": "a", "agent_name": "Quorne", "conversation": "Customer: Hi\\nAgent: Hello"}\n'
    path.write_text(row, encoding="utf-8")
    reader = CorpusReader(CorpusConfig(path=str(path)), base_dir=tmp_path, kept=("agent_name", "missing"))
    assert [item.metadata for item in reader.conversations()] == [{"agent_name": "Quorne"}]
