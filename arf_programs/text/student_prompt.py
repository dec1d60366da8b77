"""The one prompt for a summary: a student is trained on what it, and every other system, is served with."""

from __future__ import annotations

import inspect

from signatures.records import Conversation, Message


def build_messages(instruction: str, conversation: Conversation) -> tuple[Message, ...]:
    """The messages that are answered with a summary.

    The instruction loses its indentation and outer blank lines, as DSPy does to the instructions of a signature.
    """
    return (
        Message(role="system", content=inspect.cleandoc(instruction)),
        Message(role="user", content=build_user_text(conversation.as_text())),
    )


def build_user_text(conversation: str) -> str:
    """The user's message. The request comes last: asked only before it, small models go on with the conversation."""
    return f"Conversation:\n{conversation}\n\nWrite the summary of this conversation."
