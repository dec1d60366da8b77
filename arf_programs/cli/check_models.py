"""Tiny calls to the models of a run, with the features that the run will ask for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field

from arf_programs.config import PIPELINE_ROLES, ROLES, ModelConfig
from arf_programs.runs import Run
from signatures.exceptions import ArfError

_TINY = 8  # tokens
_QUESTION = "Answer with the one word: yes"
_SYSTEM = "You answer questions."
_WITHOUT_A_KEY = ("system", "max_tokens")  # a run goes on without them, and there is no key to set
_MOST_LOGPROBS: dict[str, object] = {"messages": [], "logprobs": True, "top_logprobs": 20}
_TYPED_ROLES = frozenset(("analyst", "editor", "editors", "judge"))
_TYPED_QUESTION = "request -> colors: list[str]"


async def check_models(run: Run, good: list[str], warnings: list[str], problems: list[str]) -> None:
    """Ask each different model, and add what is found to the lists. Roles that share a model are named together.

    A prompt or reflection model is asked only if it differs from the analyst, its default.
    """
    from arf_programs.models import NoStore, where_it_answers, within
    from arf_programs.runner import asking_from

    models: list[tuple[ModelConfig, list[str]]] = []
    for role, config in run.config.models.asked(ROLES).items():
        if role not in PIPELINE_ROLES and config == run.config.models.analyst:
            continue
        same = next((names for other, names in models if other == config), None)
        if same is None:
            models.append((config, [role]))
        else:
            same.append(role)
    models += [(config, [f"editors[{place}]"]) for place, config in enumerate(run.config.models.editors)]
    # Models at one endpoint share its rate, as in a run. Nothing is stored, since an old answer tests no model.
    with asking_from(run, NoStore(), falls_back=False), within(stage="check"):
        outcomes = await asyncio.gather(*(_try_model(run, config, names) for config, names in models))
    for (config, names), found in zip(models, outcomes, strict=True):
        who = " and ".join(names)
        warnings += [f"models.{who}: {config.model} {warning}" for warning in found.warnings]
        problems += [f"models.{who}: {config.model} {problem}" for problem in found.problems]
        if not found.problems:
            where = where_it_answers(config)
            good.append(f"models.{who}: {config.model} answers" + (f" on {where}" if where else ""))


@dataclass
class _Answers:
    """How a model has answered: what it refuses, and what else went wrong after its first answer."""

    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def _try_model(run: Run, config: ModelConfig, roles: list[str]) -> _Answers:
    """Ask the model for one word, then with each feature that the run will ask for."""
    import dspy
    from dspy.utils.exceptions import AdapterParseError, DSPyError

    from arf_programs.models import build_lm, describe_refusal, feature_named, gives_logprobs, is_local
    from arf_programs.programs import PlainAdapter
    from arf_programs.runner import reason_of
    from arf_programs.stages import scores_sentences

    # A hosted reasoning model refuses a small max_tokens, and ends after one word anyway.
    tokens = _TINY if is_local(config.model) else config.max_tokens
    tiny = config.model_copy(update={"max_tokens": tokens, "retries": 0})
    found = _Answers()
    asked: dict[str, object] = {}
    try:
        lm = build_lm(tiny, seed=run.config.seed)
        asked = {"messages": [{"role": "system", "content": _SYSTEM}], **config.parameters, **lm.kwargs}
        with dspy.context(lm=lm, adapter=PlainAdapter()):
            await dspy.Predict(dspy.Signature("conversation -> answer", _SYSTEM)).acall(conversation=_QUESTION)
    except AdapterParseError:
        pass  # a blank answer is one
    except (ArfError, DSPyError) as error:
        feature = feature_named(str(error), asked) if asked else None
        if feature is None:
            found.problems.append(f"does not answer: {reason_of(error)}{_blame(config, str(error))}")
        else:
            said = f"{describe_refusal(feature)} ({reason_of(error)})"
            (found.warnings if feature in _WITHOUT_A_KEY else found.problems).append(said)
        return found
    if is_local(config.model):
        return found
    if _TYPED_ROLES.intersection(role.partition("[")[0] for role in roles):
        feature, mend = "JSON mode (response_format: json_object)", "json_schema to true, if its server enforces one"
        if lm.supports_response_schema:
            feature, mend = "a JSON schema", "json_schema to false"
        await _try_feature(dspy.Predict(_TYPED_QUESTION).acall(lm=lm, request="Name one color."), feature, mend, found)
    if "analyst" in roles and scores_sentences(run.config) and gives_logprobs(config):
        scored = lm.acall(_QUESTION, logprobs=True, top_logprobs=_MOST_LOGPROBS["top_logprobs"])
        await _try_feature(scored, "log-probabilities", "logprobs to false", found, fewer=True)
    return found


def _blame(config: ModelConfig, said: str) -> str:
    """Name the keys of `parameters` of which a refusal speaks."""
    named = [f"parameters.{name}" for name in config.parameters if re.search(rf"\b{re.escape(name)}\b", said)]
    return f" (it speaks of {' and '.join(named)}: take that out, or set it as the server wants it)" if named else ""


async def _try_feature(
    asked: Awaitable[object], feature: str, mend: str, found: _Answers, *, fewer: bool = False
) -> None:
    """Await an answer. A refusal of the request is a problem with its mend, any other error of the provider a warning.

    `fewer` says that a run asks for fewer log-probabilities where so many are refused, which is a warning too.
    Whatever text comes is an answer: how well a model answers is not looked at here.
    """
    from dspy.utils.exceptions import AdapterParseError, DSPyError, LMInvalidRequestError, LMUnsupportedFeatureError

    from arf_programs.models import describe_refusal, feature_named
    from arf_programs.runner import reason_of

    try:
        await asked
    except AdapterParseError:
        pass
    except (LMInvalidRequestError, LMUnsupportedFeatureError) as error:
        if fewer and feature_named(str(error), _MOST_LOGPROBS) == "top_logprobs":
            found.warnings.append(f"{describe_refusal('top_logprobs')} ({reason_of(error)})")
            return
        found.problems.append(f"refuses {feature}, which the run asks for: set its {mend}: {reason_of(error)}")
    except (ArfError, DSPyError) as error:
        found.warnings.append(f"gave no answer when it was asked for {feature}, as the run will: {reason_of(error)}")
