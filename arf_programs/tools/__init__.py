"""What people run beside the pipeline, a room for each: they use the stages, and no stage needs them."""
