"""Conversations whose speakers stand in brackets, in quotes, as handles, or in mark-up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.corpus.speakers import parse_turns


def turns(text):
    return [(turn.speaker, turn.text) for turn in parse_turns(text)]


def speakers(text):
    return [turn.speaker for turn in parse_turns(text)]


def written(form, *said):
    return "\n".join(form.format(name=name, text=text, n=number) for number, (name, text) in enumerate(said))


SAID = [("Anna", "my lamp broke: again"), ("Tom", "which one?"), ("Anna", "the red one"), ("Tom", "we send one")]

WITHOUT_COLON = [
    "<{name}> {text}",
    "<@{name}> {text}",
    "< {name}> {text}",
    "[{name}] {text}",
    "[{name}]: {text}",
    "({name}) {text}",
    "**{name}** {text}",
    "**{name}**\n{text}",
    "### {name}\n{text}",
    "@{name} {text}",
    "@{name} - {text}",
    "@{name}\n{text}",
    "{name}\t{text}",
    "{name} | {text}",
    "{name} > {text}",
    "{name}>> {text}",
    "{name} -> {text}",
    "{name} - {text}",
    "{name} — {text}",
    "{name}\n{text}",
    "【{name}】{text}",
    "＜{name}＞{text}",
]
WITH_MARKS = [
    '"{name}": {text}',
    '"{name}":{text}',
    '"{name}:" {text}',
    "“{name}”: {text}",
    "„{name}“: {text}",
    "« {name} » : {text}",
    "'{name}': {text}",
    "`{name}`: {text}",
    "_{name}_: {text}",
    "「{name}」：{text}",
    "@{name}: {text}",
    "@{name} 😀: {text}",
    "{name} says: {text}",
    "Turn {n} - {name}: {text}",
    "Turn {n} ({name}): {text}",
]


@pytest.mark.parametrize("form", [*WITHOUT_COLON, *WITH_MARKS])
def test_a_name_before_each_text_is_its_speaker(form):
    assert turns(written(form, *SAID)) == SAID
    roles = [("Customer", "hello"), ("Agent", "yes")]
    assert turns(written(form, *roles)) == roles


TIMED = [
    "[12:0{n}] <{name}> {text}",
    "12:0{n} <{name}> {text}",
    "12:03:0{n} <+{name}> {text}",
    "2025-03-04 10:32:0{n} <{name}> {text}",
    "2025-03-04 10:32:0{n}\t{name}\t{text}",
    "10:3{n}\t{name}\t{text}",
    "10:3{n} @{name} {text}",
    "[10:3{n} AM]{name}: {text}",
    "[00:01 - 00:0{n}] {name}: {text}",
    "[0.0 - {n}.3] {name}: {text}",
    "[{n}.20s] {name}: {text}",
    "( {n}s ) {name}: {text}",
    "( 1m {n}s ) {name}: {text}",
    "{name}, Mar 4, 10:3{n}\n{text}",
    "{name} 10:32:1{n} am\n{text}",
    "{name} 10:3{n} AM GMT+1\n{text}",
    "{name} <{name}@example.org> - 2025-03-04T10:32:1{n}Z\n{text}",
    "10:32:1{n}\t From  {name} : {text}",
    "Mar 04, 2025 10:32:1{n} AM\n{name}\n{text}",
]


@pytest.mark.parametrize("form", TIMED)
def test_exports_with_a_time_and_a_marked_name(form):
    said = [("Anna", "my lamp broke: again"), ("Tom", "which one?\nThe red one"), ("Anna", "yes, at 5:30")]
    read = parse_turns(written(form, *said))
    assert [turn.speaker.split(" <")[0] for turn in read] == [name for name, _ in said]
    assert [turn.text.endswith(text) for turn, (_, text) in zip(read, said, strict=True)] == [True] * 3


def test_notices_of_a_chat_are_the_systems_and_actions_are_of_who_acts():
    text = "*** Tom joined\n<anna> hi\n<b> is bold\n<tom> yes\n* anna waves\n<kim> me too"
    assert speakers(text) == ["System", "anna", "tom", "anna", "kim"]
    text = "--- Log opened Tue\n10:32 -!- tom has joined\n10:32 <anna> hi\n10:33 <tom> ok\n10:34 * anna waves"
    assert speakers(text) == ["System", "System", "anna", "tom", "System"]
    text = "Chat Started: Tuesday, 10:32\nChat Origin: Web\n( 2s ) Tom: hello\n( 1m 2s ) Anna: hi"
    assert speakers(text) == ["System", "Tom", "Anna"]
    assert speakers("Anna\n  10:32 AM\nhi\nAcme Bot\nAPP  10:33 AM\nhello\nAnna\n  10:34 AM\nyes")[1] == "Acme Bot"


def test_what_somebody_quotes_stays_his():
    assert speakers('Customer: you wrote\n"Agent": no\nAgent: sorry\nCustomer: ok') == ["Customer", "Agent", "Customer"]
    assert speakers('Customer: see\n"Order": 5\n"Total": 7\nAgent: ok') == ["Customer", "Agent"]
    assert speakers("Customer: see\n<Tom> hello\n[1] a note\n@Tom look\nAgent: ok") == ["Customer", "Agent"]
    assert speakers("Customer: see\n@acme hello\n@acme again\n[Screenshot] x") == ["Customer"]


@pytest.mark.parametrize("form", ["@{name}: {text}", '"{name}": {text}'])
def test_a_handle_or_a_quoted_name_is_the_second_speaker_beside_a_plain_one(form):
    text = written("Anna: a\n" + form + "\nAnna: b\n" + form, ("tom", "x")).format(name="tom", text="y")
    assert speakers(text) == ["Anna", "tom", "Anna", "tom"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Anna: hi\n<Tom> hello\nAnna: ok", "cannot be told whether 'Tom' begins a turn"),
        ("Anna: hi\n@acme hello\nAnna: ok\n@acme bye", "cannot be told whether 'acme' begins a turn"),
        ("Anna - hi\nTom - hello\nKim - me too\nAnna - ok", "cannot be told whether 'Kim' speaks"),
        ("Customer: hi Agent: hello Customer: bye", "'Customer' and 'Agent' stand within one line"),
        ("Customer: hi | Agent: hello", "'Customer' and 'Agent' stand within one line"),
        ("@AcmeHelp my lamp broke\n@AcmeHelp are you there", "begins with"),
        ("Anna; hi\nTom; hello", "begins with"),
    ],
)
def test_a_form_that_cannot_be_told_is_a_problem(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_turns(text)


@pytest.mark.parametrize(
    "text",
    [
        "WEBVTT\n\n1\n00:00:01.000 --> 00:00:03.000\nCustomer: hi\n\n2\n00:00:03.500 --> 00:00:05.000\nAgent: yes",
        "1\n00:00:01,000 --> 00:00:03,000\nCustomer: hi\n\n2\n00:00:03,500 --> 00:00:05,000\nAgent: yes",
        "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Customer>hi</v>\n\n00:03.500 --> 00:05.000\n<v Agent>yes</v>",
        "<customer>hi</customer>\n<agent>yes</agent>",
        "Customer: hi<br>Agent: yes",
        "Customer: hi\\nAgent: yes",
        "<p><b>Customer:</b> hi</p><p><b>Agent:</b> yes</p>",
        "<div>Customer: hi</div>\n<div>Agent: yes</div>",
    ],
)
def test_mark_up_is_no_part_of_what_is_said(text):
    assert [(name.capitalize(), said) for name, said in turns(text)] == [("Customer", "hi"), ("Agent", "yes")]


@pytest.mark.parametrize(
    "text",
    [
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nyes<|eot_id|>",
        "<s>[INST] <<SYS>>\nbe nice\n<</SYS>>\n\nhi [/INST] yes </s>",
        "<start_of_turn>user\nhi<end_of_turn>\n<start_of_turn>assistant\nyes<end_of_turn>",
        "<|user|>\nhi<|end|>\n<|assistant|>\nyes<|end|>",
        "<｜User｜>hi<｜Assistant｜>yes<｜end▁of▁sentence｜>",
    ],
)
def test_conversations_in_a_chat_template(text):
    assert turns(text) == [("User", "hi"), ("Assistant", "yes")]


people = st.lists(st.sampled_from(["Anna", "Tom", "Maria", "Luis"]), min_size=2, max_size=3, unique=True)
words = st.text("abc xyz", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(st.sampled_from([*WITHOUT_COLON[:9], *WITH_MARKS]), people, st.lists(words, min_size=3, max_size=6))
def test_each_person_keeps_his_words_in_every_form(form, names, texts):
    said = [(names[number % len(names)], text) for number, text in enumerate(texts + texts)]
    assert turns(written(form, *said)) == said
