"""The words that the check of names knows, and the forms of one name and of one code.

The words are titles, and words that are no names. Forms of one name are "GWR" in @GWRHelp, "AA" for American Airlines,
"M&S" in @marksandspencer, and Mike for Michael. Forms of one code are v2.1 for version 2.1, BA0123 for BA 123, T5 for
terminal 5, and 32x34 for 32 by 34.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from arf_programs.checks.finding import squeeze
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
saint st ste sainte|mount mt|fort ft
"""
_TAG: Final = re.compile(
    r"[@#](\w+)|\b(?:https?://)?(?:www\.)?((?:[\w-]{1,63}\.)+(?:com|org|net|gov|edu|io|co|uk|de|fr|in))\b"
)
_PIECE: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W_]+")
_RUN: Final = re.compile(r"[^\W\d_][^\W_]*(?:['’&.-][^\W_]+)*|\d+")
_CAMEL: Final = re.compile(r"[a-z][A-Z]")
_SIGNED: Final = re.compile(r"[\^~/*-]\s?$")
_OPENS: Final = re.compile(r"(?:^|[.!?:\n]\s*)[\"'“(]*$")
_CALENDAR: Final = word_set(
    "jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun"
)
_WORDS_TOO: Final = word_set("will bill sue pat drew ray rich dee mark may grace hope faith")
"""Given names that are also words, so at the beginning of a sentence they are no names."""
_ZONES: Final = word_set("eastern central mountain pacific")
_SHORTEST: Final = 3
_LONGEST_RUN: Final = 6


def _short_forms() -> dict[str, frozenset[str]]:
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for group in _SHORT_FORMS.replace("\n", "|").strip("|").split("|"):
        for name in group.split():
            forms[name] |= set(group.split())
    return {name: frozenset(others - {name}) for name, others in forms.items()}


SHORT_FORMS: Final = _short_forms()
"""For each given name, its short and long forms."""


class NameForms:
    """The names of a conversation in the forms in which a summary may write them.

    `pieces` are the words of handles, hashtags, addresses and joined words (PlayStation), alone and with neighbours.
    `acronyms` are words in capitals. `initials` are those of neighbouring words with a capital letter, with a number
    after them if there is one. `capitalised` are words with a capital letter, `inside` those that do not begin a
    sentence. All are in lower case.
    """

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.tags: set[str] = set()
        self.pieces: set[str] = set()
        self.acronyms: set[str] = set()
        self.initials: set[str] = set()
        self.capitalised: set[str] = set()
        self.inside: set[str] = set()
        self.texts = texts
        for text in texts:
            self._read_tags(text)
            self._read_words(text)

    def _read_tags(self, text: str) -> None:
        for match in _TAG.finditer(text):
            tag = match[1] or match[2]
            pieces = _PIECE.findall(tag)
            self.tags.add(squeeze(tag))
            for first in range(len(pieces)):
                for last in range(first + 1, len(pieces) + 1):
                    self.pieces.add("".join(pieces[first:last]).lower())
            self.initials |= _initials(pieces)

    def _read_words(self, text: str) -> None:
        run: list[str] = []
        end = 0
        for match in _RUN.finditer(text):
            word, before = match.group(), text[: match.start()]
            if text[end : match.start()].strip(" &-") or not (_is_capitalised(word) or word.lower() in LINKING):
                self.initials |= _initials(run)
                run = []
            if _is_capitalised(word):
                run += _PIECE.findall(word) if word != word.upper() else [word]
                if word.isupper() and not _SIGNED.search(before):
                    self.acronyms.add(squeeze(word))
                opens = _OPENS.search(before)
                self.pieces |= {piece.lower() for piece in _PIECE.findall(word)} if _CAMEL.search(word) else set()
                self.capitalised |= (
                    set() if opens and word.lower() in _WORDS_TOO else {word.lower(), *word.lower().split("-")}
                )
                self.inside |= set() if opens else {word.lower()}
            elif word.lower() in LINKING and run:
                run.append(word.lower())
            end = match.end()
        self.initials |= _initials(run)

    def has_piece(self, word: str) -> bool:
        """Say whether a handle, a hashtag or an address has the word in it: "GWR" in @GWRHelp, "HP" in @hpsupport."""
        plain = squeeze(word)
        if plain in self.pieces or plain in self.acronyms:
            return True
        if word.isupper() and len(plain) >= _SHORTEST and any(tag.startswith(plain) for tag in self.tags):
            return True
        return any(_in_tag(plain, tag) for tag in self.tags) or ("&" in word and self._has_both(word))

    def _has_both(self, word: str) -> bool:
        """Say whether a handle spells "M&S" out: @marksandspencer."""
        spelled = re.compile("and".join(re.escape(letter) + "[a-z]*" for letter in word.lower().split("&")))
        return any(spelled.match(tag) for tag in self.tags)

    def abbreviates(self, word: str) -> bool:
        """Say whether the word is an acronym of words of the conversation: "BA" for British Airways."""
        return word[0].isupper() and not word[-1].islower() and squeeze(word) in self.initials

    def before_number(self, word: str, number: str) -> bool:
        """Say whether the conversation shortens a word before a number: "win10" for Windows 10, "T5" for Terminal 5."""
        pattern = re.compile(rf"(?<!\w)([a-z]{{1,12}})[ -]?0*{number}(?!\d)", re.IGNORECASE)
        found = {match[1].lower() for text in self.texts for match in pattern.finditer(text)}
        return any(word.startswith(short) and (len(short) > 1 or word in NUMBERED) for short in found)

    def has_zone(self, word: str) -> bool:
        """Say whether the conversation has the time zone in letters: "EST" for Eastern."""
        return word in _ZONES and bool(self.acronyms & {f"{word[0]}{letters}" for letters in ("t", "st", "dt")})

    def spelled_out(self, words: list[str]) -> bool:
        """Say whether neighbouring words of the summary spell out an acronym of the conversation."""
        known = {
            acronym
            for acronym in self.acronyms | self.pieces
            if len(acronym) >= _SHORTEST or (len(acronym) > 1 and words[-1].lower() in COMPANY_WORDS)
        }
        pieces = [piece for word in words for piece in ([word] if word.isupper() else _PIECE.findall(word))]
        return bool(_initials(pieces, whole=True) & known)

    def has_short_form(self, word: str) -> bool:
        """Say whether the conversation has another form of a given name: "Mike" for Michael, "Abhi" for Abhishek."""
        if SHORT_FORMS.get(word, frozenset()) & self.capitalised:
            return True
        return any(_shortens(word, other) for other in self.inside)


@lru_cache(maxsize=64)
def read_name_forms(texts: tuple[str, ...]) -> NameForms:
    """Read the names of a conversation. They are cached, since several summaries of it are checked."""
    return NameForms(texts)


def _is_capitalised(word: str) -> bool:
    return word[0].isupper() or word.isdecimal() or any(char.isupper() for char in word[1:])


def _in_tag(word: str, tag: str) -> bool:
    """Say whether the tag is the word with what companies add to their name."""
    if len(word) < 2 or word not in tag:
        return False
    before, _, after = tag.partition(word)
    return (not before or before in HANDLE_STARTS) and (not after or after in HANDLE_ENDS)


def _initials(words: list[str], *, whole: bool = False) -> set[str]:
    """Return the initials of all neighbours among the words, or of all words, with and without linking words.

    A number after the words stays as it is: "PlayStation 4" is PS4. A linking word may stay, too: BofA.
    """
    found = set()
    lengths = [len(words)] if whole else range(2, _LONGEST_RUN + 1)
    for length in lengths:
        for first in range(len(words) - length + 1):
            part = words[first : first + length]
            if part[0].isdecimal() or any(word.isdecimal() for word in part[:-1]):
                continue
            main = [word for word in part if word not in LINKING]
            linked = [word if word in LINKING else _initial(word) for word in part]
            found |= {"".join(_initial(word) for word in chosen) for chosen in (part, main) if len(chosen) > 1}
            found.add("".join(linked))
    return found


def _initial(word: str) -> str:
    return word if word.isdecimal() else word[0].lower()


def _shortens(one: str, other: str) -> bool:
    """Say whether one name is the beginning of the other, as short forms are. "Carl" is none of "Carla"."""
    short, long = sorted((one, other), key=len)
    return len(short) >= _SHORTEST and short not in _CALENDAR and len(long) >= len(short) + 2 and long.startswith(short)


NUMBERED: Final = word_set("terminal gate platform room floor level route interstate bus zone version ticket")
"""Words that are written as their first letter before a number: T5, I-95."""

_SHORTEST_CODE: Final = 3
_SIZE: Final = re.compile(r"(\d+)x(\d+)")
_LETTER_FIRST: Final = re.compile(r"(?P<letter>[a-z])(?P<number>\d+)")
_LETTER_LAST: Final = re.compile(r"(?P<number>\d+)(?P<letter>[a-z])")
_QUARTERS: Final = ("first|1st", "second|2nd", "third|3rd", "fourth|4th")


def has_other_form(key: str, texts: Sequence[str]) -> bool:
    """Say whether one of the texts has the code in another form. `key` is in lower case, without punctuation."""
    bare = without_zeros(re.sub(r"^(?:v|0x)(?=\d)", "", key))
    if not any(char.isdigit() for char in bare):
        return False
    if len(bare) >= _SHORTEST_CODE and any(bare in without_zeros(squeeze(text)) for text in texts):
        return True
    forms = "|".join(_patterns(key))
    return forms != "" and any(re.search(forms, text, re.IGNORECASE) for text in texts)


def without_zeros(key: str) -> str:
    """Leave out the zeros between letters and a number: BA0123 is BA123."""
    return re.sub(r"(?<=[a-z])0+(?=\d)", "", key)


def _patterns(key: str) -> list[str]:
    """Return what the code may be in words."""
    if size := _SIZE.fullmatch(key):
        return [rf"(?<!\d){size[1]}\W*(?:x|by|×|\*)\W*{size[2]}(?!\d)"]
    if last := _LETTER_LAST.fullmatch(key):
        return [rf"\b{last['number']}\b.*\bseat {last['letter']}\b"]
    first = _LETTER_FIRST.fullmatch(key)
    if first is None:
        return []
    number = int(first["number"])
    quarter = first["letter"] == "q" and 1 <= number <= len(_QUARTERS)
    words = [word for word in sorted(NUMBERED) if word[0] == first["letter"]]
    return [rf"\b{word} {number}\b" for word in words] + (
        [rf"\b(?:{_QUARTERS[number - 1]}) quarter\b"] if quarter else []
    )
