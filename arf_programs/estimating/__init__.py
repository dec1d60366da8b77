"""`arf estimate`: what a run would ask, and what that would cost, before anything is spent."""
