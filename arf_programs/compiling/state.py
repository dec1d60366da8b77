"""A program's state: instructions and demonstrations of each predictor, as DSPy saves them, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dspy
from pydantic import BaseModel

ProgramState = dict[str, dict[str, Any]]
_MARK = "augmented"  # DSPy's mark of a demonstration that the model wrote itself


def program_state(program: dspy.Module) -> ProgramState:
    """The state of every predictor that can be compiled, by name, in JSON's types; no model and no endpoint in it."""
    return {
        name: {
            "traces": [],
            "train": [],
            "demos": plain_demos(predictor),
            "signature": predictor.signature.dump_state(),
            "lm": None,
        }
        for name, predictor in program.named_predictors()
    }


def plain_demos(predictor: dspy.Predict) -> list[dict[str, Any]]:
    """The demonstrations with the fields of their predictor alone; one that lacks a field is none."""
    fields = set(predictor.signature.fields)
    return [
        {key: plain(value) for key, value in demo.items() if key in fields | {_MARK}}
        for demo in map(dict, predictor.demos)
        if fields <= demo.keys()
    ]


def plain(value: Any) -> Any:
    """A value in JSON's types."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def load_state(program: dspy.Module, state: ProgramState) -> None:
    """Put a state into a program: every predictor that it names, and no other."""
    for name, predictor in program.named_predictors():
        if name in state:
            predictor.load_state(state[name])


def save_state(program: dspy.Module, path: Path) -> None:
    """Write a program's state by DSPy's own `save`, as JSON; the file is the old one or the whole new one."""
    bare = program.deepcopy()
    for predictor in bare.predictors():
        predictor.demos = [dspy.Example(**demo) for demo in plain_demos(predictor)]
        predictor.lm = None
    part = path.with_name(f".{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    bare.save(str(part), save_program=False)
    part.replace(path)


def predictor_fields(program: dspy.Module) -> dict[str, list[str]]:
    """The fields of each predictor, by name: what a state has to fit."""
    return {name: list(predictor.signature.fields) for name, predictor in program.named_predictors()}
