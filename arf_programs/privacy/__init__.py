"""Pseudonyms: private values are recognised, replaced by stand-ins before a call, and restored in the answer."""

from arf_programs.privacy.audit import Originals, Seen
from arf_programs.privacy.elsewhere import Elsewhere, Value
from arf_programs.privacy.files import (
    ConversationValues,
    KnownValue,
    SentRequest,
    open_guard,
    read_values,
    values_of,
)
from arf_programs.privacy.guard import Guard, disguise, disguise_conversation, map_texts, pseudonyms_of, reveal
from arf_programs.privacy.mapping import Finder, Pseudonyms, Request
from arf_programs.privacy.patterns import import_phonenumbers
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import Found, Kind, code_key, word_key
