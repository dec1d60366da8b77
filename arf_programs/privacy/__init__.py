"""Pseudonyms: private values are recognised, replaced by stand-ins before a call, and restored in the answer."""

from arf_programs.privacy.mapping import Pseudonyms, Request, Value
from arf_programs.privacy.recognise import recognise
from arf_programs.privacy.values import Found, Kind, code_key, word_key

__all__ = ["Found", "Kind", "Pseudonyms", "Request", "Value", "code_key", "recognise", "word_key"]
