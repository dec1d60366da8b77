"""Length, repetition, copying, leftovers, private data and speakers."""

import pytest

from arf_programs.checks.run import ALL, run_checks
from arf_programs.corpus.taxonomy import load_seed_taxonomy
from signatures.records import Conversation, Turn

TALK = Conversation(
    id="c",
    turns=(
        Turn(speaker="Customer", text="My kettle leaks since the second day. Mail me at iris@kettles.example please."),
        Turn(
            speaker="Agent",
            text="Sorry to hear that. The guarantee covers leaking kettles for two years when you show the receipt, "
            "so please post the kettle to our workshop in Hull and we will send another one at once.",
        ),
    ),
)
GOOD = "The customer reported a leaking kettle. The agent asked for it to be posted to Hull and will replace it."


def found(summary, name, talk=TALK):
    return [(note.category, note.quote) for note in run_checks(talk, summary, enabled=[name])]


def test_a_good_summary_has_no_findings():
    assert run_checks(TALK, GOOD) == []


def test_a_note_names_the_check_that_wrote_it():
    notes = run_checks(TALK, "The agent Marek of Lumora promised 12 kettles. Mail iris@kettles.example for more.")
    assert [(note.quote, note.check) for note in notes] == [
        ("Marek", "names"),
        ("Lumora", "names"),
        ("12", "numbers"),
        ("iris@kettles.example", "private_data"),
    ]


def test_the_numbers_of_a_list_are_no_numbers_of_the_text():
    assert found("1. The kettle leaks.\n2. It goes to Hull.\n3. It costs 3 euros.", "numbers") == [
        ("fabricated", "3 euros")
    ]


def test_an_unknown_check_is_refused():
    with pytest.raises(KeyError):
        run_checks(TALK, GOOD, enabled=["spelling"])


@pytest.mark.parametrize("text", ["", " \n", "...", "Ok."])
def test_empty(text):
    assert found(text, "length") == [("length", text.strip())]


def test_over_long_quotes_what_goes_beyond():
    long = " ".join(f"The agent looked at kettle number {n} with care." for n in range(40))
    category, quote = found(long, "length")[0]
    assert category == "length"
    assert long.endswith(quote)
    assert quote.startswith("The agent looked")


def test_cut_off():
    assert found(GOOD + " The agent then", "length") == [("length", "The agent then")]


def test_a_list_without_full_stops_is_not_cut_off():
    items = "- Kettle leaks since Monday\n- Refund offered by the agent"
    assert found(items, "length") == []
    assert found("- The kettle leaks.\n- The agent then", "length") == [("length", "- The agent then")]


def test_repeated_sentences_and_loops():
    assert found(GOOD + " The customer reported a leaking kettle.", "repetition") == [
        ("repetition", "The customer reported a leaking kettle.")
    ]
    loop = found("The agent said the kettle the kettle the kettle the kettle leaks.", "repetition")
    assert loop == [("repetition", "the kettle the kettle the kettle the kettle")]
    assert found("It cost 5 pounds on the first day. It cost 6 pounds on the first day.", "repetition") == []


def test_copies_and_dialogues():
    copied = TALK.turns[1].text[21:].lower()
    (note,) = run_checks(TALK, f"The agent said that {copied}", enabled=["copying"])
    assert (note.category, note.evidence) == ("verbatim_copy", (2,))
    dialogue = "Customer: My kettle leaks.\nAgent: Sorry.\nCustomer: Thanks."
    assert found(dialogue, "copying") == [("verbatim_copy", dialogue)]
    turn = "Customer: My kettle leaks, and I am not sure when it came."
    assert found(turn, "copying") == [("verbatim_copy", turn)]
    assert found("Outcome: the kettle is replaced.\nAgent: nobody named.", "copying") == []


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        (f"Here is a summary of the conversation: {GOOD}", "Here is a summary of the conversation:"),
        (f"Summary: {GOOD}", "Summary:"),
        (f"Sure! Here's the summary:\n{GOOD}", "Sure! Here's the summary:"),
        (f"[[ ## summary ## ]]\n{GOOD}", "[[ ## summary ## ]]"),
        ('{"summary": "The kettle leaks."}', '{"summary":'),
        (f"{GOOD}<|im_end|>", "<|im_end|>"),
        (f"# Case\n{GOOD}", "# Case"),
        ("Dear [Customer Name], the kettle is replaced.", "[Customer Name]"),
        (f"{GOOD} {{corrected}}", "{corrected}"),
        (f"{GOOD} Let me know if you need more.", "Let me know if you need more."),
    ],
)
def test_leftovers(text, quote):
    assert found(text, "leftovers") == [("irrelevant", quote)]


def test_a_placeholder_of_the_export_is_no_leftover_of_a_prompt():
    talk = Conversation(id="c", turns=(Turn(speaker="Agent", text="Please fill in the form: [link]"),))
    assert found("The agent sent a form, [link].", "leftovers", talk) == []
    assert found("The agent sent a form, [name].", "leftovers", talk) == [("irrelevant", "[name]")]


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("Write to iris@kettles.example about it.", "iris@kettles.example"),
        ("The number is +44 20 7946 0958.", "+44 20 7946 0958"),
        ("Call back on 020 7946 0958 soon.", "020 7946 0958"),
        ("Iris (07700 900142) called.", "07700 900142"),
        ("She can be reached on 555-0142.", "555-0142"),
        ("The card 4111 1111 1111 1111 was charged.", "4111 1111 1111 1111"),
        ("Paid to DE44 5001 0517 5407 3249 31.", "DE44 5001 0517 5407 3249 31"),
        ("She lives at 12 Kettle Lane.", "12 Kettle Lane"),
        ("Her date of birth is 3/4/1980.", "3/4/1980."),
    ],
)
def test_private_data(text, quote):
    assert found(text, "private_data") == [("private_data", quote.rstrip("."))]


@pytest.mark.parametrize(
    "text", ["Order 30041-7 and case 4111111111111112.", "On 2024-03-09 it cost 1,250.00.", "The card ending in 4417."]
)
def test_numbers_that_are_not_private(text):
    assert found(text, "private_data") == []


def test_private_data_cites_its_turn():
    (note,) = run_checks(TALK, "Write to iris@kettles.example about it.")
    assert note.evidence == (1,)


SHOP = Conversation(
    id="toaster",
    turns=(
        Turn(speaker="Customer", text="My toaster smells of burnt rubber since Monday, and the lever sticks."),
        Turn(speaker="Agent", text="Please unplug it and send a photograph of the rating plate underneath."),
        Turn(speaker="Customer", text="The plate says Brennholm 2200. Can I get my money back?"),
        Turn(speaker="Agent", text="That series is recalled. A courier collects it, and the refund takes four days."),
    ),
)


@pytest.mark.parametrize(
    ("sentence", "turn"),
    [
        ("The customer explained that the series is recalled and a courier collects it.", 4),
        ("The agent was asked to unplug it and send a photograph of the rating plate.", 2),
        ("The customer then asked to send a photograph of the rating plate underneath.", 2),
        ("Agent said that the toaster smells of burnt rubber and the lever sticks.", 1),
        ("Finally, the agent was told that a courier collects it and the refund takes four days.", 4),
    ],
)
def test_what_one_side_said_is_credited_to_the_other(sentence, turn):
    (note,) = run_checks(SHOP, f"A toaster was brought up. {sentence}", enabled=["speakers"])
    assert (note.category, note.quote, note.evidence) == ("wrong_speaker", sentence, (turn,))


@pytest.mark.parametrize(
    "sentence",
    [
        "The agent explained that the series is recalled and a courier collects it.",
        "The customer was told that the series is recalled and a courier collects it.",
        "The customer said that the toaster smells of burnt rubber and the lever sticks.",
        "The customer contacted the agent, who said that a courier collects it and the refund takes four days.",
        "The customer complained about the series that is recalled.",
        "A courier collects it from the customer, and the refund takes four days.",
        "The customer asked for the money back.",
        "The agent asked whether the toaster smells of burnt rubber and the lever sticks.",
        "The customer gave it to a courier, and the refund takes four days.",
        "He will get a refund by courier in four days.",
    ],
)
def test_what_a_side_said_itself_is_no_error(sentence):
    assert run_checks(SHOP, sentence, enabled=["speakers"]) == []


def test_who_was_told_may_repeat_it_himself():
    told = Turn(speaker="Customer", text="At the shop they said that refunds for toasters end after a fortnight.")
    talk = SHOP.model_copy(update={"turns": (*SHOP.turns, told)})
    sentence = "The customer was told that refunds for toasters end after a fortnight."
    assert run_checks(talk, sentence, enabled=["speakers"]) == []
    plain = told.model_copy(update={"text": "So refunds for toasters end after a fortnight."})
    talk = SHOP.model_copy(update={"turns": (*SHOP.turns, plain)})
    assert [note.evidence for note in run_checks(talk, sentence, enabled=["speakers"])] == [(5,)]


def test_nobody_is_accused_where_the_sides_are_not_known():
    nameless = SHOP.model_copy(
        update={"turns": tuple(Turn(speaker=f"P{n % 2}", text=t.text) for n, t in enumerate(SHOP.turns))}
    )
    sentence = "The customer explained that the series is recalled and a courier collects it."
    assert run_checks(nameless, sentence, enabled=["speakers"]) == []


def test_every_category_is_in_the_seed_taxonomy():
    odd = f"Summary: {GOOD} {GOOD} The customer explained that the guarantee covers it with a receipt. Call +44 20 7946"
    talked = run_checks(TALK, f"{odd} 0958. Bernard paid $5. {TALK.turns[1].text} And so", enabled=ALL)
    categories = {note.category for note in talked}
    assert categories >= {"irrelevant", "repetition", "wrong_speaker", "private_data", "fabricated", "verbatim_copy"}
    assert categories <= set(load_seed_taxonomy().ids())
    assert len({note.id for note in talked}) == len(talked)
