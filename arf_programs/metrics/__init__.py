"""Metrics: pure functions from texts and scores to figures with intervals."""
