"""Turns of a text: who speaks, in plain transcripts, exports of chats and threads of mails."""

from arf_programs.corpus.speakers.parse import parse_mails, parse_turns
from arf_programs.corpus.speakers.threads import read_date, role_of, text_without_quotes
