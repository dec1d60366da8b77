"""A training run with TRL: base model, adapter, trainer, checkpoints and progress.

Import from its files, since some of them load torch and TRL: `adapter`, `assemble`, `run`, `schedule` and `trainer`.
"""
