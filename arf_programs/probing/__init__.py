"""Probing: what the analyser finds, and the reviser mends, of errors that were planted."""
