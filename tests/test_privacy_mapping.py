"""Values are replaced by stand-ins of the same form, the same one for all writings of a value, and restored."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.checks import run_checks
from arf_programs.privacy import Elsewhere, Kind, Pseudonyms, Value, code_key, recognise

TEXTS = (
    "Agent Anna: Hello, my name is Anna.",
    "Customer: Hi Anna, this is Tom Berg, order ORD-48213. Card 4111 1111 1111 1111, IBAN GB29 NWBK 6016 1331 9268 19.",
    "Customer: Call +44 7700 900123 or 07700 900123, mail tom.berg85@gmail.com. I was born on 12/03/1985.",
    "Customer: I live at 12 Maple Street, plate AB12 CDE, see https://shop.example/orders/ORD-48213?user=tomberg",
)
ORIGINALS = ("Anna", "Tom", "Berg", "48213", "4111", "NWBK", "900123", "tom.berg85", "1985", "Maple", "AB12")


def replaced(*texts, of=TEXTS, seed=17, name="c1"):
    request = Pseudonyms(seed, name, of).for_request()
    return [request.replace(text) for text in texts], request


def values(texts=TEXTS, seed=17, name="c1"):
    return {item.value: item for item in Pseudonyms(seed, name, texts).values}


def test_no_value_is_left_and_all_are_restored():
    texts, request = replaced(*TEXTS)
    for original in ORIGINALS:
        assert not re.search(rf"\b{original}\b", "\n".join(texts), re.IGNORECASE)
    assert [request.restore(text) for text in texts] == list(TEXTS)


def test_a_stand_in_has_the_form_of_its_value():
    found = values()
    assert re.fullmatch(r"[A-Z]{3}-\d{5}", found["ORD-48213"].stand_in)
    assert re.fullmatch(r"\+44 \d{4} \d{6}", found["+44 7700 900123"].stand_in)
    assert re.fullmatch(r"\d\d/\d\d/\d{4}", found["12/03/1985"].stand_in)
    assert re.fullmatch(r"\d\d \w+ Street", found["12 Maple Street"].stand_in)
    assert found["tom.berg85@gmail.com"].stand_in.endswith("@gmail.com")
    for value in ("4111 1111 1111 1111", "GB29 NWBK 6016 1331 9268 19"):  # check digits are right, so it is recognised
        stand_in = found[value].stand_in
        assert [item.kind for item in recognise(f"pay {stand_in}")] == [found[value].kind]


def test_one_value_has_one_stand_in_in_all_its_writings():
    texts = ["My order is ORD-48213, ord 48213 again, and my name is TOM BERG.", "tom berg, Tom's, Tom Bergs"]
    (first, second), request = replaced(*texts, of=texts)
    code = re.search(r"[A-Z]{3}-\d{5}", first).group()
    assert code.lower().replace("-", " ") in first
    name = re.search(r"name is ([A-Z]+) ([A-Z]+)", first)
    assert second == f"{name[1].lower()} {name[2].lower()}, {name[1].title()}'s, {name[1].title()} {name[2].title()}s"
    assert request.restore(second) == texts[1]


def test_composed_and_decomposed_accents_are_one_value():
    (text,), _ = replaced("my name is Zo\u00eb. Zoe\u0308 called.", of=["my name is Zo\u00eb. Zoe\u0308 called."])
    assert len(set(re.findall(r"[A-Z]\w+", text))) == 1
    assert "Zo" not in text


def test_the_end_of_a_number_has_the_end_of_its_stand_in():
    texts = ["my card is 4111 1111 1111 1111", "the card ending in 1111", "call +44 7700 900123", "or 07700 900123"]
    card, tail, phone, national = replaced(*texts, of=texts)[0]
    assert card[-4:] == tail[-4:]
    assert code_key(phone)[-10:] == code_key(national)[-10:]


def test_stand_ins_depend_on_seed_and_conversation_alone():
    assert values() == values()
    assert values(seed=18) != values()
    assert values(name="c2") != values()


def test_no_stand_in_is_a_value_of_the_conversation():
    names = "Ole Chadwell, Nils Overbeck, Greta Winslow, Felipe Lockhart"  # all of them could be drawn
    texts = (f"My name is {names}.", *(f"My name is {name}" for name in names.split(", ")))
    for seed in range(20):
        drawn = {item.stand_in.lower() for item in Pseudonyms(seed, "c", texts).values}
        assert not drawn & {word.strip(",").lower() for word in names.split()}


def test_a_model_may_write_a_value_in_another_form():
    texts = ["I was born on 12/03/1985. Order ORD-48213. This is Tom Berg.", "mail tom.berg85@gmail.com"]
    (text, mail), request = replaced(*texts, of=texts)
    born, order, given, surname = re.search(r"on (\S+)\. Order (\S+)\. This is (\w+) (\w+)", text).groups()
    day, _, year = born.split("/")
    month = next(item.stand_in for item in values(texts).values() if item.kind is Kind.BIRTH_DATE).split("/")[1]
    months = "January February March April May June July August September October November December"
    name = months.split()[int(month) - 1]
    answer = f"{surname.upper()}, {given[0]}. {surname}, order {order.replace('-', '')}, born {name} {int(day)}, {year}"
    assert request.restore(answer) == "BERG, T. Berg, order ORD48213, born March 12, 1985"
    assert request.restore(mail.removeprefix("mail ").upper()) == "tom.berg85@gmail.com"


def test_a_request_also_replaces_what_the_conversation_does_not_have():
    (text,), request = replaced("Demonstration: Priya Sharma's order XK-99120 came.")
    assert "Priya" not in text and "Sharma" not in text and "99120" not in text
    assert request.restore(text) == "Demonstration: Priya Sharma's order XK-99120 came."


def test_names_of_other_conversations_are_replaced_where_they_are_no_words_of_this_one():
    pseudonyms = Pseudonyms(17, "c1", ["Customer: my flight to Paris was late"])
    known = [Value(Kind.NAME, "Paris", "X"), Value(Kind.NAME, "Dlamini", "Y"), Value(Kind.NUMBER, "48211", "1")]
    request = pseudonyms.for_request(Elsewhere.of(known))
    assert "48211" not in request.replace("it was 48211, not €48211")[:14]
    assert request.replace("it was 48211, not €48211").endswith("€48211")
    assert "Paris" in request.replace("Paris, says Dlamini")
    assert "Dlamini" not in request.replace("Paris, says Dlamini")


def test_names_may_be_given():
    texts = ["Customer: brightwater helped me, Brightwater did"]
    request = Pseudonyms(17, "c1", texts, names=["Brightwater"]).for_request()
    assert "rightwater" not in request.replace(texts[0])


def test_amounts_and_times_are_the_same_afterwards():
    kept = "Refund of €1,234.50 on 12 March 2024 at 10:30 for 3 of 12 items, 15% off."
    assert replaced(kept)[0] == [kept]


_PARTS = st.sampled_from(
    ["Tom Berg", "Anna", "ORD-48213", "+44 7700 900123", "€12.50", "zoë@mail.example", "refund", "\n", '"', "Will you"]
)


@given(st.lists(_PARTS, min_size=1, max_size=12))
def test_every_text_is_restored(parts):
    text = " ".join(parts)
    request = Pseudonyms(17, "c1", TEXTS).for_request()
    assert request.restore(request.replace(text)) == text


def stand_ins(*texts):
    request = Pseudonyms(17, "c", texts).for_request()
    replaced = [request.replace(text) for text in texts]
    assert [request.restore(text) for text in replaced] == list(texts)
    return replaced


@pytest.mark.parametrize("misspelled", ["Picadilly", "Piccadlily", "Piccadillly", "Piccadully"])
def test_a_misspelled_name_gets_a_misspelled_stand_in_that_the_checks_take_for_it(misspelled, conversation):
    said, told = stand_ins("My name is Anna Piccadilly.", f"Anna {misspelled} called.")
    name, other = said.split()[-1].strip("."), told.split()[1]
    assert other != name and "Pic" not in told
    talk = conversation.model_copy(update={"turns": (conversation.turns[0].model_copy(update={"text": said}),)})
    assert run_checks(talk, told) == []


def test_names_that_only_look_alike_are_two_names():
    said, told = stand_ins("My name is Marta Kovalenko.", "Maria Kovalenko called.")
    assert said.split()[3][:4] != told.split()[0][:4]


def test_a_name_is_replaced_in_a_handle_that_joins_it():
    said, told = stand_ins("I am John Abernethy, @JohnAbernethy", "John Abernethy wrote.")
    given, surname = told.split()[:2]
    assert said == f"I am {given} {surname}, @{given}{surname}"


def test_a_part_of_a_code_gets_the_part_of_its_stand_in():
    said, told = stand_ins("My issue number is 1-D3NB5VD.", "The issue D3NB5VD is open.")
    assert "D3NB5VD" not in said + told
    assert told.split()[2] in said


def test_a_house_number_alone_is_that_of_the_street():
    said, told = stand_ins("I live at 1405 Maple Street.", "It was sent to number 1405.")
    assert "1405" not in said + told
    assert told.split()[-1].strip(".") in said
