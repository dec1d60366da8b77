"""The best candidate so far."""

from __future__ import annotations

from test_compiling_cases import WORDS, labeled

from arf_programs.programs import ProgramState
from arf_programs.tools.compiling.cases import Case
from arf_programs.tools.compiling.task import Recorder

DEV = [Case(labeled(word), n) for n, word in enumerate(WORDS[:2])]
TRAIN = [Case(labeled(word), n) for n, word in enumerate(WORDS[2:6])]


def state(name: str) -> ProgramState:
    return {"find": {"name": name}}


def test_the_best_on_all_of_dev_wins_and_half_a_dev_proves_nothing():
    recorder = Recorder()
    for name, scores in {"plain": (0.2, 0.4), "good": (0.6, 0.6)}.items():
        for case, score in zip(DEV, scores, strict=True):
            recorder.record(state(name), case, score)
    recorder.record(state("half"), DEV[0], 1.0)
    assert recorder.best(DEV, TRAIN) == state("good")


def test_without_dev_train_decides_among_those_that_saw_most_of_it():
    recorder = Recorder()
    assert recorder.best(DEV, TRAIN) is None
    recorder.record(state("lucky"), TRAIN[0], 1.0)
    for case in TRAIN[:2]:
        recorder.record(state("plain"), case, 0.3)
        recorder.record(state("good"), case, 0.5)
    assert recorder.best(DEV, TRAIN) == state("good")
