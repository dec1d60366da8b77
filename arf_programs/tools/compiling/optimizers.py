"""DSPy's optimizers by name, with the parameters of the configuration. They see train and dev, never test.

Their prints go to a log, since standard output belongs to the result of the command.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dspy
from rich.console import Console

from arf_programs.config import Config, OptimizerName
from signatures.exceptions import DataError, MissingExtra

_FEATURES = 2**14


@dataclass(frozen=True)
class OptimizerInputs:
    """What an optimizer is given. Both models write prompts; the program's own model answers."""

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


def optimize(name: OptimizerName, student: dspy.Module, inputs: OptimizerInputs) -> dspy.Module:
    """Compile `student` with the optimizer. Raises DataError where train is too small for it."""
    return _OPTIMIZERS[name](student, inputs)


@contextlib.contextmanager
def output_to_log(console: Console) -> Iterator[None]:
    """Send prints and progress bars to a log that `-v` shows. `console` still writes to the screen."""
    console.file = console.file  # a console that has no stream of its own would write to the redirected one
    lines = _LogLines()
    with contextlib.redirect_stdout(lines), contextlib.redirect_stderr(lines):
        yield


class _LogLines(io.TextIOBase):
    """A text stream that logs each of its lines."""

    def __init__(self) -> None:
        self._log = logging.getLogger("arf_programs.tools.compiling")
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).replace("\r", "\n").split("\n")
        for line in lines:
            if line.strip():
                self._log.info(line)
        return len(text)


def score(example: dspy.Example, prediction: dspy.Prediction, trace: Any = None) -> float:
    """The metric of DSPy's optimizers: a Task has scored its answer already."""
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


def _labeled_fewshot(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.labeled_fewshot.model_dump()
    return dspy.LabeledFewShot(**settings).compile(student, trainset=_shuffled(given))


def _bootstrap(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.bootstrap.model_dump()
    return dspy.BootstrapFewShot(metric=score, **settings).compile(student, trainset=_shuffled(given))


def _random_search(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.bootstrap_random_search.model_dump()
    settings["max_bootstrapped_demos"] = max(1, settings["max_bootstrapped_demos"])
    optimizer = dspy.BootstrapFewShotWithRandomSearch(metric=score, num_threads=given.threads, **settings)
    return optimizer.compile(student, trainset=_shuffled(given), valset=given.dev)


def _text_vectorizer() -> dspy.Embedder:
    """Return an embedder of hashed words (scikit-learn's HashingVectorizer). It needs no model and no network."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashing = HashingVectorizer(n_features=_FEATURES, alternate_sign=False, stop_words="english")
    return dspy.Embedder(lambda texts: hashing.transform(texts).toarray(), caching=False)


def _knn_fewshot(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.knn_fewshot
    optimizer = dspy.KNNFewShot(
        k=settings.k,
        trainset=given.train,
        vectorizer=_text_vectorizer(),
        max_bootstrapped_demos=0,
        max_labeled_demos=settings.k,
    )
    compiled = optimizer.compile(student)
    # DSPy replaces `forward` by a function, which cannot be saved. All examples are saved instead, and each call is
    # shown the nearest of them, as with `labeled.pick: nearest`.
    for predictor in compiled.predictors():
        predictor.demos = list(optimizer.KNN.trainset)
    return compiled


def _mipro(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.mipro.model_dump()
    trials, small = settings.pop("num_trials"), len(given.dev) < _MIPRO_MINIBATCH
    optimizer = dspy.MIPROv2(
        metric=score,
        prompt_model=given.prompt_model,
        num_threads=given.threads,
        seed=given.config.seed,
        **settings,
    )
    return optimizer.compile(student, trainset=given.train, valset=given.dev, num_trials=trials, minibatch=not small)


def _gepa(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    settings = given.config.compile.optimizers.gepa.model_dump()
    optimizer = dspy.GEPA(
        metric=score_with_feedback,
        reflection_lm=given.reflection_model,
        num_threads=given.threads,
        seed=given.config.seed,
        **settings,
    )
    return optimizer.compile(student, trainset=given.train, valset=given.dev)


def _simba(student: dspy.Module, given: OptimizerInputs) -> dspy.Module:
    if len(given.train) < 2:
        raise DataError("labeled.path: simba compares examples, and train has one: label more conversations")
    settings = given.config.compile.optimizers.simba.model_dump()
    settings["bsize"] = min(settings["bsize"], len(given.train))
    optimizer = dspy.SIMBA(metric=score, prompt_model=given.prompt_model, num_threads=given.threads, **settings)
    return optimizer.compile(student, trainset=given.train, seed=given.config.seed)


def _shuffled(given: OptimizerInputs) -> list[dspy.Example]:
    """Train in an order that depends on the seed: these optimizers draw with a fixed seed of their own."""
    examples = list(given.train)
    random.Random(given.config.seed).shuffle(examples)  # noqa: S311 - an order, not a secret
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
