"""The conversations: read, checked for near-duplicates, and split into training and holdout."""
