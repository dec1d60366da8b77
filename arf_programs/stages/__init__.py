"""The stages of a run: one file each, with what it depends on (`fingerprint`) and what it does (`work`)."""
