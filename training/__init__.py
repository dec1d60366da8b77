"""Training of the students: commands that build examples, fine-tune with TRL, size a training, export and publish.

Each command runs as a process of its own (`python -m training.sft`). `loop` holds the parts of a training run, `sizing`
what it will take.
"""
