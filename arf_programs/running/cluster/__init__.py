"""Rows through the steps of a stage on a Ray cluster."""
