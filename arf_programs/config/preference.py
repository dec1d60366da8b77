"""What the `train` section says of what is trained on: arms, preference pairs, edit weights, acknowledged terms."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from arf_programs.config.names import TermsName
from arf_programs.config.section import Section

Arm = Literal["arf", "teacher", "rewrite", "taxonomy"]
ARMS: tuple[Arm, ...] = ("arf", "teacher", "rewrite", "taxonomy")
DEFAULT_ARMS: tuple[Arm, ...] = ("arf", "teacher")
PreferenceMethod = Literal["none", "sigmoid", "apo_zero"]
# How papers and reports call a student by the loss that it was trained with.
PREFERENCE_STUDENTS: dict[PreferenceMethod, str] = {"sigmoid": "arf_dpo", "apo_zero": "arf_apo"}
STUDENTS: tuple[str, ...] = (*ARMS, *PREFERENCE_STUDENTS.values())


class PreferenceConfig(Section):
    """Training on pairs of a verified revision (chosen) and its draft (rejected), by TRL's DPOTrainer.

    `sigmoid` is DPO (Rafailov et al. 2023, arXiv 2305.18290), `apo_zero` APO-zero (D'Oosterlinck et al. 2024, arXiv
    2408.06266), made for pairs whose chosen side is better than what the model writes itself. `beta` is TRL's default;
    the learning rate is ten times TRL's 1e-6, as an adapter wants about ten times the rate of full fine-tuning
    (Schulman et al. 2025, "LoRA Without Regret").
    """

    method: PreferenceMethod = "none"
    after: Literal["sft", "base"] = Field(default="sft", description="start from the arm's student, or from the base")
    beta: float = Field(default=0.1, gt=0, description="how strongly the student is held to where it started")
    learning_rate: float = Field(default=1e-5, gt=0)
    epochs: float = Field(default=1, gt=0)


class ArmsConfig(Section):
    """The part of the `train` section that says what is trained on; `TrainConfig` adds how."""

    arms: tuple[Arm, ...] = DEFAULT_ARMS
    preference: PreferenceConfig = PreferenceConfig()
    edit_weight: float = Field(default=1.0, gt=0, description="weight in the loss of the tokens that an edit changed")
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
        """The students that a run trains: one for each arm, then that of the preference stage."""
        extra = PREFERENCE_STUDENTS.get(self.preference.method)
        return (*self.arms, extra) if extra else self.arms
