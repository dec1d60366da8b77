"""One value in every way of writing it: equal where it means the same, and found where it is another."""

import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arf_programs.checks import run_checks
from signatures.records import Conversation, Turn

FACTS = ("codes", "dates", "times", "numbers", "rates", "names")


def conversation(said):
    answer = "Yes, he can, it was so. His order, code and wrote."
    return Conversation(id="c", turns=(Turn(speaker="Customer", text=said), Turn(speaker="Agent", text=answer)))


def quotes(said, summary):
    return [note.quote for note in run_checks(conversation(said), summary, enabled=FACTS)]


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("it was $20", "It was 20 USD."),
        ("it was $20", "It was USD 20."),
        ("it was $20", "It was US$20."),
        ("it was $20", "It was US $ 20."),
        ("it was $20", "It was 20 US dollars."),
        ("it was 20 USD", "It was $20."),
        ("it was 20 bucks", "It was USD 20.00."),
        ("it was 20 dollars", "It was $20 USD."),
        ("it was €39.90", "It was EUR 39.90."),
        ("it was 39,90 €", "It was €39.90."),
        ("it was 39,90 EUR", "It was 39.90 euros."),
        ("it was EUR39.90", "It was 39,90€."),
        ("it was 39.90€", "It was EUR 39,90."),
        ("it was £5.50", "It was GBP 5.50."),
        ("it was 50p", "It was 50 pence."),
        ("it was 99p", "It was £0.99."),
        ("it was 20€50", "It was €20.50."),
        ("it was 5 dollars 50", "It was $5.50."),
        ("it was $5, 20 of them", "It was $5."),
        ("it was S/ 20", "It was 20 soles."),
        ("it was 20 soles", "It was S/20."),
        ("it was 1,000,000", "It was 1e6."),
        ("it was 1.2E+03", "It was 1,200."),
        ("it was $1e6", "It was one million dollars."),
        ("it was 1200", "It was 1.2 × 10^3."),
        ("it was 1.2×10³", "It was 1200."),
        ("it was 5e-3", "It was 0.005."),
        ("it was 3.000", "It was 3 Tsd."),
        ("it was 1.500.000 €", "It was 1,5 M€."),
        ("it was $2MM", "It was 2 million dollars."),
        ("it was 2 тыс. руб", "It was 2,000 roubles."),
        ("it was 2万", "It was 20,000."),
        ("it was 2万円", "It was 20,000 yen."),
        ("it was 3千", "It was 3,000."),
        ("it was 5억", "It was 500 million."),
        ("it took 1:30 h", "It took 90 minutes."),
        ("it took 1:30 Std", "It took an hour and a half."),
        ("it took 48 h", "It took two days."),
        ("duration PT1H30M", "It took 90 minutes."),
        ("duration PT45S", "It took 45 seconds."),
        ("the number is triple nine", "The number is 999."),
        ("come at half three", "He came at 3:30."),
        ("come at 1500h", "He came at 3 pm."),
        ("it was 50 cents", "It was $0.50."),
        ("it was $0.50", "It was 50 cents."),
        ("it was 5 dollars and 50 cents", "It was $5.50."),
        ("it was $5.50", "It was 5 dollars and 50 cents."),
        ("it was five fifty", "It was $5.50."),
        ("it was nineteen ninety-nine", "It was $19.99."),
        ("it was Rs 1,00,000", "It was Rs 100,000."),
        ("it was Rs 1,00,000", "It was INR 100000."),
        ("it was ₹1,00,000", "It was Rs. 1 lakh."),
        ("it was 1 lakh", "It was 100,000 rupees."),
        ("it was 1.5 lakh rupees", "It was ₹150,000."),
        ("it was two lakhs", "It was Rs 2,00,000."),
        ("it was 2 crore", "It was 20,000,000."),
        ("it was Rs. 500/-", "It was Rs 500."),
        ("it was Rs.500", "It was ₹500."),
        ("it was 500rs", "It was Rs 500."),
        ("it was Rs 500", "It was 500 Rs."),
        ("it was Rs 500", "It was 500rs in the end."),
        ("it was CHF 1'234.50", "It was CHF 1,234.50."),
        ("it was CHF 1'234.50", "It was 1.234,50 francs."),
        ("it was CHF 1’234.50", "It was CHF 1234.50."),
        ("it was 1 234,50 €", "It was €1,234.50."),
        ("it was 1 234,50 EUR", "It was €1,234.50."),
        ("it was €1,234.50", "It was 1 234,50 €."),
        ("it was 12 345 euros", "It was €12,345."),
        ("it was €12,345", "It was 12 345 euros."),
        ("it was 1.234.567", "It was 1,234,567."),
        ("it was 39,- €", "It was €39."),
        ("it was CHF 39.-", "It was CHF 39."),
        ("it was A$20", "It was 20 Australian dollars."),
        ("it was AUD 20", "It was A$20."),
        ("it was 20 Canadian dollars", "It was CAD 20."),
        ("it was 200 kr", "It was SEK 200."),
        ("it was 200 kronor", "It was 200 SEK."),
        ("it was 50 zł", "It was PLN 50."),
        ("it was R$ 50", "It was BRL 50."),
        ("it was 500 yen", "It was ¥500."),
        ("it was 500 JPY", "It was ¥500."),
        ("it was 1.5k", "It was 1,500."),
        ("it was 1,500", "It was 1.5k."),
        ("it was $1.5K", "It was $1500."),
        ("it was 2 grand", "It was $2,000."),
        ("it was 1.5 million", "It was 1,500,000."),
        ("it was $1.5M", "It was $1.5 million."),
        ("it was 1.5 mn users", "It was 1.5 million users."),
        ("it was two hundred and fifty dollars", "It was $250."),
        ("it was $250", "It was two hundred and fifty dollars."),
        ("it was two fifty", "It was $250."),
        ("it was a hundred bucks", "It was $100."),
        ("it was $100", "It was a hundred dollars."),
        ("it was half a million", "It was 500,000."),
        ("it was twelve hundred", "It was 1,200."),
        ("it was 50 percent", "It was 50%."),
        ("it was 50%", "It was fifty percent."),
        ("it was 50 per cent", "It was 50 %."),
        ("it was 50 pct", "It was 50%."),
        ("it was two and a half hours", "It was 2.5 hours."),
        ("it was 2½ hours", "It was 2.5 hours."),
        ("it was 2.5 hours", "It was two and a half hours."),
        ("it was 2 1/2 hours", "It was 2.5 hours."),
        ("it was 1.5 hours", "It was an hour and a half."),
        ("it was an hour and a half", "It was 90 minutes."),
        ("it was 90 minutes", "It was 1.5 hours."),
        ("it was 90 minutes", "It was 1 hour 30 minutes."),
        ("it was 1h30", "It was 90 minutes."),
        ("it was 1h30m", "It was 1 hour and 30 minutes."),
        ("it was 1 hr 30 min", "It was 90 minutes."),
        ("it was half an hour", "It was 30 minutes."),
        ("it was 48h", "It was 48 hours."),
        ("it was 48 hours", "It was 2 days."),
        ("it was 3.5", "It was three point five."),
        ("the code is four four seven one", "The code is 4471."),
        ("the code is 4471", "The code is four four seven one."),
        ("the code is double four seven one", "The code is 4471."),
        ("the code is four-four-seven-one", "The code is 4471."),
        ("the code is four, four, seven, one", "The code is 4471."),
        ("the code is forty-four seventy-one", "The code is 4471."),
        ("the code is 4 4 7 1", "The code is 4471."),
        ("the code is 4471", "The code is 4 4 7 1."),
        ("the code is 44 71", "The code is 4471."),
        ("the code is seven triple nine oh two", "The code is 799902."),
        ("the order is #4471", "The order is 4471."),
        ("the order is 4471", "Order #4471 was found."),
        ("the order is 4471", "Order no. 4471 was found."),
        ("the order is KD-77120", "Order KD77120 was found."),
        ("the order is KD77120", "Order KD-77120 was found."),
        ("the order is kd 77 120", "Order KD-77120 was found."),
        ("the order is KD-77120", "Order KD 77120 was found."),
        ("the order is K D double seven one two oh", "Order KD-77120 was found."),
        ("the order is kd seven seven one two zero", "Order KD77120 was found."),
        ("the order is KD_77120", "Order #KD-77120 was found."),
        ("[10:32:11] hi", "He wrote at 10:32."),
        ("[10:32:11] hi", "He wrote at 10:32 am."),
        ("[10:32:11] hi", "He wrote at 10:32:11."),
        ("[10:32:11] hi", "He wrote at 10.32 am."),
        ("10:32", "He wrote at [10:32:11]."),
        ("10:32 am", "He wrote at 10:32."),
        ("22:32:11.123", "He wrote at 10:32 pm."),
        ("2025-03-04T10:32Z hi", "He wrote on March 4."),
        ("2025-03-04T10:32Z hi", "He wrote on 4 March 2025 at 10:32."),
        ("2025-03-04T10:32Z hi", "He wrote on March 4th, 2025 at 10:32 UTC."),
        ("2025-03-04T10:32:11+01:00 hi", "He wrote on 04/03/2025 at 10:32 am."),
        ("2025-03-04 10:32:11 hi", "He wrote on 4.3.2025."),
        ("2025/03/04 hi", "He wrote on March 4, 2025."),
        ("20250304T103211Z hi", "He wrote on March 4 at 10:32."),
        ("04-Mar-2025 hi", "He wrote on March 4, 2025."),
        ("4-Mar-25 hi", "He wrote on March 4, 2025."),
        ("March 4", "He wrote on 04/03."),
        ("04/03/2025", "He wrote on March 4, 2025."),
        ("04/03/2025", "He wrote on 2025-03-04."),
        ("04.03.25", "He wrote on March 4."),
        ("4.3.", "He wrote on 4 March."),
        ("on the fourth of March", "He wrote on March 4."),
        ("March twenty-first", "He wrote on March 21st."),
        ("March 21st", "He wrote on March twenty-first."),
        ("Mar 4 '25", "He wrote on March 4, 2025."),
        ("March 4", "He wrote on Mar. 4th."),
        ("4th March", "He wrote on the 4th of March."),
        ("at ten thirty", "He wrote at 10:30."),
        ("at 3:05pm", "He wrote at 15:05."),
        ("at 15h05", "He wrote at 3:05 p.m."),
        ("at 1505 hrs", "He wrote at 3:05 pm."),
        ("at 3 in the afternoon", "He wrote at 3 pm."),
        ("at 9 pm CET", "He wrote at 21:00 CET."),
        ("at five to ten", "He wrote at 9:55."),
        ("at twenty-five past ten", "He wrote at 10:25."),
        ("call +1 (555) 010-4471", "He can be called on 555-010-4471."),
        ("call 555 010 4471", "He can be called on +1 (555) 010-4471."),
        ("call 07700 900123", "He can be called on +44 7700 900123."),
        ("call 5550104471", "He can be called on (555) 010-4471."),
        ("call 555.010.4471", "He can be called on 555-010-4471."),
        ("call five five five zero one zero four four seven one", "He can be called on 555-010-4471."),
        ("it has 256GB", "It has 256 gigabytes."),
        ("it weighs 5 kg", "It weighs 5 kilos."),
        ("it weighs 5 kgs", "It weighs 5 kilograms."),
        ("it is 5 km", "It is 5 kilometres."),
        ("it is 30°C", "It is 30 degrees."),
        ("it is 100 Mbps", "It is 100 Mbit/s."),
        ("5,000 mAh", "It has a 5000mAh battery."),
        ('10" screen', "It has a 10-inch screen."),
        ("6ft", "It is 6 feet long."),
        ("4 out of 5 stars", "It was rated 4/5."),
        ("half of it", "It was 1/2 of it."),
        ("Jose here", "José wrote."),
        ("José here", "Jose wrote."),
        ("I paid 20", "It was $20.00."),
        ("I paid $20.5", "It was $20.50."),
        ("I paid $.50", "It was $0.50."),
        ("3-5 days", "It takes 3 to 5 days."),
        ("3–5 days", "It takes three to five days."),
        ("a dozen", "It was 12."),
        ("half a dozen", "It was six."),
        ("a week", "It takes 7 days."),
        ("a fortnight", "It takes 14 days."),
        ("24x7", "It is open 24/7."),
        ("the 2nd one", "It was the second one."),
        ("10.000", "It was 10,000."),
        ("10k", "It was ten thousand."),
        ("ten thousand", "It was 10K."),
        ("2m", "It was 2 million."),
        ("it costs 1,5", "It costs 1.5."),
        ("it is 3pm", "It is at 15:00."),
        ("in 2025", "It was in 2025."),
        ("it was twenty twenty-five", "It was in 2025."),
        ("Rs 1.2 cr", "It was Rs 12,000,000."),
    ],
)
def test_the_same_value_is_no_error(said, summary):
    assert quotes(said, summary) == []


@pytest.mark.parametrize(
    ("said", "summary", "quote"),
    [
        ("it was $20", "It was 20 EUR.", "20 EUR"),
        ("it was $20", "It was 21 USD.", "21 USD"),
        ("it was €39.90", "It was EUR 39.80.", "EUR 39.80"),
        ("it was 39,90 €", "It was 39.09 euros.", "39.09 euros"),
        ("it was Rs 1,00,000", "It was Rs 10,000.", "Rs 10,000"),
        ("it was 1 lakh", "It was Rs 10,00,000.", "Rs 10,00,000"),
        ("it was CHF 1'234.50", "It was CHF 1'243.50.", "CHF 1'243.50"),
        ("it was CHF 1'234.50", "It was 1.243,50 CHF.", "1.243,50 CHF"),
        ("it was 1.5k", "It was 15,000.", "15,000"),
        ("it was 1.5k", "It was 2,500.", "2,500"),
        ("it was two hundred and fifty dollars", "It was $205.", "$205"),
        ("it was 50 percent", "It was 15%.", "15%"),
        ("it was 2.5 hours", "It was 3.5 hours.", "3.5 hours"),
        ("it was an hour and a half", "It was 2 hours.", "2 hours"),
        ("it was 90 minutes", "It was 1 hour 40 minutes.", "1 hour 40 minutes"),
        ("the code is four four seven one", "The code is 4417.", "4417"),
        ("the code is 4471", "The code is four four one seven.", "four four one seven"),
        ("the code is double four seven one", "The code is 2471.", "2471"),
        ("the order is KD-77120", "Order KD-77121 was found.", "KD-77121"),
        ("the order is kd seven seven one two zero", "Order KD77121 was found.", "KD77121"),
        ("[10:32:11] hi", "He wrote at 10:33.", "10:33"),
        ("[10:32:11] hi", "He wrote at 10:23 am.", "10:23 am"),
        ("[10:32:11] hi", "He wrote at 11:32:11.", "11:32:11"),
        ("2025-03-04T10:32Z hi", "He wrote on March 5.", "March 5"),
        ("2025-03-04T10:32Z hi", "He wrote on 2025-03-05.", "2025-03-05"),
        ("2025-03-04T10:32Z hi", "He wrote on March 4, 2024.", "March 4, 2024"),
        ("2025-03-04T10:32Z hi", "He wrote at 10:23.", "10:23"),
        ("04/03/2025", "He wrote on March 5, 2025.", "March 5, 2025"),
        ("on the fourth of March", "He wrote on March 14.", "March 14"),
        ("call +1 (555) 010-4471", "He can be called on 555-010-4472.", "555-010-4472"),
        ("call 07700 900123", "He can be called on +44 7700 900124.", "+44 7700 900124"),
        ("it was $5.50", "It was 5 dollars and 60 cents.", "5 dollars and 60 cents"),
        ("it was 50 cents", "It was $50.", "$50"),
        ("it was $1.5 million", "It was $1.5 billion.", "$1.5 billion"),
        ("it was $1.5 million", "It was $1.5.", "$1.5"),
        ("it was half a million", "It was 600,000.", "600,000"),
        ("at ten thirty", "He wrote at 10:40.", "10:40"),
        ("at five to ten", "He wrote at 10:05.", "10:05"),
        ("12 345 euros", "It was €12,435.", "€12,435"),
        ("it was 1,000,000", "It was 1e7.", "1e7"),
        ("it was 1,200", "It was 1.3 x 10^3.", "1.3 x 10^3"),
        ("it was order 12E45", "It was order 12E54.", "12E54"),
    ],
)
def test_another_value_is_found_as_one_error(said, summary, quote):
    assert quotes(said, summary) == [quote]


amounts = st.integers(1, 9_999_999).map(lambda cents: cents / 100)


def western(value):
    return f"{value:,.2f}"


def indian(value):
    whole, cents = f"{value:.2f}".split(".")
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(0, end - 2) : end] for end in range(len(head), 0, -2)][::-1]
    return ",".join([*groups, tail]) + "." + cents


WRITINGS = [
    western,
    indian,
    lambda value: f"{value:.2f}",
    lambda value: f"{value:.2f}".replace(".", ","),
    lambda value: western(value).replace(",", "'"),
    lambda value: western(value).replace(",", "’"),
    lambda value: western(value).translate(str.maketrans(",.", ".,")),
    lambda value: western(value).translate(str.maketrans(",.", "\u00a0,")),
    lambda value: western(value).translate(str.maketrans(",.", "\u202f,")),
    lambda value: f"{value:.2f}".translate(str.maketrans(string.digits, "０１２３４５６７８９")),
    lambda value: f"{value:.2f}".translate(str.maketrans(string.digits, "٠١٢٣٤٥٦٧٨٩")),
    lambda value: f"{value:.2f}".translate(str.maketrans(string.digits, "०१२३४५६७८९")),
]
EUROS = ["€{}", "€ {}", "EUR {}", "eur {}", "EUR{}", "{} €", "{}€", "{} EUR", "{} euros", "{} Euro"]


@given(amounts, st.sampled_from(WRITINGS), st.sampled_from(WRITINGS), st.sampled_from(EUROS), st.sampled_from(EUROS))
def test_an_amount_is_the_same_in_every_writing(value, one, other, said, summary):
    assert quotes(f"I paid {said.format(one(value))}", f"It was {summary.format(other(value))} then.") == []


@given(amounts, amounts, st.sampled_from(WRITINGS), st.sampled_from(WRITINGS), st.sampled_from(EUROS))
def test_another_amount_is_found_in_every_writing(value, wrong, one, other, form):
    found = quotes(f"I paid {form.format(one(value))}", f"It was {form.format(other(wrong))} then.")
    assert len(found) == (value != wrong)


DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@given(st.text("123456789", min_size=4, max_size=8), st.sampled_from([" ", "-", ", "]))
def test_a_number_that_is_read_out_is_the_same_in_digits(digits, between):
    spoken = between.join(DIGITS[int(digit)] for digit in digits)
    assert quotes(f"the code is {spoken}", f"The code is {digits}.") == []
    other = digits[:-1] + ("1" if digits[-1] != "1" else "2")
    assert quotes(f"the code is {spoken}", f"The code is {other}.") == [other]


PIECES = [
    *(
        "1",
        "22",
        "333",
        "1,234",
        "1.234",
        "1,00,000",
        "1'234",
        "12:30",
        "10:32:11",
        "T",
        "Z",
        "2025",
        "-",
        "/",
        ".",
        ",",
    ),
    *(
        ":",
        "$",
        "€",
        "Rs",
        "USD",
        "k",
        "m",
        "lakh",
        "half a",
        "and a half",
        "point five",
        "double",
        "four",
        "twenty",
        "oh",
    ),
    *(
        "March",
        "4th",
        "first",
        "of",
        "to",
        "past",
        "½",
        "1/2",
        "2/2",
        "%",
        "(",
        ")",
        "+",
        "KD",
        "é",
        "\u0301",
        "٣",
        "１",
    ),
    *(
        "\u00a0",
        "'",
        "’",
        "am",
        "p.m.",
        "hours",
        "cents",
        "dollars",
        "out of",
        "00",
        "zero",
        "hundred",
        "dozen",
        "\u200b",
    ),
]
value_soup = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(["", " "])).map("".join), max_size=14).map(
    "".join
)


@given(value_soup, value_soup)
def test_any_text_can_be_checked_and_a_text_agrees_with_itself(said, summary):
    run_checks(conversation(said), summary)
    assert quotes(said, said) == []


@pytest.mark.parametrize("words", ["1:30 h ", "$25.50 ", "It was on 4 March. ", "AB1234 "])
def test_a_summary_of_a_model_in_a_loop_is_checked_at_once(words):
    start = time.process_time()
    assert quotes("hello", words * 300)
    assert time.process_time() - start < 3, "it takes longer where all places of each quote are found"
