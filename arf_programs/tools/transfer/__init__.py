"""`arf transfer`: a compiled program on other models, beside the uncompiled one; `arf check` reads the table."""

from arf_programs.tools.transfer.measure import measure_transfer
from arf_programs.tools.transfer.program import find_config, read_program
from arf_programs.tools.transfer.table import Transfer, transfer_notes
