"""Checkers: small classifiers that say whether a document supports a claim. They score sentences without a question.

`load_checker` loads HHEM-2.1-open, MiniCheck, FactCG or any classifier of two texts, each in its own input form.
"""

from arf_programs.checkers.checker import Checker, load_checker
from arf_programs.checkers.loading import FORMS, KNOWN, LoadedChecker, checker_form, known_checker
