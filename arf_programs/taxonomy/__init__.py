"""The categories of error that a run looks for: the seed, and the file that people edit."""

from arf_programs.taxonomy.files import read_taxonomy, write_taxonomy
from arf_programs.taxonomy.seed import seed_taxonomy

__all__ = ["read_taxonomy", "seed_taxonomy", "write_taxonomy"]
