"""Estimates a training before it starts: memory and time from the shape of the model, and the dry run."""
