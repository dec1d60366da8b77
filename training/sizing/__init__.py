"""What a training will take, found out before it starts: memory and time from a model's shape, and the dry run."""
