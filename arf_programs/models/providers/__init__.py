"""LiteLLM's providers and our own, their addresses, and the terms of their models."""
