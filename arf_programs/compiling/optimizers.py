"""DSPy's optimizers by name, with the parameters of the configuration. They see train and dev, never test."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dspy

from arf_programs.config import Config, OptimizerName
from arf_programs.programs import text_vectorizer
from signatures.exceptions import DataError, MissingExtra

Examples = Sequence[dspy.Example]


@dataclass(frozen=True)
class Workshop:
    """What an optimizer is given: examples, models beside the program's own, threads, and the seed."""

    train: list[dspy.Example]
    dev: list[dspy.Example]
    prompt_model: dspy.LM
    reflection_model: dspy.LM
    threads: int
    config: Config


def check_optimizer(name: OptimizerName) -> None:
    """Raise MissingExtra where the optimizer needs a package that is not installed."""
    if name == "mipro" and importlib.util.find_spec("optuna") is None:
        raise MissingExtra("mipro needs the package optuna: pip install 'arf-programs[mipro]'")


def optimize(name: OptimizerName, student: dspy.Module, workshop: Workshop) -> dspy.Module:
    """The program that the optimizer makes of `student`. Raises DataError where train is too small for it."""
    return _OPTIMIZERS[name](student, workshop)


def score(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
    """The metric of DSPy: a Task has scored its answer already. A sum of 0 stands for a failed example."""
    return float(prediction.score)


def score_with_feedback(
    example: dspy.Example,
    prediction: dspy.Prediction,
    trace: Any = None,
    predictor: str | None = None,
    predictor_trace: Any = None,
) -> dspy.Prediction:
    """The metric of GEPA: the score, and what to say about the answer."""
    return dspy.Prediction(score=float(prediction.score), feedback=prediction.feedback)


def _labeled_fewshot(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.labeled_fewshot
    return dspy.LabeledFewShot(k=settings.k).compile(student, trainset=_shuffled(shop))


def _bootstrap(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.bootstrap
    optimizer = dspy.BootstrapFewShot(
        metric=score,
        metric_threshold=settings.metric_threshold,
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        max_rounds=settings.max_rounds,
    )
    return optimizer.compile(student, trainset=_shuffled(shop))


def _random_search(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.bootstrap_random_search
    optimizer = dspy.BootstrapFewShotWithRandomSearch(
        metric=score,
        metric_threshold=settings.metric_threshold,
        max_bootstrapped_demos=max(1, settings.max_bootstrapped_demos),
        max_labeled_demos=settings.max_labeled_demos,
        max_rounds=settings.max_rounds,
        num_candidate_programs=settings.num_candidate_programs,
        num_threads=shop.threads,
    )
    return optimizer.compile(student, trainset=_shuffled(shop), valset=shop.dev)


def _knn_fewshot(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.knn_fewshot
    optimizer = dspy.KNNFewShot(
        k=settings.k,
        trainset=shop.train,
        vectorizer=text_vectorizer(),
        max_bootstrapped_demos=0,
        max_labeled_demos=settings.k,
    )
    compiled = optimizer.compile(student)
    # What DSPy makes here is a function and cannot be saved. Its pool can, and each call takes the nearest by dspy.KNN.
    for predictor in compiled.predictors():
        predictor.demos = list(optimizer.KNN.trainset)
    return compiled


def _mipro(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.mipro
    optimizer = dspy.MIPROv2(
        metric=score,
        prompt_model=shop.prompt_model,
        metric_threshold=settings.metric_threshold,
        max_bootstrapped_demos=settings.max_bootstrapped_demos,
        max_labeled_demos=settings.max_labeled_demos,
        auto=settings.auto,
        num_candidates=settings.num_candidates,
        num_threads=shop.threads,
        seed=shop.config.seed,
    )
    small = len(shop.dev) < _MIPRO_MINIBATCH
    return optimizer.compile(
        student, trainset=shop.train, valset=shop.dev, num_trials=settings.num_trials, minibatch=not small
    )


def _gepa(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.gepa
    optimizer = dspy.GEPA(
        metric=score_with_feedback,
        auto=settings.auto,
        max_metric_calls=settings.max_metric_calls,
        reflection_minibatch_size=settings.reflection_minibatch_size,
        reflection_lm=shop.reflection_model,
        use_merge=settings.use_merge,
        num_threads=shop.threads,
        seed=shop.config.seed,
    )
    return optimizer.compile(student, trainset=shop.train, valset=shop.dev)


def _simba(student: dspy.Module, shop: Workshop) -> dspy.Module:
    settings = shop.config.compile.optimizers.simba
    if len(shop.train) < 2:
        raise DataError("labeled.path: simba compares examples, and train has one: label more conversations")
    optimizer = dspy.SIMBA(
        metric=score,
        bsize=min(settings.bsize, len(shop.train)),
        num_candidates=settings.num_candidates,
        max_steps=settings.max_steps,
        max_demos=settings.max_demos,
        prompt_model=shop.prompt_model,
        num_threads=shop.threads,
    )
    return optimizer.compile(student, trainset=shop.train, seed=shop.config.seed)


def _shuffled(shop: Workshop) -> list[dspy.Example]:
    """Train in an order that follows from the seed: these optimizers draw with a fixed one of their own."""
    import random

    examples = list(shop.train)
    random.Random(shop.config.seed).shuffle(examples)  # noqa: S311 - an order, not a secret
    return examples


_MIPRO_MINIBATCH = 50  # dev sets below this are scored whole, as DSPy does under `auto`
_OPTIMIZERS = {
    "labeled_fewshot": _labeled_fewshot,
    "bootstrap": _bootstrap,
    "bootstrap_random_search": _random_search,
    "knn_fewshot": _knn_fewshot,
    "mipro": _mipro,
    "gepa": _gepa,
    "simba": _simba,
}
