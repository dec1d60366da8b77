"""A causal LM in this process, on the CPU: batches, a prefix cache and JSON schemas enforced while decoding."""
