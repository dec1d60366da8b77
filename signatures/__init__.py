"""Records and typed questions: what ARF stores, and what it asks of a language model."""
