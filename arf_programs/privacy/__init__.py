"""Pseudonyms: private values are recognised, replaced by stand-ins before a call, and restored in the answer."""

from arf_programs.privacy.guard import (
    Guard,
    disguise,
    disguise_conversation,
    open_guard,
    pseudonyms_of,
    read_values,
    reveal,
    values_of,
)
from arf_programs.privacy.known_values import Elsewhere, Originals, Seen, Value
from arf_programs.privacy.mapping import Finder, Pseudonyms, Request
from arf_programs.privacy.patterns import import_phonenumbers
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import Kind, code_key, word_key
