"""The checks: they compare a summary with its conversation and report errors without a model.

`run_checks` runs them all: `length`, `leftovers`, `copying` and `repetition` (form.py), `codes` and `private_data`
(identifiers.py), `dates` and `times` (moments.py), `numbers` and `rates` (numbers.py), `names` (names.py), and
`speakers` (speakers.py). The functions that read dates, quantities, codes and names are also used to plant errors.
"""

from arf_programs.checks.finding import Material, find_words, squeeze
from arf_programs.checks.forms import COMMON, COMPANY_WORDS, ENDINGS, GENERAL, ROLES, TITLES
from arf_programs.checks.identifiers import find_codes, is_card
from arf_programs.checks.known_numbers import find_taken_spans
from arf_programs.checks.moments import Moments, read_moments
from arf_programs.checks.names import find_names
from arf_programs.checks.parsing.dates import Date, find_dates
from arf_programs.checks.parsing.quantities import Quantity, convert_to_days, find_quantities, read_number
from arf_programs.checks.parsing.times import Time, find_times
from arf_programs.checks.run import run_checks, widen_quote
