"""`arf compile`: a DSPy optimizer improves the prompts of one program, which is scored on labels held out from it.

The program is used only if it is better on dev. Its card says how it was made and what it scored.
"""

from arf_programs.tools.compiling.card import interval_text
from arf_programs.tools.compiling.cases import Case
from arf_programs.tools.compiling.compile import compile_program, show_prompts
from arf_programs.tools.compiling.context import asking_context
from arf_programs.tools.compiling.prepare import Prepared, refuse_leaks
from arf_programs.tools.compiling.prepare import prepare as prepare_target
from arf_programs.tools.compiling.scoring import Scored, compare, score_cases
