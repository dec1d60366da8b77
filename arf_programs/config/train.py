"""The section `train`: on which data students are trained, and how, by TRL's and PEFT's methods."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

from pydantic import Field, ValidationInfo, field_validator, model_validator

from arf_programs.config.models import Section
from arf_programs.config.paths import PathText

TermsName = Literal["openai", "anthropic", "google", "xai"]
Arm = Literal["arf", "teacher", "rewrite", "taxonomy"]
ARMS: tuple[Arm, ...] = get_args(Arm)
PreferenceMethod = Literal["none", "sigmoid", "apo_zero"]
# Papers and reports name a student by the loss of its training.
PREFERENCE_STUDENTS: dict[PreferenceMethod, str] = {"sigmoid": "arf_dpo", "apo_zero": "arf_apo"}
STUDENTS: tuple[str, ...] = (*ARMS, *PREFERENCE_STUDENTS.values())


ErrorKinds = Literal["teacher", "uniform", "commonest"]


def _at_default(section: Section, keys: Iterable[str]) -> set[str]:
    """Name those of the keys that have their default."""
    return {key for key in keys if getattr(section, key) == type(section).model_fields[key].default}


class PreferenceConfig(Section):
    """Training on pairs of a verified revision (chosen) and its draft (rejected), by TRL's DPOTrainer.

    `sigmoid` is DPO (Rafailov et al. 2023, arXiv 2305.18290). `apo_zero` is APO-zero (D'Oosterlinck et al. 2024, arXiv
    2408.06266), for pairs whose chosen side is better than the model's own answers. `beta` is TRL's default. The
    learning rate is ten times TRL's 1e-6: an adapter needs about ten times the rate of full fine-tuning (Schulman et
    al. 2025, "LoRA Without Regret").
    """

    method: PreferenceMethod = "none"
    after: Literal["sft", "base"] = Field(default="sft", description="start from the student of arm arf, or the base")
    beta: float = Field(default=0.1, gt=0, description="how strongly the student is kept near its start")
    learning_rate: float = Field(default=1e-5, gt=0)
    epochs: float = Field(default=1, gt=0)
    rejected: Literal["draft", "planted", "both"] = Field(
        default="draft", description="the rejected side: the draft, or the revision with one error planted"
    )
    kinds: ErrorKinds = Field(
        default="teacher", description="kinds of planted errors: as often as the teacher's, evenly, or its commonest"
    )
    edit_weight: float | None = Field(
        default=None, gt=0, description="weight of changed tokens in weighted means of log-probabilities; null: sums"
    )

    def without_new_defaults(self) -> set[str]:
        """Name the keys that older runs did not have, where they say nothing: no fingerprint has these."""
        return _at_default(self, ("rejected", "kinds", "edit_weight"))


class ArmsConfig(Section):
    """The keys of `train` that choose the training data. `TrainConfig` adds the method."""

    arms: tuple[Arm, ...] = ("arf", "teacher")
    preference: PreferenceConfig = PreferenceConfig()
    edit_weight: float = Field(default=1.0, gt=0, description="weight in the loss of tokens that an edit changed")
    acknowledge_terms: tuple[TermsName, ...] = Field(
        default=(), description="providers whose terms on training with output you have read and follow"
    )

    @field_validator("arms")
    @classmethod
    def _arms_once(cls, value: tuple[Arm, ...]) -> tuple[Arm, ...]:
        if not value or len(set(value)) != len(value):
            raise ValueError("name each arm once, and at least one of: " + ", ".join(ARMS))
        return value

    @field_validator("preference")
    @classmethod
    def _preference_has_its_start(cls, value: PreferenceConfig, info: ValidationInfo) -> PreferenceConfig:
        if value.method != "none" and value.after == "sft" and "arf" not in info.data.get("arms", ("arf",)):
            raise ValueError(
                "after: sft goes on from the student of arm arf: add arf to train.arms, or use after: base"
            )
        return value

    def students(self) -> tuple[str, ...]:
        """Name the students that a run trains: one for each arm, then that of the preference stage."""
        extra = PREFERENCE_STUDENTS.get(self.preference.method)
        return (*self.arms, extra) if extra else self.arms


Method = Literal["lora", "qlora", "full"]
Precision = Literal["auto", "bf16", "fp32"]
Attention = Literal["auto", "sdpa", "flash"]
Scheduler = Literal[
    "linear",
    "cosine",
    "cosine_with_restarts",
    "cosine_with_min_lr",
    "polynomial",
    "inverse_sqrt",
    "constant",
    "constant_with_warmup",
    "warmup_stable_decay",
]


_NEW_KEYS = ("attention", "liger", "schedule")


class ScheduleConfig(Section):
    """Which rows an epoch shows. Every kind takes as many steps as `uniform`.

    `upsample` shows rows that were learnt late twice (Nguyen et al. 2024, USEFUL, arXiv 2404.17768; "Data Distribution
    as a Lever", arXiv 2602.00576). `lfr` is Learn-Focus-Review (Prakriya et al. 2024, arXiv 2409.06131).
    """

    kind: Literal["uniform", "upsample", "lfr"] = "uniform"
    rows: Literal["late", "random"] = Field(
        default="late", description="of upsample: double the late rows, or as many random ones, to compare"
    )
    focus: float = Field(default=0.5, gt=0, lt=1, description="of lfr: share of the rows, the hardest, to focus on")
    difficulty: bool = Field(default=False, description="measure each row's loss after each epoch with uniform too")

    @property
    def measures(self) -> bool:
        """Whether the loss of each row is measured after each epoch."""
        return self.difficulty or self.kind != "uniform"


class LoraConfig(Section):
    """Settings of LoRA, as in PEFT (Hu et al. 2021, arXiv 2106.09685)."""

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    last_layers: int | None = Field(default=None, ge=1, description="adapt only the last N layers; null: all")
    rslora: bool = Field(default=False, description="scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv 2312.03732)")
    dora: bool = Field(default=False, description="learn magnitudes separately (Liu et al. 2024, arXiv 2402.09353)")


class TrainConfig(ArmsConfig):
    """Supervised fine-tuning of the student, the same for every arm."""

    base: PathText = Field(default="smollm2-135m", description="smollm2-135m, a local folder, or a Hugging Face id")
    method: Method = Field(default="lora", description="train an adapter, an adapter on a 4-bit base, or every weight")
    epochs: float = Field(default=2, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    scheduler: Scheduler = Field(default="linear", description="transformers' schedule of the rate after its rise")
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    batch_size: int = Field(default=4, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    gradient_checkpointing: bool | None = Field(default=None, description="null: on a GPU where activations do not fit")
    precision: Precision = Field(default="auto", description="auto: bf16 on a GPU that supports it, else fp32")
    attention: Attention = Field(
        default="auto",
        description="sdpa: PyTorch's; flash: FlashAttention 2; auto: that where it is installed, on a GPU",
    )
    liger: bool | None = Field(
        default=None,
        description="Liger's Triton kernels for norms, rotations and activations; null: where they are installed",
    )
    packing: bool = Field(default=False, description="put several rows, kept separate, into one of max_length")
    neftune_alpha: float | None = Field(
        default=None, gt=0, description="noise on the embeddings (Jain et al. 2023, arXiv 2310.05914); null: none"
    )
    max_length: int = Field(default=8192, ge=64, description="tokens of prompt and completion")
    on_overflow: Literal["fail", "drop"] = "fail"
    schedule: ScheduleConfig = ScheduleConfig()
    lora: LoraConfig = LoraConfig()

    def without_new_defaults(self) -> set[str]:
        """Name the keys that older runs did not have, where they say nothing: no fingerprint has these."""
        return _at_default(self, _NEW_KEYS)

    @model_validator(mode="after")
    def _adapter_keys_need_an_adapter(self) -> TrainConfig:
        if self.method == "full" and self.lora.last_layers is not None:
            raise ValueError("method full trains every weight: leave lora.last_layers at null, or use method lora")
        return self

    @model_validator(mode="after")
    def _packed_rows_have_no_edit_weights(self) -> TrainConfig:
        if self.packing and self.edit_weight != 1:
            raise ValueError("edit_weight does not go with packing: set edit_weight to 1, or packing to false")
        return self

    @model_validator(mode="after")
    def _packed_rows_have_no_schedule(self) -> TrainConfig:
        if self.packing and self.schedule.measures:
            raise ValueError("schedule does not go with packing: leave schedule out, or set packing to false")
        return self
