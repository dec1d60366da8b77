"""One name in its many forms: handles, hashtags, addresses, acronyms, short forms, plurals. Other names are found."""

import pytest

from arf_programs.checks import run_checks
from signatures.records import Conversation, Turn


def quotes(said, summary):
    answer = Turn(speaker="Agent", text="Thanks for the details, we will look at it.")
    talk = Conversation(id="c", turns=(Turn(speaker="Customer", text=said), answer))
    return [note.quote for note in run_checks(talk, summary, enabled=("codes", "numbers", "names"))]


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("@GWRHelp my train is late", "The customer told GWR that the train is late."),
        ("@UPSHelp where is my parcel", "The customer asks UPS where the parcel is."),
        ("@upshelp where is my parcel", "The customer asks UPS where the parcel is."),
        ("@HPSupport my printer", "The customer of HP has a problem."),
        ("@hpsupport my printer", "The customer of HP has a problem."),
        ("@CoxHelp internet out", "Cox customer reports an outage. The agent from Cox Communications replied."),
        ("@EE no signal", "The customer has no signal with EE."),
        ("@ATT no signal", "The customer has no signal with AT&T."),
        ("@marksandspencer bad food", "The customer complains to M&S, that is Marks & Spencer."),
        ("@British_Airways lost my bag", "The customer tells BA that British Airways lost the bag."),
        ("@AmericanAir lost my bag", "The customer tells American Airlines about AA."),
        ("@AlaskaAir late", "The customer flies with Alaska Airlines."),
        ("I fly American Airlines", "The customer tells AA about it."),
        ("AA lost my bag", "American Airlines lost a bag."),
        ("@BofA_Help my card", "The card of Bank of America and BofA failed."),
        ("my card from Bank of America", "The BoA card failed, said BOA."),
        ("the GWR train", "A Great Western Railway train was late."),
        ("the NHS site", "The National Health Service site."),
        ("#BlackFriday deal", "The Black Friday deal was asked about."),
        ("see www.gwr.com for it", "The agent points to GWR.com of GWR."),
        ("see acme.co.uk", "The agent of Acme points to it."),
        ("my PlayStation 4 is broken", "The customer's PS4 is broken."),
        ("my Play Station 4 is broken", "The customer's PS4 is broken."),
        ("my PS4 is broken", "The customer's PlayStation 4 is broken."),
        ("I am Michael, hi", "Mike asked about it. The customer, Mike, left."),
        ("hi, Mike here", "Michael asked about it."),
        ("hi this is Abhi here", "The customer Abhishek asked."),
        ("hi it's Samantha", "The customer Sam asked."),
        ("hi it's Sam", "The customer Samantha asked."),
        ("my Macs do not work", "The customer's Mac does not work. Macs are slow."),
        ("the ferries are late", "The Ferry was late."),
        ("@VirginTrains hi", "The customer wrote to Virgin Trains and Virgin's team."),
        ("@TfL the tube", "The customer wrote to Transport for London."),
        ("Transport for London is late", "The customer wrote to TfL about TFL."),
        ("@TMobileHelp slow", "The T-Mobile customer has slow data."),
        ("@MTNC_Care slow", "The MTN customer has slow data."),
        ("@AskAmex my card", "The Amex card failed."),
        ("@GloCare hi", "Glo customers."),
        ("@O2 no signal", "O2 has no signal."),
        ("the premium plan, please", "The Premium Plan was booked."),
        ("the settings", "The customer opened Privacy Options, and the privacy options were wrong."),
        ("I use Visual Studio Code", "The customer uses VSC."),
        ("Mr. Robert Miller here", "Mr. Bob Miller asked."),
        ("lloyds bank card", "The Lloyds' card failed, the Lloyd card."),
        ("jo's cafe", "The owner of Jo's asked."),
        ("the new OrchardHoney tea", "The Orchard tea was asked about."),
        ("the shop in St. Albans", "The shop in Saint Albans was closed."),
        ("the Saint-Denis shop", "The shop in St. Denis was closed."),
        ("Здравствуйте, я Екатерина Иванова", "The customer, Ekaterina Ivanova, asked."),
        ("田中太郎です", "The customer, Tanaka, asked."),
    ],
)
def test_a_name_in_another_form_is_no_error(said, summary):
    assert quotes(said, summary) == []


@pytest.mark.parametrize(
    ("said", "summary", "quote"),
    [
        ("@GWRHelp my train is late", "The customer told LNER that the train is late.", "LNER"),
        ("hi Carl here", "The agent Carla replied.", "Carla"),
        ("hi Dan here, a car", "The agent Carmen replied.", "Carmen"),
        ("Mar 3 it was", "The agent Marek replied.", "Marek"),
        ("@UPSHelp where", "The customer asks FedEx about it.", "FedEx"),
        ("@UPSHelp where", "The customer asks Fenwick Airlines about it.", "Fenwick Airlines"),
        ("hi John Smith here", "The agent Stefan Kowalczyk replied.", "Stefan Kowalczyk"),
        ("ok ^SK", "The agent Stefan Kowalczyk replied.", "Stefan Kowalczyk"),
        ("@XboxSupport hi", "The customer wrote to PlayStation.", "PlayStation"),
        ("@British_Airways lost", "The customer tells AA about it.", "AA"),
        ("my PlayStation 4", "The customer's PS5 is broken.", "PS5"),
        ("will you help?", "The agent William replied.", "William"),
        ("hi, Mike here", "The agent Robert replied.", "Robert"),
        ("I paid 30 at Tesco", "The customer paid 45 at Tesco.", "45"),
        ("a bag of apples", "The customer called America.", "America"),
    ],
)
def test_another_name_is_found(said, summary, quote):
    assert quotes(said, summary) == [quote]
