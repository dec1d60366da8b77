"""Private values are recognised in a text, and what summaries and checks need is left alone."""

import pytest

from arf_programs.privacy import Kind, recognise


def found(text):
    return [(item.kind, text[item.start : item.end]) for item in recognise(text)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("write to tom.berg85@mail.acme.co.uk.", Kind.EMAIL, "tom.berg85@mail.acme.co.uk"),
        ("see https://shop.example/orders/48211?x=1.", Kind.URL, "https://shop.example/orders/48211?x=1"),
        ("refund to GB29 NWBK 6016 1331 9268 19", Kind.IBAN, "GB29 NWBK 6016 1331 9268 19"),
        ("iban de89370400440532013000", Kind.IBAN, "de89370400440532013000"),
        ("card 4111-1111-1111-1111", Kind.CARD, "4111-1111-1111-1111"),
        ("call +44 7700 900123", Kind.PHONE, "+44 7700 900123"),
        ("ring 06 12 34 56 78 please", Kind.PHONE, "06 12 34 56 78"),
        ("my order number is 48211", Kind.NUMBER, "48211"),
        ("Bestellnummer: KDF-9921", Kind.NUMBER, "KDF-9921"),
        ("Ma commande n° RS2895555", Kind.NUMBER, "RS2895555"),
        ("booking reference QXWZPL", Kind.NUMBER, "QXWZPL"),
        ("a card ending in 4821", Kind.NUMBER, "4821"),
        ("my password is blue42sky", Kind.NUMBER, "blue42sky"),
        ("I was born on 12 March 1985", Kind.BIRTH_DATE, "12 March 1985"),
        ("Geburtsdatum: 3.11.1990", Kind.BIRTH_DATE, "3.11.1990"),
        ("I live at 12 Maple Street", Kind.STREET, "12 Maple Street"),
        ("Hauptstraße 5a ist richtig", Kind.STREET, "Hauptstraße 5a"),
        ("12 rue de la Paix", Kind.STREET, "12 rue de la Paix"),
        ("Via Garibaldi, 12", Kind.STREET, "Via Garibaldi, 12"),
        ("number plate AB12 CDE", Kind.PLATE, "AB12 CDE"),
        ("Kennzeichen B-MW 1234", Kind.PLATE, "B-MW 1234"),
    ],
)
def test_a_value_of_each_kind_is_found(text, kind, value):
    assert (kind, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hi, my name is Xochitl Dlamini.",
        "Best regards,\nXochitl Dlamini",
        "this is Xochitl Dlamini speaking",
        "Dear Mr Dlamini, Xochitl Dlamini wrote",
        "Mein Name ist Xochitl Dlamini",
        "je m'appelle Xochitl Dlamini",
        "a draft about Xochitl Dlamini and an order",
    ],
)
def test_a_name_is_found_by_the_phrase_around_it(text):
    names = {value for kind, value in found(text) if kind is Kind.NAME}
    assert {"Xochitl", "Dlamini"} <= names or (names == {"Dlamini", "Xochitl"})


@pytest.mark.parametrize(
    "text",
    [
        "I paid €1,234.50 on 12 March 2024 at 10:30.",
        "The refund of 120000 EUR takes 7-10 days.",
        "My PS4 and the 128GB card of the iPhone 15 broke after 3 weeks.",
        "Version 16.4.1 since 2023-2024, open 10.30-11.45.",
        "Hello, thank you. Please wait. Best regards, Customer Service",
        "The customer asked for a refund on Monday, and the agent agreed.",
        "see https://www.shop.example/help/returns",
        "I pay for 100/100 Mbit, and I use the SpotifyCares app.",
        "My name is on it, thanks SpotifyCares",
    ],
)
def test_amounts_dates_products_and_common_words_stay(text):
    assert found(text) == []


def test_a_word_after_an_escaped_line_break_is_a_word():
    assert (Kind.NAME, "Tom") in found(r'{"text": "Best regards,\nTom"}')
