"""What came back from models: read, stored, and counted against the budget."""
