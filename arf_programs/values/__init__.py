"""The values of a conversation: how they are read, how one is written in the place of another, and which one fits.

`find_values` reads a text, `write_value` keeps the form of what is replaced, and `rank_values` orders the values of a
conversation that may stand in the place of a wrong one. `exchange_roles`, `find_negations` and `find_opposites` do the
same for statements. No model is asked. Planting makes errors with the same functions.
"""

from arf_programs.values.ranking import Candidate, Talk, find_misplaced, has_value, rank_values, read_talk
from arf_programs.values.reading import Value, ValueKind, find_numbers, find_values, read_names, same_value
from arf_programs.values.statements import (
    Reversal,
    exchange_roles,
    find_negations,
    find_opposites,
    names_of_roles,
    role_as_subject,
)
from arf_programs.values.writing import (
    Replacement,
    with_article,
    write_date,
    write_like,
    write_value,
)
