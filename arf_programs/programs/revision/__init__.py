"""Mend a summary: propose edits, verify them, and try again with what was wrong."""
