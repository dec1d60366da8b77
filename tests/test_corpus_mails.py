"""Threads of mails and exports of helpdesks become conversations of customer and agent, the oldest message first."""

import json

import pytest
from conftest import write_corpus
from typer.testing import CliRunner

from arf_programs.cli.app import app
from arf_programs.config import Config
from arf_programs.config.schema import ColumnsConfig, CorpusConfig
from arf_programs.corpus import read_labeled_of
from arf_programs.corpus.read import read_corpus
from arf_programs.corpus.speakers import parse_mails, parse_turns
from signatures.exceptions import DataError

WITHOUT_SUBJECT = {
    "English": "From: {}\nSent: 3 May 2025 10:32",
    "German": "Von: {}\nGesendet: 3. Mai 2025 10:32\nAn: Support",
    "Spanish": "De: {}\nEnviado el: 3 de mayo de 2025",
    "Japanese": "差出人: {}\n送信日時: 2025-05-03 10:32",
}


@pytest.mark.parametrize("header", WITHOUT_SUBJECT.values(), ids=WITHOUT_SUBJECT)
def test_a_sender_and_when_it_was_sent_are_the_header_of_a_mail(header):
    turns = parse_turns(f"Thanks, done.\n\n{header.format('Joe Miller')}\n\nMy invoice is wrong.")
    assert [turn.speaker for turn in turns][:1] == ["Joe Miller"]
    assert "wrong" in turns[0].text
    assert turns[1].text == "Thanks, done."


def test_a_journey_is_no_mail():
    turns = parse_turns("Customer: I want to go.\nAgent: Where?\nFrom: Berlin\nTo: Rome\nDate: 3 May\nCustomer: Right.")
    assert [turn.speaker for turn in turns] == ["Customer", "Agent", "Customer"]


ASKED, ANSWERED = "The kettle leaks.", "We send a new one."
THREADS = {
    "gmail": f"{ANSWERED}\n\nBest,\nAnna\n-- \nAnna Smith\nTel: 5550100\n\n"
    f"On Mon, 3 May 2025 at 10:32, Joe Miller <joe@example.org> wrote:\n\n> Hello,\n>\n> {ASKED}\n",
    "a broken line": f"{ANSWERED}\n\nOn Mon, May 3, 2025 at 10:32 AM Joe Miller of Somewhere\n"
    f"<joe@example.org> wrote:\n\n> {ASKED}",
    "three levels": "Thank you.\n\nOn Tue, 4 May 2025 at 9:12, Acme Support <support@acme.com> wrote:\n"
    f"> {ANSWERED}\n>\n> On Mon, 3 May 2025 at 10:32, Joe <joe@example.org> wrote:\n>> {ASKED}",
    "spaced quotes": "Thank you.\n\nOn Tue, 4 May 2025 at 9:12, Anna <anna@acme.com> wrote:\n"
    f"> {ANSWERED}\n>\n> On Mon, 3 May 2025 at 10:32, Joe <joe@example.org> wrote:\n>\n> > {ASKED}",
    "answers between": "On Mon, 3 May 2025 at 10:32, Joe <joe@example.org> wrote:\n"
    f"> {ASKED}\n\n{ANSWERED}\n\n> Will it cost?\n\nNo.",
    "outlook": "From: Anna Smith <anna@acme.com>\nSent: Tuesday, May 4, 2025 9:12 AM\n"
    "To: Joe Miller <joe@example.org>\n"
    f"Subject: RE: kettle\n\n{ANSWERED}\n\n-----Original Message-----\nFrom: Joe Miller <joe@example.org>\n"
    f"Sent: Monday, May 3, 2025 10:32 AM\nTo: Support <support@acme.com>\nSubject: kettle\n\n{ASKED}",
    "outlook without the newest header": f"{ANSWERED}\n________________________________\n"
    f"From: Joe Miller <joe@example.org>\n"
    f"Sent: 03 May 2025 10:32\nTo: Support <support@acme.com>\nSubject: kettle\n\n{ASKED}",
    "outlook in bold": f"{ANSWERED}\n\n*From:* Joe Miller <joe@example.org>\n*Sent:* Monday, May 3, 2025\n"
    f"*To:* Support <support@acme.com>\n*Subject:* kettle\n\n{ASKED}",
    "outlook in quotes": f"{ANSWERED}\n\n> From: Joe <joe@example.org>\n> Sent: Monday\n> To: <support@acme.com>\n"
    f"> Subject: kettle\n>\n> {ASKED}",
    "outlook in German": f"{ANSWERED}\n\nVon: Joe Müller <joe@example.org>\nGesendet: Montag, 3. Mai 2025 10:32\n"
    f"An: Support <support@acme.de>\nBetreff: Kessel\n\n{ASKED}",
    "a telephone": f"{ANSWERED}\nSent from my iPhone\n\n"
    f"> On 3 May 2025, at 10:32, Joe <joe@example.org> wrote:\n> \n> {ASKED}",
    "German": f"{ANSWERED}\n\nAm 03.05.2025 um 10:32 schrieb Joe Müller:\n> {ASKED}",
    "French": f"{ANSWERED}\n\nLe lun. 3 mai 2025 à 10:32, Joe Martin <joe@example.fr> a écrit :\n> {ASKED}",
    "Spanish": f"{ANSWERED}\n\nEl lun, 3 may 2025 a las 10:32, Joe (<joe@example.es>) escribió:\n\n> {ASKED}",
    "Italian": f"{ANSWERED}\n\nIl giorno lun 3 mag 2025 alle ore 10:32 Joe <joe@example.it> ha scritto:\n\n> {ASKED}",
    "Portuguese": f"{ANSWERED}\n\nEm seg., 3 de mai. de 2025 às 10:32, Joe <joe@example.pt> escreveu:\n\n> {ASKED}",
    "Dutch": f"{ANSWERED}\n\nOp ma 3 mei 2025 om 10:32 schreef Joe de Vries <joe@example.nl>:\n\n> {ASKED}",
    "Polish": f"{ANSWERED}\n\npon., 3 maj 2025 o 10:32 Joe Nowak <joe@example.pl> napisał(a):\n\n> {ASKED}",
    "Swedish": f"{ANSWERED}\n\nDen mån 3 maj 2025 kl 10:32 skrev Joe Nilsson <joe@example.se>:\n\n> {ASKED}",
    "Japanese": f"{ANSWERED}\n\n2025年5月3日(土) 10:32 田中 <joe@example.jp>:\n> {ASKED}",
    "Chinese": f"{ANSWERED}\n\n在 2025年5月3日星期一 10:32，田 <joe@example.cn> 写道：\n> {ASKED}",
    "Russian": f"{ANSWERED}\n\nпн, 3 мая 2025 г. в 10:32, Иван <joe@example.ru>:\n\n> {ASKED}",
    "the oldest first": f"From: Joe <joe@example.org>\nTo: support@acme.com\nSubject: kettle\n"
    f"Date: Mon, 3 May 2025 10:32:00 +0000\n\n{ASKED}\n\n"
    f"From: Anna <anna@acme.com>\nTo: joe@example.org\nSubject: Re: kettle\n"
    f"Date: Tue, 4 May 2025 10:32:00 +0000\n\n{ANSWERED}",
}


@pytest.mark.parametrize("name", THREADS)
def test_a_thread_of_mails_is_a_conversation_of_two_the_oldest_first(name):
    turns = parse_mails(THREADS[name], roles=True)
    assert [turn.speaker for turn in turns[:2]] == ["Customer", "Agent"]
    assert {turn.speaker for turn in turns} == {"Customer", "Agent"}
    assert ASKED in turns[0].text and ANSWERED in turns[1].text
    said = "\n".join(turn.text for turn in turns)
    for gone in ("wrote:", "schrieb", "écrit", "> ", "From:", "Von:", "Original Message", "iPhone", "Tel: 555", "____"):
        assert gone not in said
    assert said.count(ASKED) == said.count(ANSWERED) == 1


@pytest.mark.parametrize("name", THREADS)
def test_without_a_format_the_senders_of_a_thread_speak(name):
    turns = parse_turns(THREADS[name])
    assert len({turn.speaker for turn in turns}) == 2
    assert ASKED in turns[0].text and ANSWERED in turns[1].text


def test_the_date_stays_before_a_mail_and_the_subject_before_the_first():
    first, second = parse_mails(THREADS["outlook"], roles=True)
    assert first.text == f"Subject: kettle\n[Monday, May 3, 2025 10:32 AM] {ASKED}"
    assert second.text == f"[Tuesday, May 4, 2025 9:12 AM] {ANSWERED}"


def test_agents_write_from_the_company_also_if_they_write_first():
    thread = (
        "From: Anna <anna@acme.com>\nTo: joe@example.org\nSubject: your plan\nDate: 2025-05-03\n\nIt ends.\n\n"
        "From: Joe <joe@example.org>\nTo: anna@acme.com\nSubject: Re: your plan\nDate: 2025-05-04\n\nI leave.\n\n"
        "From: Tom <tom@care.acme.com>\nTo: joe@example.org\nSubject: Re: your plan\nDate: 2025-05-05\n\nA pity."
    )
    assert [turn.speaker for turn in parse_mails(thread, roles=True, company=["acme.com"])] == [
        "Agent (Anna)", "Customer", "Agent (Tom)",
    ]  # fmt: skip
    assert [turn.speaker for turn in parse_turns(thread)] == ["Anna", "Joe", "Tom"]


def test_a_mail_whose_sender_cannot_be_told_is_a_problem():
    thread = (
        "Thanks.\n\nOn Monday Joe wrote:\n> a\n>\n> On Sunday Anna wrote:\n>> b\n>>\n>> On Friday Tom wrote:\n>>> c"
    )
    with pytest.raises(ValueError, match="cannot be told who wrote the mail that begins with 'Thanks"):
        parse_mails(thread)


def read(tmp_path, name, content, **settings):
    (tmp_path / name).write_text(content, encoding="utf-8")
    corpus = read_corpus(CorpusConfig(path=name, **settings), base_dir=tmp_path)
    return {item.id: [(turn.speaker, turn.text) for turn in item.turns] for item in corpus.conversations}


def test_a_corpus_of_threads_is_read_by_its_format(tmp_path):
    rows = [{"id": str(number), "conversation": text} for number, text in enumerate(THREADS.values())]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    conversations = read(tmp_path, "mails.jsonl", content, format="email", agents=["acme.com", "acme.de"])
    assert len(conversations) == len(THREADS)
    transcript = '{"conversation": "Customer: hi\\nAgent: hello"}\n{"conversation": "just words"}\n'
    assert list(read(tmp_path, "two.jsonl", transcript, format="email").values()) == [
        [("Customer", "hi"), ("Agent", "hello")],
        [("Customer", "just words")],
    ]


TICKETS = (
    "ticket_id,author,created_at,body,channel\n"
    "7,anna@acme.com,2025-05-03T11:05:00Z,We send one.,mail\n"
    "8,lee@example.org,2025-05-03T10:40:00Z,My lamp broke.,mail\n"
    "7,joe@example.org,2025-05-03T10:32:00Z,My kettle leaks.,mail\n"
    '8,anna@acme.com,2025-05-04T09:00:00Z,"Which one?\n\nOn Sat, Lee <lee@example.org> wrote:\n> My lamp broke.",mail\n'
)
COLUMNS = ColumnsConfig(speaker="author", text="body")


def test_rows_of_a_ticket_are_joined_and_sorted_by_time(tmp_path):
    found = read(tmp_path, "tickets.csv", TICKETS, group_by="ticket_id", columns=COLUMNS)
    assert found["7"] == [("joe@example.org", "My kettle leaks."), ("anna@acme.com", "We send one.")]
    assert [speaker for speaker, _ in found["8"]] == ["lee@example.org", "anna@acme.com"]
    assert read(tmp_path, "tickets.csv", TICKETS, group_by="ticket_id") == found  # author and body are usual names
    unsorted = ColumnsConfig(speaker="author", text="body", time=None)
    assert read(tmp_path, "tickets.csv", TICKETS, group_by="ticket_id", columns=unsorted)["7"] == found["7"][::-1]


def test_with_the_format_of_mails_authors_become_customer_and_agent_and_quotations_go(tmp_path):
    found = read(tmp_path, "tickets.csv", TICKETS, group_by="ticket_id", format="email", agents=["acme.com"])
    assert found["7"] == [("Customer", "My kettle leaks."), ("Agent", "We send one.")]
    assert found["8"] == [("Customer", "My lamp broke."), ("Agent", "Which one?")]


@pytest.mark.parametrize(
    "times",
    [
        ("2025-05-03 10:32:00 UTC", "2025-05-03 11:05:00 UTC", "2025-05-03T10:40:00+00:00", "2025-05-04"),
        ("1746268320", "1746270300", "1746268800", "1746349200"),
        ("1746268320000", "1746270300000", "1746268800000", "1746349200000"),
        ("03.05.2025 10:32", "03.05.2025 11:05", "03.05.2025 10:40", "04.05.2025 09:00"),
        ("13/05/2025 10:32", "13/05/2025 11:05", "13/05/2025 10:40", "14/05/2025 09:00"),
        ("5/13/2025 10:32 AM", "5/13/2025 11:05 AM", "5/13/2025 10:40 AM", "5/14/2025 9:00 AM"),
        ("Sat, 3 May 2025 10:32:00 +0000", "Sat, 3 May 2025 13:05:00 +0200", "Sat, 3 May 2025 10:40:00 GMT",
         "Sun, 4 May 2025 09:00:00 +0000"),
    ],
)  # fmt: skip
def test_times_are_read_in_the_forms_of_exports(tmp_path, times):
    old = ("2025-05-03T10:32:00Z", "2025-05-03T11:05:00Z", "2025-05-03T10:40:00Z", "2025-05-04T09:00:00Z")
    content = TICKETS
    for one, other in zip(old, times, strict=True):
        content = content.replace(one, f'"{other}"')
    expected = read(tmp_path, "tickets.csv", TICKETS, group_by="ticket_id")
    assert read(tmp_path, "tickets.csv", content, group_by="ticket_id") == expected


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (TICKETS.replace("2025-05-03T10:40:00Z", "soon"), r"line 3: created_at: 'soon' is no time"),
        (TICKETS.replace("2025-05-03T10:32:00Z", "04/05/2025").replace("2025-05-03T11:05:00Z", "03/06/2025"),
         "cannot be told whether the day or the month comes first"),
        (TICKETS.replace("\n8,lee", "\n,lee"), r"line 3: no value in 'ticket_id'"),
        (TICKETS.replace("ticket_id", "number"), r"no column 'ticket_id' \(there are: number"),
        (TICKETS.replace("author", "writer"), r"no column 'speaker' \(there are: .*writer"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined_is_a_problem_with_its_line(tmp_path, content, reason):
    with pytest.raises(DataError, match=reason):
        read(tmp_path, "tickets.csv", content, group_by="ticket_id")


def test_a_limit_counts_conversations_and_not_messages(tmp_path):
    more = "".join(f"{number},x,2025-05-05,hi,mail\n" for number in range(20, 30))
    assert list(read(tmp_path, "tickets.csv", TICKETS + more, group_by="ticket_id", limit=3)) == ["7", "8", "20"]


def test_files_for_openai_and_of_sharegpt_are_recognised(tmp_path):
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "this"}]
    openai = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "tool_calls": [{}]}]}
    sharegpt = {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}
    for row, turns in (
        (openai, [("user", "See\nthis"), ("assistant", "")]),
        (sharegpt, [("human", "hi"), ("gpt", "hello")]),
        ({"conversation": sharegpt["conversations"]}, [("human", "hi"), ("gpt", "hello")]),
        ({"conversation": '{"speaker": "A", "text": "x"}\n{"speaker": "B", "text": "y"}'}, [("A", "x"), ("B", "y")]),
    ):
        assert list(read(tmp_path, "rows.jsonl", json.dumps(row) + "\n").values()) == [turns]


@pytest.mark.parametrize("ending", ["xlsx", "xls", "ods"])
def test_a_spreadsheet_is_to_be_saved_as_csv(tmp_path, ending):
    with pytest.raises(DataError, match="is a spreadsheet: save it as CSV"):
        read(tmp_path, f"tickets.{ending}", "PK")
    with pytest.raises(DataError, match="is a spreadsheet: save it as CSV"):
        read_corpus(CorpusConfig(path=f"none.{ending}"), base_dir=tmp_path)


def test_a_check_shows_a_thread_as_it_was_understood(tmp_path):
    write_corpus(tmp_path / "unused.jsonl", 2)
    rows = [
        {"id": f"t{number}", "conversation": text + f"\n> No {number}"} for number, text in enumerate(THREADS.values())
    ]
    (tmp_path / "mails.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "arf.yaml").write_text(
        f"run_dir: {tmp_path / 'run'}\ncorpus: {{path: mails.jsonl, format: email}}\n"
        "models: {teacher: scripted/none}\n",
        encoding="utf-8",
    )
    shown = CliRunner().invoke(app, ["check", str(tmp_path / "arf.yaml")]).output
    assert "speakers: Customer (" in shown
    assert "conversation t0 as it was understood:" in shown
    assert f"[1] Customer: [Mon, 3 May 2025 at 10:32] Hello, {ASKED}" in shown


@pytest.mark.parametrize("agents", [[], ["acme.com"]])
def test_a_labelled_thread_is_read_like_those_of_the_corpus(tmp_path, agents):
    thread = THREADS["outlook"]
    config = Config.model_validate(
        {
            "corpus": {"path": "corpus.jsonl", "format": "email", "agents": agents},
            "labeled": {"path": "labeled.jsonl"},
            "models": {"teacher": "scripted/model"},
        }
    )
    row = {"id": "a", "conversation": thread}
    (tmp_path / "corpus.jsonl").write_text(json.dumps(row))
    (tmp_path / "labeled.jsonl").write_text(json.dumps({**row, "summary": "The kettle leaks.", "errors": []}))
    (of_corpus,) = read_corpus(config.corpus, base_dir=tmp_path).conversations
    (labelled,) = read_labeled_of(config, {}, tmp_path)
    assert [turn.speaker for turn in labelled.conversation.turns] == ["Customer", "Agent"]
    assert labelled.conversation.turns == of_corpus.turns


TWEETS = """\
tweet_id,author_id,created_at,text,response_tweet_id,in_response_to_tweet_id
1,acme,Tue Oct 31 22:10:47 +0000 2017,We look into it.,2,3.0
2,115712,Tue Oct 31 22:11:45 +0000 2017,And?,,1.0
3,115712,Tue Oct 31 22:08:27 +0000 2017,My order is late.,1,
9,115799,Tue Oct 31 21:49:35 +0000 2017,Hello?,8,
8,acme,Tue Oct 31 21:59:35 +0000 2017,Hi!,,9.0
"""


def test_answers_to_a_message_are_one_conversation_with_it(tmp_path):
    found = read(tmp_path, "tweets.csv", TWEETS, group_by="in_response_to_tweet_id")
    assert {name: [who for who, _ in turns] for name, turns in found.items()} == {
        "3": ["115712", "acme", "115712"],
        "9": ["115799", "acme"],
    }


def test_messages_that_answer_each_other_do_not_go_round_for_ever(tmp_path):
    rows = "id,author,body,reply_to\n1,a,x,2\n2,b,y,1\n3,a,z,2\n"
    found = read(tmp_path, "replies.csv", rows, group_by="reply_to")
    assert sum(map(len, found.values())) == 3


def test_numbers_of_tickets_are_no_ids_of_messages(tmp_path):
    rows = "id,ticket_id,author,body\n1,1,a,x\n2,1,b,y\n3,2,a,z\n4,2,b,w\n"
    assert list(read(tmp_path, "rows.csv", rows, group_by="ticket_id")) == ["1", "2"]
