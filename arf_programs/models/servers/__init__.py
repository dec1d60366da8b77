"""Servers that ARF starts itself: the life of a server process, and vLLM with a base and its adapters."""
