"""`arf compile`: a DSPy optimizer improves the prompts of one program, which is scored on labels held out from it.

The program is used only if it is better on dev. Its card says how it was made and what it scored.
"""

from arf_programs.tools.compiling.cases import Case
from arf_programs.tools.compiling.compile import compile_program, score_texts, show_prompts
from arf_programs.tools.compiling.job import Prepared, prepare_target, refuse_leaks
from arf_programs.tools.compiling.scoring import Scored, compare, score_cases
from arf_programs.tools.compiling.task import asking_context
