"""Seeded private values for the planted measure of pseudonyms, and values that have to stay."""

from __future__ import annotations

from random import Random
from typing import Final


def _listed(words: str) -> list[str]:
    return words.split()


# Names of many languages. A third of the given names is in no list of the recogniser.
GIVEN: Final = _listed(
    "Anna Tom Sarah Michael Jürgen Sabine Chloé François María José Giulia Luca Sanne Pieter Agnieszka Piotr Priya "
    "Rahul Fatima Ahmed Yuki Kenji Oluwaseun Ngozi Saoirse Cillian Xochitl Thabo Lwazi Maelys Enora Dzhamilya Anahit "
    "Tigran Siiri Aapo Jökull Hrafn Zsófia Bence Lovro Hrvoje Will Grace Mark Rose"
)
SURNAMES: Final = _listed(
    "Berg Smith Okafor Müller Schröder Lefèvre Dubois García Fernández Rossi Esposito Jansen Visser Kowalska Nowak "
    "Sharma Patel Haddad Tanaka Ivanova Petrov O'Brien McCarthy Nguyen Kim Young Baker Price Ó'Súilleabháin "
    "Szabó Horváth Virtanen Gunnarsdóttir Mbeki Dlamini Stoica Popescu Weiß Lindgren Castro-Ruiz"
)
_MAIL: Final = _listed("gmail.com outlook.com web.de orange.fr berghaus.de mail.acme-works.co.uk studio.it")
_STREETS: Final = (
    "{house} {tree} Street",
    "{house} {tree} Avenue, Apt {small}",
    "Flat {small}, {house} {tree} Road",
    "{tree}straße {house}",
    "{tree}weg {small}a",
    "{house} rue de {town}",
    "{house}, avenue du Général {surname}",
    "Calle {surname} {house}",
    "Via {surname}, {house}",
    "{tree}straat {house}",
    "{house} {town} Lane",
)
_TREES: Final = _listed("Oak Maple Birken Church Station Garten Victoria Kerk Mill Schiller")
_TOWNS: Final = _listed("Verdun Rivoli Camden Turenne Ashford")
_BANKS: Final = {"DE": 18, "GB": 18, "FR": 23, "ES": 20, "NL": 14, "IT": 23}
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_MONTHS: Final = _listed("January February March April June July August September October November December")


def _digits(random: Random, count: int) -> str:
    return str(random.randrange(1, 10)) + "".join(str(random.randrange(10)) for _ in range(count - 1))


def _letters(random: Random, count: int) -> str:
    return "".join(random.choice(_LETTERS) for _ in range(count))


def make_value(kind: str, random: Random) -> str:
    """Make a value of a kind, in one of its forms."""
    match kind:
        case "name":
            return f"{random.choice(GIVEN)} {random.choice(SURNAMES)}"
        case "e-mail address":
            given, surname = (random.choice(names).lower().replace("'", "") for names in (GIVEN, SURNAMES))
            local = random.choice(
                (f"{given}.{surname}", f"{given[0]}{surname}{random.randrange(100)}", f"{given}_{surname}")
            )
            return f"{_ascii(local)}@{random.choice(_MAIL)}"
        case "street address":
            return random.choice(_STREETS).format(
                house=random.randrange(1, 300),
                small=random.randrange(1, 30),
                tree=random.choice(_TREES),
                town=random.choice(_TOWNS),
                surname=random.choice(SURNAMES[:20]),
            )
        case "phone number":
            return _phone(random)
        case "card number":
            return _card(random)
        case "IBAN":
            return _iban(random)
        case "order number":
            return random.choice(
                (
                    _digits(random, random.choice((6, 8, 10))),
                    f"{_letters(random, 3)}-{_digits(random, 5)}",
                    f"{_letters(random, 2)}{_digits(random, 7)}",
                    f"{_digits(random, 3)}-{_digits(random, 7)}-{_digits(random, 7)}",
                    f"INV/{_digits(random, 4)}/{_digits(random, 4)}".replace("/", "-"),
                )
            )
        case "date of birth":
            return _birth(random)
        case "licence plate":
            return random.choice(
                (
                    f"{_letters(random, 2)}{random.randrange(10, 99)} {_letters(random, 3)}",
                    f"{_letters(random, 2)}-{_letters(random, 2)} {random.randrange(10, 9999)}",
                    f"{_letters(random, 2)}-{random.randrange(100, 999)}-{_letters(random, 2)}",
                    f"{_digits(random, 4)} {_letters(random, 3)}",
                )
            )
    return random.choice(
        (
            f"https://shop.example.com/orders/{_digits(random, 8)}",
            f"https://www.acme.example/t?id={_letters(random, 4).lower()}{_digits(random, 4)}&lang=en",
            f"www.parcel.example/track/{_letters(random, 2)}{_digits(random, 9)}",
            f"http://help.example.org/user/{random.randrange(1000, 99999)}/profile",
        )
    )


def _ascii(text: str) -> str:
    return text.encode("ascii", "ignore").decode()


def _phone(random: Random) -> str:
    return random.choice(
        (
            f"+44 7{_digits(random, 3)} {_digits(random, 6)}",
            f"07{_digits(random, 3)} {_digits(random, 6)}",
            f"({_digits(random, 3)}) {_digits(random, 3)}-{_digits(random, 4)}",
            f"{_digits(random, 3)}-{_digits(random, 3)}-{_digits(random, 4)}",
            f"+49 30 {_digits(random, 7)}",
            f"0176/{_digits(random, 8)}",
            "06 " + " ".join(_digits(random, 2) for _ in range(4)),
            f"+34 6{_digits(random, 2)} {_digits(random, 3)} {_digits(random, 3)}",
            f"0{_digits(random, 10)}",
        )
    )


def _card(random: Random) -> str:
    body = f"4{_digits(random, 14)}"
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(body))
    number = body + str(-total % 10)
    groups = [number[at : at + 4] for at in range(0, 16, 4)]
    return random.choice(("", " ", "-")).join(groups)


def _iban(random: Random) -> str:
    country, length = random.choice(sorted(_BANKS.items()))
    account = _letters(random, 4) + _digits(random, length - 4) if country in ("GB", "NL") else _digits(random, length)
    number = int("".join(str(int(sign, 36)) for sign in f"{account}{country}00"))
    iban = f"{country}{98 - number % 97:02d}{account}"
    return iban if random.random() < 0.5 else " ".join(iban[at : at + 4] for at in range(0, len(iban), 4))


def _birth(random: Random) -> str:
    day, month, year = random.randrange(1, 29), random.randrange(1, 12), random.randrange(1940, 2006)
    name = _MONTHS[month - 1]
    return random.choice(
        (
            f"{day:02d}/{month:02d}/{year}",
            f"{day}.{month}.{year}",
            f"{year}-{month:02d}-{day:02d}",
            f"{day} {name} {year}",
            f"{name} {day}, {year}",
            f"{day:02d}-{month:02d}-{year % 100:02d}",
        )
    )


def make_kept(random: Random) -> dict[str, str]:
    """Make the values that have to stay, by the name of their place in a phrase."""
    amount = random.randrange(1000, 999_999) / 100
    return {
        "amount": random.choice((f"€{amount:.2f}", f"£{amount:,.2f}", f"{amount:.2f} EUR", f"${amount:,.2f}")),
        "day": random.choice(("12 March", "3 May 2024", "March 4, 2024", "04/05/2024", "Monday", "2024-06-01")),
        "time": random.choice(("10:30", "4pm", "17.45", "9:15 am")),
        "count": str(random.randrange(2, 30)),
        "product": random.choice(("iPhone 15", "PS4", "Galaxy S23", "iPad", "128GB card", "Windows 11 laptop")),
        "city": random.choice(("London", "Hamburg", "Paris", "Madrid", "Boston")),
        "company": random.choice(
            ("British Airways", "Best Buy", "Acme", "Delta Air Lines", "Nordwind", "Deutsche Bahn")
        ),
        "device": random.choice(("Galaxy Watch", "Kindle Paperwhite", "Fire Stick", "MacBook Air", "Sonos speaker")),
        "percent": str(random.randrange(5, 60)),
        "version": random.choice(("16.4.1", "11.2", "3.0.9")),
    }
