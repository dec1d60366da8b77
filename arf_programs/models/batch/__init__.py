"""Sends calls through the batch API of a provider that is compatible with OpenAI's."""
