"""The parts of a training run: base model, adapter, trainer, checkpoints, lengths and hardware."""
