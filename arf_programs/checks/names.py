"""The check of names: capitalised words of the summary that the conversation does not contain."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from arf_programs.checks.dates import find_moments
from arf_programs.checks.finding import Finding, Material, without_accents
from arf_programs.checks.identifiers import find_codes, squeeze
from arf_programs.checks.quantities import find_quantities
from arf_programs.text import find_sentences, word_set

# Common given names tell a name at the beginning of a sentence from other words. Names that often begin a sentence as
# other words ("Will", "Grace", "Mark", "May") are left out.
GIVEN_NAMES: Final = word_set("""
aaron abigail adam adrian ahmed aisha alan albert alejandro alex alexander alexandra alexis alice alicia alison amanda
amber amelia amina amy ana andrea andreas andrew angela anil anita anjali anna anne annette anthony antonio arjun arthur
ashley audrey barbara beatrice ben benjamin bernard beth betty beverly boris bradley brandon brenda brian bruce bryan
caleb cameron camila carl carla carlos carmen carol caroline carolyn catherine cecilia charles charlotte cheryl chloe
chris christian christina christine christopher cindy claire clara claudia colin connor craig cynthia daniel daniela
danielle david deborah debra denise dennis derek deepak diana diane diego dmitri donald donna doris dorothy douglas
dylan edgar eduardo edward eileen elaine elena eli elijah elizabeth ella ellen emily emma eric erica erik ethan eugene
eva evan evelyn fatima felix fernando fiona frances francesca francis francisco frank fred frederick gabriel gabriela
gary george gerald giovanni gloria gordon gregory guillermo hannah hans harold harry hassan heather hector helen helena
henry howard hugo ian ibrahim imran ingrid irene isaac isabel isabella ivan jack jackie jacob jacqueline jade jake james
jamie jane janet janice jasmine jason javier jean jeff jeffrey jennifer jenny jeremy jerry jesse jessica jill jim joan
joanna joe joel john johnny jonathan jordan jorge jose joseph joshua juan judith judy julia julian julie justin karen
karl karim kate katherine kathleen kathryn katie keith kelly kenneth kevin kim kimberly kyle lara larry laura lauren
lawrence leah leo leon leonard leslie liam lillian linda lisa logan lois lorenzo louis louise lucas lucia lucy luis luke
luna lydia lynn madison manuel marcia marco marcus margaret maria marie marilyn mario marion marisa marjorie martha
martin marvin mary mateo matteo matthew maureen maurice max megan mei melanie melissa mia michael michelle miguel mike
mildred mohammed monica mohamed muhammad nancy naomi natalia natalie natasha nathan neil nicholas nicole nina noah nora
norma norman oliver olivia omar oscar pablo pamela patricia patrick paul paula pauline pedro peggy peter philip phillip
phyllis pierre priya rachel rafael raj rajesh ralph ramon raymond rebecca renee ricardo richard rita robert roberto
robin rodney roger ronald rosa rosemary roy russell ruth ryan sally samantha samuel sandra sanjay sara sarah scott sean
sebastian sergio shannon sharon shawn sheila shirley simon sofia sonia sophia sophie stanley stephanie stephen steve
steven stuart sue susan suzanne sylvia tamara tanya tara teresa terry thelma theodore theresa thomas tiffany timothy
tina todd tom tomas tony tracy travis tyler valerie vanessa vera veronica victor victoria vincent viktor vivian walter
wanda wayne wendy wesley william xavier yasmin yolanda yuki yusuf yvonne zachary zainab zoe
""")


_CAPITALISED: Final = re.compile(r"(?<![\w@#'’/.-])[^\W\d_a-z][^\W_]*(?:(?:[-'’.]|&(?!amp))[^\W_]+)*")
TITLES: Final = word_set("mr mrs ms mx dr prof professor miss sir madam madame herr frau captain sergeant")
_ROLES: Final = word_set(
    "customer customers agent agents client clients representative representatives rep reps bot chatbot assistant user "
    "users caller callers advisor adviser operator supervisor manager specialist technician team support service "
    "services department help desk care sales staff company store shop office seller buyer salesperson i"
)
_GENERAL: Final = word_set(
    "dm dms pm id ids tv uk us usa eu url urls pin faq faqs sms cv api app apps gps wifi wi-fi it hr ok okay asap "
    "eta etc vs pc pcs usb vpn ip isp sim imei html pdf csv os ios android qr atm vat tax iban internet web website "
    "online email e-mail e-mails emails cc ui am fyi cod diy rsvp ceo uhd hd hdmi led lcd cctv otp ssn vip english "
    "american british european christmas easter thanksgiving god twitter facebook google kb mb gb tb mbps ghz kg km "
    "mbit gbit mah kwh cm mm mp jpg png mp3 mp4 direct message messages private air"
)
_COMMON: Final = word_set(
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
_ENDINGS: Final = (
    *("ing", "ed", "tion", "sion", "ment", "ness", "ity", "able", "ible", "ally", "ful", "less", "ously", "ence"),
    *("ance", "ent", "ive", "ary", "ure"),
)
_VERB: Final = re.compile(
    r"['’]s\b|\s+(?:(?:also|then|later|first|finally|now|never|already)\s+)?(?:will|has|had|is|was|can|could|would|should|"
    r"does|did|may|might|said|told|gave|sent|took|made|found|wrote|got|put|paid|set|let|kept|left|spoke|sold|bought|"
    r"brought|met|rang|ran|held|from (?:the )?\w+ (?:\w+ed|has|will)|(?!need|speed|feed|seed|indeed|red\b)\w+ed|"
    r"says|asks|wants|tells|offers|explains|promises|agrees|confirms|refuses|requests|sends|gives|needs)\b"
)
_UNREMARKABLE: Final = TITLES | _ROLES | _GENERAL | _COMMON
_CLOSE_LENGTH: Final = 6


class _Name(NamedTuple):
    start: int
    end: int


def check_names(material: Material) -> list[Finding]:
    """Report names of the summary that the conversation does not contain. Case, hyphens and plural do not matter.

    The first word of a sentence counts only if it is clearly a name: a common given name, a word after a title, or a
    word before another unknown capitalised word. Neighbouring unknown names are one finding.
    """
    unknown = [name for name in _names(material.summary) if not _is_supported(name, material)]
    openers = _openers(material.summary, material.sentences)
    starts = {name.start for name in unknown}
    kept = [name for name in unknown if name.start not in openers or _clearly(name, material.summary, starts)]
    return [_finding(material, start, end) for start, end in _join_neighbours(kept, material.summary)]


def find_names(text: str) -> list[tuple[int, int]]:
    """Find the `(start, end)` spans of names. Neighbours are one span; roles, titles and common words are no names.

    The first word of a sentence counts only if it is a common given name or follows a title.
    """
    openers = _openers(text, find_sentences(text))
    kept = []
    for name in _names(text):
        word = text[name.start : name.end].lower()
        clear = word in GIVEN_NAMES or _titled(name, text)
        common = word in _UNREMARKABLE or len(word) < 3 or "'" in word or "’" in word
        if not common and (clear or (name.start not in openers and not word.endswith(_ENDINGS))):
            kept.append(name)
    return _join_neighbours(kept, text)


def _names(text: str) -> list[_Name]:
    """Find capitalised words that are not part of a date, a time, a code, an amount or a share."""
    taken = [*find_moments(text), *((code.start, code.end) for code in find_codes(text))]
    taken += [(item.start, item.end) for item in find_quantities(text) if item.kind in ("money", "percent")]
    names = []
    for match in _CAPITALISED.finditer(text):
        word = re.sub(r"['’]s?$", "", match.group())
        if not any(start < match.end() and match.start() < end for start, end in taken):
            names.append(_Name(match.start(), match.start() + len(word)))
    return names


def _is_supported(name: _Name, material: Material) -> bool:
    """Say whether the conversation supports the word, or the word needs no support."""
    word = material.summary[name.start : name.end].lower().replace("’", "'")
    if word in _UNREMARKABLE or len(word) < 2 or set(word) == {"x"} or word.startswith("i'"):
        return True
    parts = [part for part in re.split(r"[-&'.]", word) if part]
    if _is_mentioned(word, material) or all(_is_mentioned(part, material) or part in _UNREMARKABLE for part in parts):
        return True
    return _in_handle(name, material) or (
        word.endswith(_ENDINGS) and word not in GIVEN_NAMES and not _titled(name, material.summary)
    )


def _in_handle(name: _Name, material: Material) -> bool:
    """Say whether the conversation writes the word together with its neighbour, as handles and hashtags do."""
    before = re.search(r"(\w+)\s+$", material.summary[: name.start])
    after = re.match(r"\s+(\w+)", material.summary[name.end :])
    word = material.summary[name.start : name.end]
    pairs = [before.group(1) + word] if before else []
    pairs += [word + after.group(1)] if after else []
    digits = [word] if any(char.isdigit() for char in word) else []
    return any(squeeze(pair) in material.squeezed for pair in pairs + digits)


def _titled(name: _Name, text: str) -> bool:
    before = re.search(r"(\w+)\.?\s+$", text[: name.start])
    return before is not None and before.group(1).lower() in TITLES


def _is_mentioned(word: str, material: Material) -> bool:
    """Say whether the conversation has the word, its singular or plural, or a longer word or handle with it."""
    words = material.known_words
    forms = {word, word.removesuffix("s"), f"{word}s", word.removesuffix("es"), word.removesuffix("'s")}
    if words & forms or without_accents(word) in material.bare_words:
        return True
    compact = squeeze(word)
    if len(compact) >= 4 and compact in material.squeezed:
        return True
    return len(word) >= _CLOSE_LENGTH and any(_close(word, other) for other in words)


def _close(word: str, other: str) -> bool:
    """Say whether two long words differ in one letter, as a misspelling does, or share their stem."""
    if word[0] != other[0] or abs(len(word) - len(other)) > 1:
        return len(other) >= _CLOSE_LENGTH - 1 and (word.startswith(other) or other.startswith(word))
    short, long = sorted((word, other), key=len)
    cut = next((place for place, char in enumerate(short) if char != long[place]), len(short))
    return short[cut + (len(short) == len(long)) :] == long[cut + 1 :]


def _openers(text: str, sentences: list[tuple[int, int]]) -> set[int]:
    """Find where any word has a capital letter: at the start of sentences and lines, after colon or quote."""
    starts = {start for start, _ in sentences}
    places = set()
    for match in _CAPITALISED.finditer(text):
        before = text[: match.start()].rstrip(" \t\"'“‘(*-•")
        if not before or before[-1] in ".!?:;\n" or match.start() in starts:
            places.add(match.start())
    return places


def _clearly(name: _Name, text: str, unknown: set[int]) -> bool:
    """Say whether the first word of a sentence is clearly a name."""
    if _titled(name, text) or text[name.start : name.end].lower() in GIVEN_NAMES or _VERB.match(text, name.end):
        return True
    after = re.match(r"\s+(\w+)", text[name.end :])
    if after is None:
        return False
    return name.end + after.start(1) in unknown


def _join_neighbours(names: list[_Name], text: str) -> list[tuple[int, int]]:
    """Join names with only a space between them into one span."""
    spans: list[tuple[int, int]] = []
    for name in names:
        if spans and text[spans[-1][1] : name.start] == " ":
            spans[-1] = (spans[-1][0], name.end)
        else:
            spans.append((name.start, name.end))
    return spans


def _finding(material: Material, start: int, end: int) -> Finding:
    quote = material.written(start, end)
    reason = f'The conversation does not contain the name "{quote}".'
    return Finding("fabricated", start, end, reason)
