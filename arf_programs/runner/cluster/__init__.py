"""Takes rows through steps on a Ray cluster; one process owns the store of answers and the budget."""
