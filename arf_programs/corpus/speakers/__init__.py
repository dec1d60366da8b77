"""Turns of a text: who speaks, in plain transcripts, exports of chats and threads of mails."""

from arf_programs.corpus.speakers.parse import parse_turns

__all__ = ["parse_turns"]
