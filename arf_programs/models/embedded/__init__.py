"""Run a causal language model in this process, in batches, with JSON schemas enforced while decoding."""
