"""The commands that people run beside the pipeline."""
