"""The `arf` command: thin, and lazy, so that `arf --help` answers at once."""
