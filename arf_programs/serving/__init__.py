"""Serving a student over the API of OpenAI, by vLLM or by transformers."""
