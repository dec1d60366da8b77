"""One call to a model: the engine, what the call belongs to, pacing, refusals, and a new try."""
