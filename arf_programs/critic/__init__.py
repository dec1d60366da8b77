"""Measures checkers and trains one: a small classifier that says whether a conversation supports a sentence.

These are the commands `arf checker probe` and `arf checker train`. `arf embed train` tunes an embedding likewise.
"""

from arf_programs.critic.embedding import train_embedding
from arf_programs.critic.probe import probe_folder, probe_run, read_card, verdict
from arf_programs.critic.train import train_checker
