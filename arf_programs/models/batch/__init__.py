"""Batch mode: calls of all rows are collected and sent through a provider's batch API, in OpenAI's format."""
