"""The words that the check of names knows: titles, and words that are no names."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from arf_programs.text import word_set

TITLES: Final = word_set("mr mrs ms mx dr prof professor miss sir madam madame herr frau captain sergeant")
ROLES: Final = word_set(
    "customer customers agent agents client clients representative representatives rep reps bot chatbot assistant user "
    "users caller callers advisor adviser operator supervisor manager specialist technician team support service "
    "services department help desk care sales staff company store shop office seller buyer salesperson i"
)
GENERAL: Final = word_set(
    "dm dms pm id ids tv uk us usa eu url urls pin faq faqs sms cv api app apps gps wifi wi-fi it hr ok okay asap "
    "eta etc vs pc pcs usb vpn ip isp sim imei html pdf csv os ios android qr atm vat tax iban internet web website "
    "online email e-mail e-mails emails cc ui am fyi cod diy rsvp ceo uhd hd hdmi led lcd cctv otp ssn vip english "
    "american british european christmas easter thanksgiving god twitter facebook google kb mb gb tb mbps ghz kg km "
    "mbit gbit mah kwh cm mm mp jpg png mp3 mp4 direct message messages private air"
)
COMMON: Final = word_set(
    "a an the and or but so then finally also however moreover furthermore additionally therefore thus hence "
    "meanwhile afterwards later eventually initially firstly secondly lastly next first second third once now today "
    "tomorrow yesterday after before when while since because although though if unless until as at by for from in "
    "into of on over per to under upon with without within during despite regarding concerning about this that "
    "these those there here he she it they we you his her its their our your my who whom whose which what where why "
    "how not no yes none nothing nobody somebody someone everyone both each every either neither all any some many "
    "most several few more less such other another same different one two three four five six seven eight nine ten "
    "half please thanks thank sorry hello hi dear regards sir issue issues problem problems order orders refund "
    "refunds delivery deliveries payment payments account accounts request requests complaint query question "
    "questions response reply replies details information access shipping returns return replacement exchange "
    "compensation credit voucher discount price pricing fee fees charge charges cost costs money cash card cards "
    "bank bill bills billing invoice contract plan plans subscription membership booking bookings reservation "
    "ticket tickets flight flights train trains seat seats hotel room rooms appointment visit installation repair "
    "repairs parcel package packages item items product products website page link links screenshot screenshots "
    "phone phones call calls number numbers code codes password login network connection signal router modem device "
    "devices laptop computer software update updates error errors version feedback experience quality customer's "
    "agent's people staff work home time times date dates day days week weeks month months year years nature "
    "resolution outcome result results reason reasons conclusion context summary case cases conversation chat "
    "dialogue discussion it's upset angry unhappy frustrated happy glad disappointed annoyed part parts free due "
    "further total just only still even"
)
ENDINGS: Final = (
    *("ing", "ed", "tion", "sion", "ment", "ness", "ity", "able", "ible", "ally", "ful", "less", "ously", "ence"),
    *("ance", "ent", "ive", "ary", "ure"),
)
"""Endings of words that are seldom names."""

COMPANY_WORDS: Final = word_set(
    "air airline airlines airway airways rail railway railways train trains bus coaches inc ltd llc llp plc corp "
    "corporation co company group holdings limited bank banking mobile telecom telecommunications communications "
    "wireless broadband cable network networks media studio studios games gaming entertainment music video tv pay "
    "insurance airport hotel hotels store stores shop shops supermarket supermarkets pharmacy express international"
)
"""What often follows the name of a company, and is left out where people know it."""

LINKING: Final = word_set("of for the and & de la le du")
"""Words inside a name that its initials may leave out."""

HANDLE_STARTS: Final = word_set("ask the team my hey get hello its official")
HANDLE_ENDS: Final = word_set(
    "help helps support supports care cares service services uk us usa in india ie au ca eu official team assist "
    "helpers tweets online store stores news hq app cs custserv customercare customerservice talk listens air inc co"
)
"""What companies add to their name in a handle: @AskAcme, @acmehelp."""

_SHORT_FORMS: Final = """
mike mick michael|bob bobby rob robbie robert|bill billy will william|jim jimmy jamie james|tom tommy thomas
dan danny daniel|dave davey david|dick rick richie rich richard|chris christopher|chris chrissie christine christina
tony anthony antonio|joe joey joseph|jack jackie johnny john|jon jonathan|matt matty matthew|andy drew andrew
steve stephen steven|ed eddie ted edward|ted theo theodore|nick nicky nicholas|alex alexander|alex alexandra
sam sammy samuel|sam sammy samantha|ben benny benjamin|tim timmy timothy|greg gregory|jeff geoff jeffrey geoffrey
ken kenny kenneth|larry lawrence|charlie chuck charles|pat paddy patrick|pat patty tricia patricia|pete peter
phil philip phillip|ron ronnie ronald|ray raymond|fred freddie frederick|frank francis|gabe gabriel|jake jacob
zach zack zachary|josh joshua|max maxwell|nate nathan|vince vincent|walt walter|doug douglas|don donnie donald
gus august|hank harry henry|len lenny leonard|leo leonardo|lou louis|marty martin|mitch mitchell|ollie oliver
liz lizzie beth betty eliza elizabeth|kate katie kathy kat katherine|cathy cate catherine|meg maggie peggy margaret
jen jenny jennifer|jess jessie jessica|sue susie susan|barb barbara|deb debbie deborah|deb debbie debra|becky rebecca
vicky tori victoria|abby abigail|mandy amanda|angie angela|nicky nicole|steph stephanie|val valerie|cindy cynthia
sandy sandra|pam pamela|ellie nell ellen eleanor|gabby gabriela gabrielle|izzy isabel isabella|tina christina
trish patricia|terry theresa teresa|kim kimberly|dee denise|jackie jacqueline|lexi alexis|mel melanie melissa
nat natalie natasha|ash ashley|manny manuel emmanuel|raj rajesh|mo mohammed mohamed muhammad
"""


def _short_forms() -> dict[str, frozenset[str]]:
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for group in _SHORT_FORMS.replace("\n", "|").strip("|").split("|"):
        for name in group.split():
            forms[name] |= set(group.split())
    return {name: frozenset(others - {name}) for name, others in forms.items()}


SHORT_FORMS: Final = _short_forms()
"""For each given name, its short and long forms."""
