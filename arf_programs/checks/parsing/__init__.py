"""Numbers, quantities, dates and times, parsed from a text."""
