"""Run the steps of a stage on a Ray cluster. One actor owns the stored answers, the ledger and the budget."""
