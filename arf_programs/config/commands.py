"""The sections for commands other than `arf run`: `plant`, `compile`, `programs` and `checker`."""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from arf_programs.config.models import Section
from arf_programs.config.paths import PathText

Kind = Literal["number", "amount", "date", "name", "speaker", "negation", "outcome", "unsupported", "action"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class PlantConfig(Section):
    """Which errors are planted, and in which summaries. The result is a labelled set."""

    source: Literal["auto", "references", "labeled", "revisions"] = Field(
        default="auto", description="the summaries that are taken to be right"
    )
    kinds: tuple[Kind, ...] = KINDS
    min_errors: int = Field(default=1, ge=1, le=10, description="fewest errors planted in a summary")
    max_errors: int = Field(default=3, ge=1, le=10, description="most errors planted in a summary")
    clean: float = Field(default=0.25, ge=0, lt=1, description="share of the items left without an error")
    per_kind: int = Field(default=20, ge=1, description="errors wanted of each kind, origin and category")
    per_summary: int = Field(default=4, ge=1, description="most items made of one summary")
    naturalize: bool = Field(default=False, description="let the editor word planted errors more naturally")

    @field_validator("kinds")
    @classmethod
    def _kinds_once(cls, value: tuple[Kind, ...]) -> tuple[Kind, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name each kind once, and at least one of: " + ", ".join(KINDS))
        return value

    @model_validator(mode="after")
    def _fewest_before_most(self) -> Self:
        if self.min_errors > self.max_errors:
            raise ValueError(f"min_errors ({self.min_errors}) is above max_errors ({self.max_errors}): lower it")
        return self


OptimizerName = Literal[
    "labeled_fewshot", "bootstrap", "bootstrap_random_search", "knn_fewshot", "mipro", "gepa", "simba"
]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
TargetName = Literal["analyze", "revise", "judge", "summarize"]
Effort = Literal["light", "medium", "heavy"]


class LabeledFewShotConfig(Section):
    """`dspy.LabeledFewShot` draws labelled examples at random and shows them as demonstrations."""

    k: int = Field(default=4, ge=1, le=16, description="demonstrations")


class BootstrapConfig(Section):
    """`dspy.BootstrapFewShot` shows the model's own answers that scored well as demonstrations."""

    max_bootstrapped_demos: int = Field(default=2, ge=0, le=16, description="the model's own answers shown at most")
    max_labeled_demos: int = Field(default=2, ge=0, le=16, description="demonstrations in all, at most")
    max_rounds: int = Field(default=1, ge=1, le=10, description="samples of an answer until one scores well enough")
    metric_threshold: float = Field(default=0.7, gt=0, le=1, description="score from which an answer may be shown")

    @model_validator(mode="after")
    def _shows_something(self) -> Self:
        if self.max_bootstrapped_demos + self.max_labeled_demos == 0:
            raise ValueError("max_bootstrapped_demos and max_labeled_demos are both 0: nothing would be shown")
        return self


class RandomSearchConfig(BootstrapConfig):
    """`dspy.BootstrapFewShotWithRandomSearch` tries several sets of demonstrations and keeps the best on dev."""

    num_candidate_programs: int = Field(default=6, ge=1, le=64, description="sets of demonstrations that are tried")


class KnnFewShotConfig(Section):
    """`dspy.KNNFewShot` shows each call the labelled examples that are most like it."""

    k: int = Field(default=3, ge=1, le=16, description="nearest examples shown")


class MiproConfig(Section):
    """`dspy.MIPROv2` searches for instructions, which the prompt model proposes, together with demonstrations."""

    auto: Effort | None = Field(default="light", description="size of the search; null: num_candidates and num_trials")
    num_candidates: int | None = Field(default=None, ge=2, le=64, description="instructions and sets of demonstrations")
    num_trials: int | None = Field(default=None, ge=1, le=500, description="combinations that are tried")
    max_bootstrapped_demos: int = Field(default=2, ge=0, le=16, description="the model's own answers shown at most")
    max_labeled_demos: int = Field(default=2, ge=0, le=16, description="labelled examples shown at most")
    metric_threshold: float = Field(default=0.7, gt=0, le=1, description="score from which an answer may be shown")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        given = [self.num_candidates is not None, self.num_trials is not None]
        if any(given) if self.auto else not all(given):
            raise ValueError("give either auto, or auto: null with num_candidates and num_trials")
        return self


class GepaConfig(Section):
    """`dspy.GEPA` lets the reflection model read what went wrong and rewrite the instructions."""

    auto: Effort | None = Field(default="light", description="size of the search; null: max_metric_calls")
    max_metric_calls: int | None = Field(default=None, ge=1, description="summaries scored in all")
    reflection_minibatch_size: int = Field(default=3, ge=1, le=32, description="examples read for one rewriting")
    use_merge: bool = Field(default=True, description="also combine the best programs")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.auto is None) == (self.max_metric_calls is None):
            raise ValueError("give either auto, or auto: null with max_metric_calls")
        return self


class SimbaConfig(Section):
    """`dspy.SIMBA` makes rules and demonstrations from the examples on which the model's samples differ most."""

    bsize: int = Field(default=8, ge=2, le=64, description="examples in a mini-batch, at most all of train")
    num_candidates: int = Field(default=4, ge=2, le=16, description="programs tried in a step")
    max_steps: int = Field(default=4, ge=1, le=64, description="steps")
    max_demos: int = Field(default=2, ge=0, le=16, description="demonstrations shown at most; 0: rules only")


class OptimizersConfig(Section):
    """The parameters of each optimizer, named as in DSPy."""

    labeled_fewshot: LabeledFewShotConfig = LabeledFewShotConfig()
    bootstrap: BootstrapConfig = BootstrapConfig()
    bootstrap_random_search: RandomSearchConfig = RandomSearchConfig()
    knn_fewshot: KnnFewShotConfig = KnnFewShotConfig()
    mipro: MiproConfig = MiproConfig()
    gepa: GepaConfig = GepaConfig()
    simba: SimbaConfig = SimbaConfig()


class CompileConfig(Section):
    """How `arf compile` splits the labelled set, with which parameters it optimizes, and where it writes."""

    dir: PathText = Field(
        default="compiled", min_length=1, description="folder of the compiled programs, beside arf.yaml"
    )
    split: tuple[float, ...] = Field(default=(0.5, 0.25, 0.25), description="shares of train, dev and test")
    optimizers: OptimizersConfig = OptimizersConfig()

    @field_validator("split")
    @classmethod
    def _three_shares(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if len(value) != 3 or min(value) <= 0 or abs(sum(value) - 1) > 1e-6:
            raise ValueError("give three shares above 0 that add up to 1: train, dev and test")
        return value


class ProgramsConfig(Section):
    """The compiled programs that a run uses. Each is a folder that `arf compile` wrote, or null for none."""

    analyze: PathText | None = Field(default=None, description="folder of a compiled analyser")
    revise: PathText | None = Field(default=None, description="folder of a compiled editor")
    judge: PathText | None = Field(default=None, description="folder of a compiled judge")
    summarize: PathText | None = Field(default=None, description="folder of a compiled teacher")


class SmallTrainConfig(Section):
    """How a small model that reads texts is trained. The defaults suit two cores."""

    base: PathText = Field(default="auto", min_length=1, description="model to train: a folder or hub id; auto: MiniLM")
    epochs: int = Field(default=2, ge=1, le=50, description="times that each example is seen")
    minutes: float = Field(default=12.0, gt=0, description="minutes after which training ends in any case")
    batch_size: int = Field(default=16, ge=1, le=1024, description="examples in a step")
    learning_rate: float = Field(default=1e-4, gt=0, le=1, description="highest learning rate")
    max_tokens: int = Field(default=96, ge=32, le=8192, description="longest input")
    frozen: float = Field(default=0.67, ge=0, lt=1, description="share of the layers, from the lowest, that stay as is")
    test: float = Field(default=0.2, gt=0, lt=1, description="share of the conversations on which it is measured")


class CheckerTrainConfig(SmallTrainConfig):
    """How `arf checker train` trains a checker, and on how much `arf checker probe` measures one."""

    dir: PathText = Field(default="checker", min_length=1, description="folder of the trained checker, beside arf.yaml")
    pairs: int = Field(default=4000, ge=40, le=100_000, description="sentences to train on, at most")
    probe_sentences: int = Field(default=600, ge=20, le=100_000, description="planted sentences that a probe scores")


class EmbedTrainConfig(SmallTrainConfig):
    """How `arf embed train` tunes an embedding."""

    dir: PathText = Field(
        default="embedding", min_length=1, description="folder of the tuned embedding, beside arf.yaml"
    )
    batch_size: int = Field(default=16, ge=2, le=1024, description="summaries in a step")
    learning_rate: float = Field(default=2e-5, gt=0, le=1, description="highest learning rate")
    max_tokens: int = Field(default=256, ge=32, le=8192, description="longest input")
    frozen: float = Field(default=0.5, ge=0, lt=1, description="share of the layers, from the lowest, that stay as is")
