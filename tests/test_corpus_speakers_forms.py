"""Conversations as mails and exports of chats write them: nobody's words become another's."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.cli.check import describe_speakers
from arf_programs.corpus.speakers import parse_turns
from signatures.records import Conversation, Turn


def turns(text):
    return [(turn.speaker, turn.text) for turn in parse_turns(text)]


def speakers(text):
    return [turn.speaker for turn in parse_turns(text)]


HEADERS = {
    "English": ("Customer", "Agent", "From: {}\nSent: Monday, 3 May 2025 10:32\nTo: {}\nCc: Desk\nSubject: invoice"),
    "German": ("Kunde", "Beraterin", "Von: {}\nGesendet: Montag, 3. Mai 2025 10:32\nAn: {}\nBetreff: Rechnung"),
    "French": ("Client", "Conseillère", "De : {}\nEnvoyé : lundi 3 mai 2025 10:32\nÀ : {}\nObjet : facture"),
    "Spanish": ("Cliente", "Agente", "De: {}\nEnviado el: lunes, 3 de mayo de 2025\nPara: {}\nAsunto: factura"),
    "Italian": ("Cliente", "Operatore", "Da: {}\nInviato: lunedì 3 maggio 2025\nA: {}\nOggetto: fattura"),
    "Dutch": ("Klant", "Medewerker", "Van: {}\nVerzonden: maandag 3 mei 2025\nAan: {}\nOnderwerp: factuur"),
    "Polish": ("Klient", "Konsultant", "Od: {}\nWysłano: poniedziałek\nDo: {}\nTemat: faktura"),
    "Swedish": ("Kund", "Handläggare", "Från: {}\nSkickat: den 3 maj 2025\nTill: {}\nÄmne: faktura"),
    "Russian": ("Клиент", "Оператор", "От: {}\nОтправлено: 3 мая 2025\nКому: {}\nТема: счёт"),
    "Chinese": ("客户", "客服", "发件人：{}\n发送时间：2025年5月3日\n收件人：{}\n主题：发票"),
    "Greek": ("Πελάτης", "Anna", "Από: {}\nΣτάλθηκε: Σάββατο\nΠρος: {}\nΘέμα: τιμολόγιο"),
    "Ukrainian": ("Клієнт", "Оператор", "Від: {}\nНадіслано: субота\nКому: {}\nТема: рахунок"),
    "Romanian": ("Client", "Operator", "De la: {}\nTrimis: sâmbătă\nCătre: {}\nSubiect: factura"),
    "Vietnamese": ("Customer", "Agent", "Từ: {}\nĐã gửi: thứ bảy\nĐến: {}\nChủ đề: hoá đơn"),
    "Thai": ("ลูกค้า", "เจ้าหน้าที่", "จาก: {}\nส่ง: เสาร์\nถึง: {}\nเรื่อง: ใบ"),
    "fields of programs": ("Joe", "Anna", "From: {}\nReply-To: x@y.z\nTo: {}\nMessage-ID: <a@b>\nSubject: invoice"),
    "a language that is not listed": ("Anna", "Tom", "Nadawaca: {} <a@b.pl>\nKiedyy: 3 maja\nDlaa: {}\nTytul: x"),
}


@pytest.mark.parametrize("between", ["\n", "\n\n"])
@pytest.mark.parametrize("language", HEADERS)
def test_headers_of_quoted_mails_stay_in_the_turn(language, between):
    customer, agent, header = HEADERS[language]
    if language.startswith("a language") and between == "\n\n":
        return
    first, second = (header.format(*names).replace("\n", between) for names in (("Joe", "Desk"), ("Desk", "Joe")))
    text = (
        f"{customer}: It is wrong.\n{agent}: Which one?\n\n{first}\nIt is wrong.\n"
        f"{customer}: The second.\n\n{second}\nWhich one?\n{agent}: Mended."
    )
    assert turns(text) == [
        (customer, "It is wrong."),
        (agent, f"Which one?\n\n{first}\nIt is wrong."),
        (customer, f"The second.\n\n{second}\nWhich one?"),
        (agent, "Mended."),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "On Mon, 3 May 2025 at 10:32, Joe Miller <joe@example.org> wrote:",
        "On Monday Joe wrote:",
        "Am 03.05.2025 um 10:32 schrieb Joe Miller:",
        "Am Montag schrieb Joe:",
        "Le 3 mai 2025 à 10:32, Joe Miller a écrit :",
        "Il giorno lun 3 mag 2025 Joe ha scritto:",
        "El lunes Joe escribió:",
        "-----Original Message-----",
        "Begin forwarded message:",
        "> Tom: quoted",
        "> From: Tom",
    ],
)
def test_quoted_mails_do_not_begin_a_turn(line):
    text = f"Maria: hi\nTom: hello\n{line}\n> hi\nMaria: yes\n{line}\n> hello\nTom: bye"
    assert speakers(text) == ["Maria", "Tom", "Maria", "Tom"]


def test_a_thread_of_mails_is_spoken_by_its_senders():
    text = (
        "From: Joe Miller <joe@example.org>\nSent: Monday\nTo: Desk\nSubject: invoice\n\nIt is wrong.\nNote: urgent\n\n"
        "From: The Desk [mailto:desk@example.org]\nSent: Tuesday\nTo: Joe Miller\nSubject: RE: invoice\n\nWhich one?"
    )
    (first, one), (second, two) = turns(text)
    assert (first, second) == ("Joe Miller", "The Desk")
    assert one.endswith("It is wrong.\nNote: urgent")
    assert two.endswith("Which one?")


def test_fields_of_a_journey_and_of_a_signature_are_nobody():
    text = "Customer: a\nAgent: b\nFrom: London\nTo: Paris\nCustomer: c\nAgent: d\nFrom: Rome\nTo: Bari\nCustomer: e"
    assert speakers(text) == ["Customer", "Agent", "Customer", "Agent", "Customer"]
    signed = "\nTel: 123\nWeb: example.org\nOrder number: 5"
    assert speakers(f"Customer: a\nAgent: b{signed}\nCustomer: c\nAgent: d{signed}") == ["Customer", "Agent"] * 2


NAMES = [
    ("Miller, Joe", "Smith, Anna"),
    ("Joe, Customer", "Anna, Support Agent"),
    ("+44 7700 900123", "(555) 123-4567"),
    ("María del Carmen García López", "Johannes van der Berg de Vries"),
    ("Joe 🌟", "Anna 👩‍💼"),
    ("🌟 Joe", "🌸 Anna"),
    ("Joe (Customer)", "Anna (Agent)"),
    ("Joe [Customer]", "Anna [Agent]"),
    ("Joe <joe@example.org>", "Desk <desk@example.org>"),
    ("joe@example.org", "desk@example.org"),
    ("Kundin", "Berater"),
    ("Client", "Conseiller"),
    ("مشتری", "کارشناس"),
    ("お客様", "オペレーター"),
    ("Müşteri", "Temsilci"),
    ("A", "B"),
]


@pytest.mark.parametrize(("first", "second"), NAMES)
def test_names_in_all_their_forms(first, second):
    text = f"{first}: hi\nNote: this\n{second}: hello\nColour: red\n{first}: bye\n{second}: bye"
    assert turns(text) == [(first, "hi\nNote: this"), (second, "hello\nColour: red"), (first, "bye"), (second, "bye")]


@pytest.mark.parametrize("role", ["Supervisor", "Tom (Supervisor)", "Tom [Manager]", "Vorgesetzter Berater", "Técnico"])
def test_a_third_person_with_a_role_speaks_for_himself(role):
    assert speakers(f"Customer: a\nAgent: b\n{role}: c\nCustomer: d") == ["Customer", "Agent", role, "Customer"]


@pytest.mark.parametrize("mark", ["**{}:** {}", "**{}**: {}", "- {}: {}", "• {}: {}", "1. {}: {}", "[7] {}: {}"])
def test_marks_of_lists_and_of_emphasis_are_no_part_of_a_name(mark):
    text = "\n".join(
        mark.format(*turn) for turn in [("Customer", "a"), ("Agent", "b"), ("Total", "5"), ("Customer", "c")]
    )
    assert speakers(text) == ["Customer", "Agent", "Customer"]
    assert speakers(f"Customer: a\nAgent: b\n{mark.format('Cabin', 'x')}\nCustomer: c") == [
        "Customer",
        "Agent",
        "Customer",
    ]


STAMPED = [
    "[12:0{n}] {name}: {text}",
    "12:0{n} {name}: {text}",
    "(10:32:0{n} AM) {name}: {text}",
    "03/05/2025, 12:0{n} - {name}: {text}",
    "[03.05.25, 12:03:2{n}] {name}: {text}",
    "\u200e[5/3/25, 12:03:2{n}\u202fPM] {name}: {text}",
    "3.5.2025 klo 10.3{n} - {name}: {text}",
    "10:3{n} AM | {name}: {text}",
    "2025-05-03T10:3{n}:11Z {name}: {text}",
    "[2025-05-03 10:3{n}:11] {name}: {text}",
    "{name} (10:3{n}): {text}",
    "{name} [2025-05-03 10:3{n}]: {text}",
    "{name}, May 3, 2025, 10:3{n} AM: {text}",
    "{name}  10:3{n} AM\n{text}",
    "{name}\n  10:3{n} AM\n{text}",
    "{name} — 05/03/2025 10:3{n} AM\n{text}",
    "{name}, [03.05.2025 10:3{n}]\n{text}",
    "[10:3{n} AM] {name}\n{text}",
]


@pytest.mark.parametrize("form", STAMPED)
def test_exports_with_a_time_beside_each_name(form):
    said = [
        ("Joe Miller", "My order\nOrder: 3"),
        ("Anna Smith", "Thanks\nat 5:30"),
        ("Joe Miller", "Yes, at 10:32"),
        ("Anna Smith", "ok"),
    ]
    text = "\n".join(form.format(n=n, name=name, text=words) for n, (name, words) in enumerate(said))
    read = parse_turns(text)
    assert [turn.speaker for turn in read] == [name for name, _ in said]
    assert [turn.text.endswith(words) for turn, (_, words) in zip(read, said, strict=True)] == [True] * 4
    assert all("3" in turn.text or "0" in turn.text for turn in read)  # the time stays


@pytest.mark.parametrize(
    "moments",
    [
        ("{} — Yesterday at 11:03 PM\n", "{} — Today at 12:04 PM\n", "{} — 05/04/2025 12:05 PM\n"),
        ("{}  59:01\n", "{}  59:58\n", "{}  1:00:09\n"),
        ("[59:01] {}: ", "[59:58] {}: ", "[1:00:09] {}: "),
        ("[12:03:21] {}: ", "[12:03:22.5] {}: ", "[12:03:23] {}: "),
        ("2025-05-03T12:03:21Z {}: ", "2025-05-03T12:03:22.5Z {}: ", "2025-05-03T12:03:23Z {}: "),
        ("{}, May 3, 2025, 12:03 PM\n", "{}, Yesterday 12:30 PM\n", "{}, Today 12:40\n"),
        ("{} Monday 12:03 PM\n", "{} 12:04 PM\n", "{} 12:05 PM\n"),
        ("{}  12:03 PM\n", "{}  12:04 PM (edited)\n", "{}  12:05 PM\n"),
        ("{}, 12:03 PM\n", "{}, 12:04 PM, Edited\n", "{}, 12:05 PM\n"),
        ("{} :palm_tree:  12:03 PM\n", "{}  12:04 PM\n", "{} :house:  12:05 PM\n"),
        ("{}\n5/3 12:03 PM\n", "{}\n5/3 12:04 PM\n", "{}\n5/3 12:05 PM\n"),
        ("{} at 12:03, May 3: ", "{} at 12:04, May 3: ", "{} at 12:05, May 4: "),
        ("٣/٥/٢٠٢٥، ١٢:٠٣ م - {}: ", "٣/٥/٢٠٢٥، ١٢:٠٤ م - {}: ", "٣/٥/٢٠٢٥، ١٢:٠٥ ص - {}: "),
        ("2025/5/3 下午12:03 - {}: ", "2025/5/3 下午12:04 - {}: ", "2025/5/4 上午9:05 - {}: "),
    ],
)
def test_times_may_change_their_form_within_an_export(moments):
    names = ("Joe Miller", "Anna Smith", "Joe Miller")
    said = ("hi", "see\nTotal: 5", "ok")
    text = "\n".join(moment.format(name) + words for moment, name, words in zip(moments, names, said, strict=True))
    read = parse_turns(text)
    assert [turn.speaker for turn in read] == list(names)
    assert [turn.text.endswith(words) for turn, words in zip(read, said, strict=True)] == [True] * 3


def test_a_log_within_an_export_is_no_turn():
    text = "[12:03] Joe: see\n[10:32:11] Error: disk\n[10:32:12] Warning: heat\n[12:04] Anna: ok"
    assert turns(text) == [
        ("Joe", "[12:03] see\n[10:32:11] Error: disk\n[10:32:12] Warning: heat"),
        ("Anna", "[12:04] ok"),
    ]


def test_a_name_that_looks_the_same_is_one_person():
    text = "Joe\u00a0Miller: a\nAna Ruíz : b\nJOE MILLER: c\nAna Rui\u0301z: d\n\u200bJoe Miller: e"
    assert speakers(text) == ["Joe\u00a0Miller", "Ana Ruíz"] * 2 + ["Joe\u00a0Miller"]


def test_messages_of_an_export_that_nobody_says_are_the_systems():
    text = (
        "03/05/2025, 12:03 - Messages are encrypted.\n03/05/2025, 12:03 - Joe: hi\n"
        "03/05/2025, 12:04 - +44 7700 900123: yes\n"
        "03/05/2025, 12:05 - Joe left"
    )
    assert speakers(text) == ["System", "Joe", "+44 7700 900123", "System"]
    text = "Visitor: Joe\nAgent: Tom\n\n(10:32:11 AM) Joe: hi\n(10:32:20 AM) *** Tom joined ***\n(10:33:01 AM) Tom: yes"
    assert speakers(text) == ["System", "Joe", "System", "Tom"]


def test_a_log_within_a_turn_is_no_export():
    log = "[10:32:11] Error: disk\n[10:32:12] Warning: heat"
    assert turns(f"Customer: see\n{log}\nAgent: ok") == [("Customer", f"see\n{log}"), ("Agent", "ok")]
    assert turns(f"Customer: hi\nAgent: see\n{log}") == [("Customer", "hi"), ("Agent", f"see\n{log}")]


@pytest.mark.parametrize(
    "text",
    [
        "Customer: hi\n[12:04] Agent: hello\n[12:05] Customer: more",
        "[12:03] Anna: hi\nAgent: hello\n[12:05] Anna: more",
        "[12:03] Anna: hi\n[12:04] Tom: hello\nAnna: more",
    ],
)
def test_what_cannot_be_told_is_refused(text):
    with pytest.raises(ValueError, match=r"it cannot be told whether '.*' begins a turn"):
        parse_turns(text)


people = st.sampled_from(
    ["Joe Miller", "Anna", "Miller, Tom", "María del Carmen García López", "+44 7700 900123", "Joe 🌟"]
)
words = st.text("abc xyz.", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(
    st.sampled_from([*STAMPED[:13], "{name}: {text}"]),
    st.lists(people, min_size=2, max_size=3, unique=True),
    st.lists(words, min_size=4, max_size=9),
)
def test_each_person_says_what_he_said(form, names, texts):
    said = [(names[number % len(names)], text) for number, text in enumerate(texts + texts)]
    text = "\n".join(form.format(n=number % 10, name=name, text=words) for number, (name, words) in enumerate(said))
    read = parse_turns(text)
    assert [turn.speaker for turn in read] == [name for name, _ in said]
    assert all(turn.text.endswith(words) for turn, (_, words) in zip(read, said, strict=True))


def test_a_long_run_of_spaces_is_read_in_linear_time():
    start = time.process_time()
    assert speakers("Customer:" + " " * 200_000 + "x") == ["Customer"]
    assert speakers("Customer: a<br>" + " " * 200_000 + "<br>Agent: b") == ["Customer", "Agent"]
    assert time.process_time() - start < 20, "it takes minutes where each space is tried as a beginning"


@pytest.mark.parametrize("line", ["Label {}: x", "[12:03] Name {}: x", "Name{} a@b.c: <a@b.c>", "- Mark {}: x"])
def test_many_labels_are_read_in_linear_time(line):
    def seconds(labels):
        text = "\n".join(line.format(number) for number in range(labels))
        start = time.process_time()
        with suppress(ValueError):
            parse_turns(text)
        return time.process_time() - start

    few = seconds(5_000)
    assert seconds(20_000) < 10 * few, "four times the labels take much more than four times as long"


def test_a_corpus_is_described_by_its_speakers_and_one_conversation():
    first = Conversation(id="c1", turns=tuple(Turn(speaker=f"S{n % 10}", text="word " * 50) for n in range(15)))
    second = Conversation(id="c2", turns=(Turn(speaker="S0", text="hi"),))
    counted, title, *shown = describe_speakers([first, second])
    assert counted.startswith("speakers: S0 (3 turns in 2 conversations), S1 (2 turns in 1 conversations)")
    assert counted.endswith("and 2 more")
    assert title == "conversation c1 as it was understood:"
    assert shown[0].startswith("  [1] S0: word word")
    assert shown[-1] == "  and 3 more turns"
    assert describe_speakers([]) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("System: chat started\nAnna: My lamp broke.\nShop: We send one.", ["System", "Anna", "Shop"]),
        ("System: start\nAnna: My lamp broke.\nShop: We send one.\nAnna: Thanks.", ["System", "Anna", "Shop", "Anna"]),
        ("System: What do you need?\nUser: A taxi.\nDestination: town\nSystem: Fine.", ["System", "User", "System"]),
    ],
)
def test_two_people_are_found_beside_the_chat_system(text, expected):
    assert speakers(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Customer: I wrote:\nAgent: Do it now.\nCustomer: Thanks.", ["Customer", "Agent", "Customer"]),
        ("Kunde: Am Montag schrieb sie:\n> Danke\nAgent: Gut.", ["Kunde", "Agent"]),
        ("Joe: a\nAnn: b\nTom: c\nJoe: d\nTom: e", ["Joe", "Ann", "Tom", "Joe", "Tom"]),
        (
            "Joe Miller: a\nAnna Smith: b\nJoe Miller: c\nTom Hill: d",
            ["Joe Miller", "Anna Smith", "Joe Miller", "Tom Hill"],
        ),
        ("Customer: a\nSupervisor Anna: b\nAgent: c", ["Customer", "Supervisor Anna", "Agent"]),
        ("Ticket: 4471\nStatus: open\nJoe: a\nAnna: b", ["System", "System", "Joe", "Anna"]),
        ("Chat started: 3 May\nCustomer: a\nAgent: b", ["System", "Customer", "Agent"]),
        ("Agent name: Anna\nCustomer: a\nAgent: b", ["System", "Customer", "Agent"]),
        ("<b>Customer:</b> a\n<b>Agent:</b> b", ["Customer", "Agent"]),
        ("  Customer: a\n    Agent: quoted\n  Agent: b", ["Customer", "Agent"]),
        ("\tJoe: a\n\tAnna: b", ["Joe", "Anna"]),
        ("Joe @ 12:03: a\nAnna @ 12:04: b", ["Joe", "Anna"]),
        ("0049 170 1234567: a\n~Anna: b\n0049 170 1234567: c", ["0049 170 1234567", "Anna", "0049 170 1234567"]),
    ],
)
def test_nobody_is_given_the_words_of_another(text, expected):
    assert speakers(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Customer: a\nAgent: b\nTom: I am his son.\nAgent: c",
        "Customer: He told me\nJoe: we refund it\nAgent: Sorry.",
    ],
)
def test_a_name_that_stands_once_between_roles_is_refused(text):
    with pytest.raises(
        ValueError, match=r"it cannot be told whether .* begins a turn, since '(Tom|Joe)' stands there only once"
    ):
        parse_turns(text)


@pytest.mark.parametrize(
    "text",
    [
        "Sunil: a\nPriyanka: b\nSunil: c\nBjarne: d\nSunil: e",
        "Bjarne: a\nXiulan: b\nBjarne: c\nXiulan: d\nTamsyn: I am new here",
        "Bjarne Ek: a\nXiulan Wu: b\nBjarne Ek: c\nTamsyn Rowe: d\nXiulan Wu: e",
        "BJARNE: a\nXIULAN: b\nBJARNE: c\nTAMSYN: d",
        "j0e: a\nxiulan: b\nj0e: c\nbjarne: d",
        "Customer: a\nAgent: b\nBjarne: hello, I take over\nXiulan: and I help\nCustomer: c",
    ],
)
def test_names_that_no_list_has_are_not_given_to_another(text):
    with pytest.raises(
        ValueError, match=r"it cannot be told whether '.*' begins a turn, since '.*' stands there only once"
    ):
        parse_turns(text)


@pytest.mark.parametrize(
    "text",
    [
        "Bjarne: a\nXiulan: do this\nSolution: restart it\nBjarne: c",
        "Bjarne: a\nXiulan: b\nBjarne: c\nMonday: 9-5\nConfirmation: 4471\nXiulan: d",
        "Customer: a\nAgent: Here they are:\nMarriott: $200 per night\nHilton: $180 per night\nCustomer: c",
        "Customer: a\nAgent: b\nRücksendung: ja\nETA: 5 pm\nCustomer: c",
    ],
)
def test_words_of_forms_and_lists_are_nobody(text):
    assert not set(speakers(text)) - {"Bjarne", "Xiulan", "Customer", "Agent"}


def test_fields_within_a_turn_of_a_person_are_nobody():
    text = "Joe: My order:\nOrder number: 4471\nSize: 42\nAnna: Thanks."
    assert turns(text) == [("Joe", "My order:\nOrder number: 4471\nSize: 42"), ("Anna", "Thanks.")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IVR: Press 1\nCaller: 1\nIVR: Hold\nAgent Smith: hello\nCaller: hi", "IVR|Caller|IVR|Agent Smith|Caller"),
        ("Customer: hi\nOperator Dubois: hello\nCustomer: ok", "Customer|Operator Dubois|Customer"),
        ("Joe: hi\nAnna, Tier 2 Support: hello\nJoe: bye", "Joe|Anna, Tier 2 Support|Joe"),
        ("Customer: hi\nAuto-reply: We are away.\nAgent: hello", "Customer|Auto-reply|Agent"),
        ("Kunde: hi\nAutomatische Antwort: Wir sind weg.\nBerater: ja", "Kunde|Automatische Antwort|Berater"),
        ("115712: hi\nAppleSupport: hello\n115712: bye", "115712|AppleSupport|115712"),
        ("#Person1#: hi\n#Person2#: hello", "Person1|Person2"),
        ("{{NAME}}: hi\nAgent: hello\n{{NAME}}: bye", "NAME|Agent|NAME"),
        ("<PERSON_1>: hi\nAgent: hello\n<PERSON_1>: bye", "PERSON_1|Agent|PERSON_1"),
        ("Joe Miller  10:32 AM\nhi\nAcme Bot  APP  10:33 AM\nhello", "Joe Miller|Acme Bot"),
        ("[04-Mar-25 10:32 AM] joe#4471\nhi\n\n[04-Mar-25 10:33 AM] ann#0001\nhello", "joe#4471|ann#0001"),
        ("Agent (0:03 - 0:09): hello\nCustomer (0:09 - 0:12): hi", "Agent|Customer"),
    ],
)
def test_the_forms_of_further_exports_name_their_speakers(text, expected):
    assert speakers(text) == expected.split("|")


@pytest.mark.parametrize(
    "notice",
    [
        *("--- Chat started ---", "===== Conversation 4471 =====", "*** Anna joined ***", "[Chat started at 10:32]"),
        *(
            "Chat Transcript",
            "(Agent is typing)",
            "Anna has joined the conversation.",
            "The chat was transferred to Ben",
        ),
    ],
)
def test_a_notice_of_the_chat_is_said_by_nobody(notice):
    talk = "Customer: hi\nAgent: hello\n{}Customer: my order\nAgent: which?"
    assert speakers(f"{notice}\n{talk.format('')}")[0] == "System"
    turns = parse_turns(talk.format(f"{notice}\n"))
    assert [(turn.speaker, turn.text) for turn in turns][1:4] == [
        ("Agent", "hello"),
        ("System", notice),
        ("Customer", "my order"),
    ]


@pytest.mark.parametrize(
    "line", ["**Payment:**", "Agent Notes: angry", "--- my signature ---", "(we joined forces: yes)"]
)
def test_a_line_that_only_looks_like_a_notice_stays_in_its_turn(line):
    turns = parse_turns(f"Customer: hi\n{line}\nAgent: hello\nCustomer: ok")
    assert [turn.speaker for turn in turns] == ["Customer", "Agent", "Customer"]
    assert turns[0].text == f"hi\n{line}"


@pytest.mark.parametrize("who", ["Doctor", "Nurse", "Lawyer", "Driver", "Teacher", "Anwältin", "Médecin", "Abogado"])
@pytest.mark.parametrize("says", ["Where does it hurt?", "The arm is broken.", "I am there in five minutes or so"])
def test_somebody_of_a_profession_who_speaks_once_between_roles_is_a_speaker(who, says):
    turns = parse_turns(f"Customer: Hello.\nAgent: I ask.\n{who}: {says}\nCustomer: Thanks.\nAgent: Bye.")
    assert [turn.speaker for turn in turns] == ["Customer", "Agent", who, "Customer", "Agent"]
    assert turns[2].text == says


def test_a_profession_in_a_form_is_no_speaker():
    form = "My data:\nDriver: J. Miller\nOwner: Anna Meyer\nDoctor: 4471"
    turns = parse_turns(f"Customer: {form}\nAgent: Ok.\nCustomer: Thanks.\nAgent: Bye.")
    assert [turn.speaker for turn in turns] == ["Customer", "Agent", "Customer", "Agent"]
    assert turns[0].text == form


@pytest.mark.parametrize(
    "names",
    [("Anna Meyer", "Bob Smith", "Anna Meyer"), ("Anna Meyer", "Bob Smith"), ("Xu Lq", "Vr Ot", "Xu Lq", "Xu Lq")],
)
def test_names_above_blocks_of_captions_speak(names):
    texts = ["Hello, my lamp broke.\nIt is blue.", "Sorry to hear it.", "Thanks.", "And now?"][: len(names)]
    text = "\n\n".join(f"{name}\n{said}" for name, said in zip(names, texts, strict=True))
    assert [(turn.speaker, turn.text) for turn in parse_turns(text)] == list(zip(names, texts, strict=True))


def test_blocks_of_which_one_has_no_name_are_no_captions():
    with pytest.raises(ValueError, match="not with a `Speaker"):
        parse_turns("Acme Lamps\n12 Long Street\n\nBerlin Office\nOpen from 9\n\nWe are glad that you wrote.")


CYRILLIC = str.maketrans("aeopcxATCB", "\u0430\u0435\u043e\u0440\u0441\u0445\u0410\u0422\u0421\u0412")


@pytest.mark.parametrize("names", [("Customer", "Agent"), ("Anna", "Tom"), ("Carter, Joe", "Tech Support")])
def test_a_name_with_letters_that_only_look_latin_is_the_same_speaker(names):
    one, other = names
    mixed = [name[:1].translate(CYRILLIC) + name[1:] for name in names]
    assert turns(f"{one}: a\n{other}: b\n{mixed[0]}: c\n{mixed[1]}: d") == [
        (one, "a"),
        (other, "b"),
        (one, "c"),
        (other, "d"),
    ]


def test_names_in_another_script_stay():
    assert speakers("\u0410\u043d\u043d\u0430: a\nAnna: b\n\u0410\u043d\u043d\u0430: c") == [
        "\u0410\u043d\u043d\u0430",
        "Anna",
        "\u0410\u043d\u043d\u0430",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "joe.m  [10:32 AM]\nmy kettle\nleaks\n\nhelpbot  APP  [10:33 AM]\nsorry\n",
        "joe.m — 03/05/2025 10:32 AM\nmy kettle\nleaks\nhelpbot — Today at 10:33 AM\nsorry",
    ],
)
def test_nicknames_above_their_messages(text):
    assert speakers(text) == ["joe.m", "helpbot"]


def test_an_export_that_begins_with_a_message_of_the_system_and_has_no_comma_in_its_times():
    text = "04/03/2025 10:32 - As mensagens.\n04/03/2025 10:33 - Caio Reis: Oi\n04/03/2025 10:35 - Loja Azul: Sim"
    assert speakers(text) == ["System", "Caio Reis", "Loja Azul"]


@pytest.mark.parametrize("date", ["2025. 3. 4. 오전 10:32", "2025년 3월 4일 오전 10:32"])
def test_dates_of_a_korean_export(date):
    assert speakers(f"{date}, 김철수 : 안녕하세요\n{date}, 상담원 : 네") == ["김철수", "상담원"]


def test_numbered_speakers_above_blocks():
    text = "Speaker 1\nHello there.\n\nSpeaker 2\nMy lamp\nbroke.\n\nSpeaker 1\nSorry."
    assert turns(text) == [("Speaker 1", "Hello there."), ("Speaker 2", "My lamp\nbroke."), ("Speaker 1", "Sorry.")]
