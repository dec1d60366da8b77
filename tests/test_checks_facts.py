"""Numbers, amounts, dates, times, codes and names: what the checks see, and what they must leave alone."""

import time

import pytest

from arf_programs.checks.run import run_checks
from signatures.records import Conversation, Turn

FACTS = ("codes", "dates", "times", "numbers", "rates", "names")


def conversation(*texts):
    sides = ("Customer", "Agent")
    return Conversation(id="c", turns=tuple(Turn(speaker=sides[n % 2], text=text) for n, text in enumerate(texts)))


def quotes(talk, summary):
    return [note.quote for note in run_checks(talk, summary, enabled=FACTS)]


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("I paid 45 bucks on the 5th of May|We refund within 24 hours", "He paid $45 on May 5. He waits a day for it."),
        ("two mugs, $12.50 each|total refund is 25.00", "The customer gets 25 dollars for 2 mugs at $12.50."),
        ("it is 1200 euros|half of it back by 5/6", "The agent refunds 50% of the €1,200 by 5 June."),
        ("The bill is 1.250,00 €|we see it", "The bill of €1,250 was checked."),
        ("The bill is 1.250 euros|we see it", "The bill of €1250 was checked."),
        ("$10k loan please|approved: 10000 at 4.5%", "A loan of $10,000 at 4.5 percent was approved."),
        ("one hundred and twenty for the family|ok", "The family ticket costs £120."),
        ("I was charged 30 and 20|We refund both", "The agent refunded both charges, 50 in total."),
        ("I've waited a fortnight|three to five business days", "After two weeks, it takes 3-5 business days."),
        ("no answer for 3 days|we reply within 48 hours", "After three days he heard that it takes two days."),
        ("I leave in june|30 days notice", "The customer leaves in June and has one month's notice."),
        ("It broke in the 2nd week|a third technician", "It broke in the second week. A 3rd technician comes."),
        ("It's $5.99 monthly?|or 59.90 yearly", "The plan costs $5.99 per month or $59.90 a year."),
        ("call me at half past two|or quarter to five", "The agent will call at 2:30 pm or 4:45 pm."),
        ("a table for twenty-five, 7pm|done, Friday 19:00", "A table for 25 was booked for Friday at 7 p.m."),
        ("open when?|9 to 5 on weekdays, saturdays 10-4", "Opening is 9 am to 5 pm, and 10 am to 4 pm on Saturdays."),
        ("between 8am and 12|noon latest", "Delivery is due between 8:00 and 12:00."),
        ("ordered on Mon and it's thurs|tmrw, Fri", "Ordered on Monday, on Thursday it was due for Friday."),
        ("my son turns 12 on dec 24th|ok", "The customer's 12-year-old son has a birthday on 24 December."),
        ("room for May 5-7|done. ten people", "The room is booked from 5 to 7 May for 10 people."),
        ("2024-03-09 please|ok, 9:15", "The visit is on March 9, 2024 at 9:15."),
        ("flight BA 117 on mar 3|rebooked to ba119", "The customer's flight BA117 on March 3 became BA119."),
        ("my order no is 4 4 8 1 2|thanks", "Order 44812 was found."),
        ("error E-204|Reset done", "The customer saw error E204. The agent reset it. Issue resolved."),
        ("the iphone 13 pro has 256gb|ok", "The iPhone 13 Pro has 256 GB."),
        ("o'brien road, macbook pro|jean-luc here", "Jean-Luc looked at the MacBook Pro on O'Brien Road."),
        ("@NorthRail my train from Kings Cross|DM us", "The customer asked North Rail about King's Cross by DM."),
        ("my wifi is down 24/7|try a reboot", "The customer's Wi-Fi is down 24/7. Unfortunately, Ok was no help."),
        ("I was charged twice|one is refunded", "The customer had two charges, and one of the two was refunded."),
        ("can u ship to germany|yes, EUR 12", "Shipping to Germany costs 12 euros."),
    ],
)
def test_other_ways_of_writing_are_no_errors(said, summary):
    assert quotes(conversation(*said.split("|")), summary) == []


BASE = conversation(
    "Hi, Carla here. My order 55821 came on 3 March with a broken lamp, I paid $40. I am in until 5 pm.",
    "Sorry! Ben here. I will refund $40 within 5 days and send a new lamp on Tuesday, a 10% voucher too.",
)


@pytest.mark.parametrize(
    ("summary", "quote"),
    [
        ("Carla got a refund of $400.", "$400"),
        ("Carla got a refund of forty-five dollars.", "forty-five dollars"),
        ("The refund is 60$.", "60$"),
        ("Carla paid USD 60.", "USD 60"),
        ("It cost 40 euros.", "40 euros"),
        ("A voucher of 15 percent was given.", "15 percent"),
        ("It takes twelve days.", "twelve days"),
        ("It takes 5 weeks.", "5 weeks"),
        ("It costs $40 per month.", "per month"),
        ("A dozen lamps came.", "dozen"),
        ("It came on 13 March.", "13 March"),
        ("It came on March the 4th.", "March the 4th"),
        ("It came on 3/4/2024.", "3/4/2024"),
        ("It came in April.", "April"),
        ("It came in March 2021.", "March 2021"),
        ("It comes next Thursday.", "Thursday"),
        ("Carla is in until 6 o'clock.", "6 o'clock"),
        ("Carla is in until half past seven.", "half past seven"),
        ("Carla is in until noon.", "noon"),
        ("Carla is in until 5 am.", "5 am"),
        ("The order was 55812.", "55812"),
        ("The order was A-99.", "A-99"),
        ("The ticket #88213 was opened.", "88213"),
        ("The agent Bernard sent it.", "Bernard"),
        ("Bernard will send a new lamp.", "Bernard"),
        ("Mrs. Whitaker asked for a lamp.", "Whitaker"),
        ("Stefan Kowalczyk agreed.", "Stefan Kowalczyk"),
        ("The refund goes to PayPal.", "PayPal"),
        ("Carla lives in Boston.", "Boston"),
    ],
)
def test_invented_facts_are_found(summary, quote):
    assert quotes(BASE, summary) == [quote]


def test_a_wrong_value_cites_the_turn_with_the_right_one_and_an_invention_cites_none():
    wrong, invented = run_checks(BASE, "The refund took 6 days. Marek agreed.", enabled=FACTS)
    assert (wrong.category, wrong.evidence, wrong.source) == ("wrong_fact", (2,), "check")
    assert (invented.category, invented.evidence) == ("fabricated", ())
    assert "6 days" in wrong.explanation


def test_a_number_in_another_unit_is_explained_as_such():
    (note,) = run_checks(BASE, "Carla paid €40.", enabled=FACTS)
    assert note.explanation == 'The conversation has "$40", not "€40".'


def test_the_quote_leads_to_its_own_place():
    talk = conversation("I have 5 lamps", "Fine.")
    (note,) = run_checks(talk, "Of 7.50 for 5 lamps, $7 is paid.", enabled=["numbers"])[1:]
    assert note.quote == "$7"
    notes = run_checks(talk, "It cost 7.50 or 7 for 5 lamps, 7 in all.", enabled=["numbers"])
    assert [note.quote for note in notes] == ["7.50", "7", "7 in"]


def test_speed():
    text = "I ordered 3 lamps for $45 on 5 May at 3 pm, order KD-77120, and Carla said it takes 24 hours. " * 3
    talk = conversation(*[text] * 20)
    begin = time.process_time()
    for _ in range(20):
        run_checks(talk, "Carla ordered 3 lamps for $45 on 5 May; Marek wants them by 4 pm.")
    assert time.process_time() - begin < 4
