"""The `arf` command, one file for each group of commands."""
