"""Tiny calls to the models of a run, with the features that the run will ask for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from arf_programs.config import PIPELINE_ROLES, ROLES, ModelConfig, Role
from arf_programs.runs import Run
from signatures.exceptions import ArfError

if TYPE_CHECKING:
    import dspy

_TINY = 8  # tokens
_QUESTION = "Answer with the one word: yes"
_TYPED_ROLES = frozenset(("analyst", "editor", "judge"))
_TYPED_QUESTION = "request -> colors: list[str]"


async def check_models(run: Run, good: list[str], problems: list[str]) -> None:
    """Ask each different model, and add what is right and what is wrong. Roles that share a model are named together.

    A prompt or reflection model is asked only if it differs from the analyst, its default.
    """
    from arf_programs.models import NoStore, within
    from arf_programs.runner import asking_from

    models: list[tuple[ModelConfig, list[Role]]] = []
    for role in ROLES:
        config = run.config.models.of(role)
        if role not in PIPELINE_ROLES and config == run.config.models.analyst:
            continue
        same = next((names for other, names in models if other == config), None)
        if same is None:
            models.append((config, [role]))
        else:
            same.append(role)
            # Models at one endpoint share its rate, as in a run. Nothing is stored, since an old answer tests no model.
    with asking_from(run, NoStore()), within(stage="check"):
        outcomes = await asyncio.gather(*(_try_model(run, config, names) for config, names in models))
    for (config, names), found in zip(models, outcomes, strict=True):
        who = " and ".join(names)
        problems += [f"models.{who}: {config.model} {problem}" for problem in found]
        if not found:
            good.append(f"models.{who}: {config.model} answers")


async def _try_model(run: Run, config: ModelConfig, roles: list[Role]) -> list[str]:
    """Ask the model for one word, then with each feature that the run will ask for. Return what is wrong."""
    from dspy.utils.exceptions import DSPyError

    from arf_programs.models import build_lm, gives_logprobs, is_local
    from arf_programs.stages import scores_sentences

    # A hosted reasoning model refuses a small max_tokens, and ends after one word anyway.
    tokens = _TINY if is_local(config.model) else config.max_tokens
    tiny = config.model_copy(update={"max_tokens": tokens, "retries": 0})
    try:
        lm = build_lm(tiny, seed=run.config.seed)
        await lm.acall(_QUESTION)
    except (ArfError, DSPyError) as error:
        return [f"does not answer: {_in_one_line(error)}"]
    if is_local(config.model):
        return []
    problems = []
    if _TYPED_ROLES.intersection(roles) and (refused := await _refusal_of_types(lm)):
        key = "false" if lm.supports_response_schema else "true, if its server enforces a JSON schema"
        form = "a JSON schema" if lm.supports_response_schema else "JSON mode (response_format: json_object)"
        problems.append(f"refuses {form}, which the run asks for: set its json_schema to {key}: {refused}")
    asks_logprobs = "analyst" in roles and scores_sentences(run.config) and gives_logprobs(config)
    if asks_logprobs and (refused := await _refusal_of_logprobs(lm)):
        problems.append(f"refuses log-probabilities, which the run asks for: set its logprobs to false: {refused}")
    return problems


async def _refusal_of_types(lm: dspy.LM) -> str:
    """Return why the model refuses a typed question; empty if it answers, in whatever form."""
    import dspy
    from dspy.utils.exceptions import AdapterParseError, DSPyError

    try:
        await dspy.Predict(_TYPED_QUESTION).acall(lm=lm, request="Name one color.")
    except AdapterParseError:
        return ""
    except (ArfError, DSPyError) as error:
        return _in_one_line(error)
    return ""


async def _refusal_of_logprobs(lm: dspy.LM) -> str:
    from dspy.utils.exceptions import DSPyError

    try:
        await lm.acall(_QUESTION, logprobs=True, top_logprobs=20)
    except (ArfError, DSPyError) as error:
        return _in_one_line(error)
    return ""


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
