"""Batch mode: calls as jobs of the provider's batch API, at its price for them. `sender.py` tells the story."""
