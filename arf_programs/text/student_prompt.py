"""The prompt for a summary. A student is trained with the prompt that all systems are asked with."""

from __future__ import annotations

import inspect

from signatures.records import Conversation, Message

_BEFORE, _AFTER = "Conversation:\n", "\n\nWrite the summary of this conversation."


def build_messages(instruction: str, conversation: Conversation) -> tuple[Message, ...]:
    """Build the messages that ask for a summary."""
    return (
        Message(role="system", content=build_system_text(instruction)),
        Message(role="user", content=build_user_text(conversation.as_text())),
    )


def build_system_text(instruction: str) -> str:
    """Build the system's message: the instruction without indentation and outer blank lines, as DSPy writes it."""
    return inspect.cleandoc(instruction)


def build_user_text(conversation: str) -> str:
    """Build the user's message. The request comes last, since small models otherwise continue the conversation."""
    return f"{_BEFORE}{conversation}{_AFTER}"


def read_user_text(text: str) -> str | None:
    """Return the conversation in a user's message; None for a message of another form."""
    if not (text.startswith(_BEFORE) and text.endswith(_AFTER)):
        return None
    return text.removeprefix(_BEFORE).removesuffix(_AFTER)
