"""One date, time, amount or code in the forms of other languages, of logs and of telephones."""

import datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_checks_values import quotes

ENGLISH = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
GERMAN = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
FRENCH = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]
SPANISH = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("delivered 20250304", "It was delivered on 2025-03-04."),
        ("delivered 2025-03-04", "It was delivered on 20250304."),
        ("the order is 20250304", "The order is 20250304."),
        ("on 04MAR25", "It was on March 4, 2025."),
        ("3月4日", "It was on March 4."),
        ("el 4 de marzo", "It was on 4 March."),
        ("am Montag", "It was on Monday."),
        ("it expires 12/26", "It expires in December 2026."),
        ("it expires in December 2026", "It expires 12/26."),
        ("it expires 12/2026", "It expires 12/26."),
        ("it was 12/26", "It was on 26 December."),
        ("in 2025-03", "It was in March 2025."),
        ("in May '25", "It was in May 2025."),
        ("um 14 Uhr", "It was at 2 pm."),
        ("um 10 Uhr 32", "It was at 10:32."),
        ("à 14h", "It was at 2 pm."),
        ("halb drei", "It was at 2:30."),
        ("it was zł20", "It was 20 PLN."),
        ("it was 20zł", "It was PLN 20."),
        ("it was 20 zł", "It was zł20."),
        ("it was Ft 2000", "It was HUF 2,000."),
        ("it was 20 lei", "It was RON 20."),
        ("it was NT$20", "It was TWD 20."),
        ("it was RM20", "It was MYR 20."),
        ("it was 20元", "It was CNY 20."),
        ("it was 20 руб.", "It was ₽20."),
        ("it was 20 грн", "It was UAH 20."),
        ("20 Euro und 50 Cent", "It was €20.50."),
        ("2 Mrd. Euro", "It was 2 billion euros."),
        ("20 mil pesos", "It was 20,000 pesos."),
        ("zwanzig Euro", "It was €20."),
        ("vingt euros", "It was 20 euros."),
        ("veinte euros", "It was EUR 20."),
        ("a tenner", "It was £10."),
        ("drei Wochen", "It takes 3 weeks."),
        ("5 jours", "It takes five days."),
        ("50 Prozent", "It was 50%."),
        ("50 por ciento", "It was 50%."),
        ("A as in alpha, B as in bravo, 12", "The code is AB12."),
        ("alpha bravo one two", "The code is AB12."),
    ],
)
def test_the_same_value_is_no_error(said, summary):
    assert quotes(said, summary) == []


@pytest.mark.parametrize(
    ("said", "summary", "quote"),
    [
        ("delivered 20250304", "It was delivered on 2025-03-05.", "2025-03-05"),
        ("the order is 20250304", "The order is 20250305.", "20250305"),
        ("on 04MAR25", "It was on March 5, 2025.", "March 5, 2025"),
        ("am Montag", "It was on Tuesday.", "Tuesday"),
        ("it expires 12/26", "It expires in November 2026.", "November 2026"),
        ("it expires 12/26", "It expires in December 2027.", "December 2027"),
        ("it expires 12/26", "It expires 11/26.", "11/26"),
        ("it was 12/26", "It was on 27 December.", "27 December"),
        ("um 14 Uhr", "It was at 3 pm.", "3 pm"),
        ("halb drei", "It was at 3:30.", "3:30"),
        ("it was zł20", "It was 21 PLN.", "21 PLN"),
        ("it was 20zł", "It was €20.", "€20"),
        ("it was 20 lei", "It was EUR 20.", "EUR 20"),
        ("it was 20 руб.", "It was USD 20.", "USD 20"),
        ("5 jours", "It takes 5 hours.", "5 hours"),
        ("zwanzig Euro", "It was €30.", "€30"),
        ("alpha bravo one two", "The code is AB13.", "AB13"),
    ],
)
def test_another_value_is_found(said, summary, quote):
    assert quotes(said, summary) == [quote]


DATES = [
    datetime.date.isoformat,
    lambda date: date.strftime("%Y%m%d"),
    lambda date: f"{date.day:02}{ENGLISH[date.month - 1][:3].upper()}{date.year}",
    lambda date: f"{date.day}-{ENGLISH[date.month - 1][:3]}-{date.year % 100}",
    lambda date: f"{date.day} {ENGLISH[date.month - 1]} {date.year}",
    lambda date: f"{ENGLISH[date.month - 1]} {date.day}, {date.year}",
    lambda date: f"{ENGLISH[date.month - 1][:3]} {date.day} '{date.year % 100}",
    lambda date: f"{date.day}. {GERMAN[date.month - 1]} {date.year}",
    lambda date: f"{date.day} {FRENCH[date.month - 1]} {date.year}",
    lambda date: f"{date.day} de {SPANISH[date.month - 1]} de {date.year}",
    lambda date: f"{date.year}年{date.month}月{date.day}日",
    lambda date: f"{date.day:02}.{date.month:02}.{date.year}",
    lambda date: f"{date.month}/{date.day}/{date.year}",
]
days = st.dates(datetime.date(2021, 1, 1), datetime.date(2030, 12, 28))


@given(days, st.sampled_from(DATES), st.sampled_from(DATES))
def test_a_date_is_the_same_in_every_writing(date, one, other):
    assert quotes(f"it came {one(date)} then", f"It was on {other(date)} then.") == []


@given(days, days, st.sampled_from(DATES), st.sampled_from(DATES))
def test_another_date_is_found_in_every_writing(date, wrong, one, other):
    wrong = wrong.replace(year=date.year) if (wrong.month, wrong.day) != (2, 29) else date
    assume({date.day, date.month} != {wrong.day, wrong.month})
    assert len(quotes(f"it came {one(date)} then", f"It was on {other(wrong)} then.")) == 1


RANGES = [
    "{a}-{b}pm",
    "{a}pm-{b}pm",
    "{a}–{b} pm",
    "{a} to {b} p.m.",
    "{c}:00-{d}:00",
    "{c}-{d} Uhr",
    "{c}h-{d}h",
    "{a}:00 pm - {b}:00 pm",
    "between {a} pm and {b} pm",
    "from {c}:00 to {d}:00",
]


@pytest.mark.parametrize("summary", RANGES)
@pytest.mark.parametrize("said", RANGES)
def test_both_ends_of_a_range_of_times_are_read(said, summary):
    def written(form, first, last):
        return form.format(a=first, b=last, c=first + 12, d=last + 12)

    assert quotes(f"come {written(said, 2, 4)} please", f"It was {written(summary, 2, 4)} then.") == []
    assert quotes(f"come {written(said, 2, 4)} please", f"It was {written(summary, 2, 5)} then.") != []
    assert quotes(f"come {written(said, 2, 4)} please", f"It was {written(summary, 3, 4)} then.") != []


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("es war fünfundzwanzig Euro", "It was 25 euros."),
        ("es war zweihundertfünfzig Euro", "It was €250."),
        ("dreitausendvierhundert Euro", "It was €3,400."),
        ("eineinhalb Stunden", "It was 1.5 hours."),
        ("ein Dutzend Lampen", "It was 12 lamps."),
        ("quatre-vingt-dix-sept euros", "It was 97 euros."),
        ("soixante et onze euros", "It was 71 euros."),
        ("deux mille deux cents euros", "It was 2,200 euros."),
        ("mil novecientos ochenta y cuatro euros", "It was 1,984 euros."),
        ("veintidós euros", "It was 22 euros."),
        ("ventotto euro", "It was 28 euros."),
        ("tweehonderdvijftig euro", "It was 250 euros."),
        ("vinte e cinco reais", "It was 25 reais."),
        ("двести двадцать пять рублей", "It was 225 roubles."),
        ("二百五十元", "It was 250 yuan."),
        ("viertel nach acht", "It was 8:15."),
        ("dreiviertel acht", "It was 7:45."),
        ("huit heures et demie", "It was 8:30."),
        ("a las ocho menos cuarto", "It was 7:45."),
        ("kwart over acht", "It was 8:15."),
        ("am 4. maaliskuuta", "It was on March 4."),
        ("4 मार्च", "It was on March 4."),
        ("Herr Müller war da", "Mr Mueller was there."),
        ("Frau Groß war da", "Mrs Gross was there."),
        ("Łukasz was there", "Lukasz was there."),
    ],
)
def test_what_is_said_in_another_language_is_the_same_in_digits(said, summary):
    assert quotes(said, summary) == []


@pytest.mark.parametrize(
    ("said", "summary", "quote"),
    [
        ("es war fünfundzwanzig Euro", "It was 52 euros.", "52 euros"),
        ("deux cents euros", "It was 100,200 euros.", "100,200 euros"),
        ("it was 50 cents", "It was 100 euros.", "100 euros"),
        ("uno dos tres", "It was 6 euros.", "6 euros"),
        ("come at half seven", "He came at 6:30.", "6:30"),
        ("viertel nach acht", "It was 8:45.", "8:45"),
        ("half past 5 in the evening", "It was 5:30 am.", "5:30 am"),
    ],
)
def test_another_value_than_was_said_in_another_language_is_found(said, summary, quote):
    assert quotes(said, summary) == [quote]
