"""The `train` section of arf.yaml: what is trained, how, and by which of TRL's and PEFT's methods."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from arf_programs.config.preference import ArmsConfig
from arf_programs.config.section import Section

Method = Literal["lora", "qlora", "full"]
Precision = Literal["auto", "bf16", "fp32"]
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


class LoraConfig(Section):
    """LoRA as PEFT understands it (Hu et al. 2021, arXiv 2106.09685)."""

    r: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    last_layers: int | None = Field(default=None, ge=1, description="adapt only the last N layers; null: all")
    rslora: bool = Field(default=False, description="scale by alpha / sqrt(r) (Kalajdzievski 2023, arXiv 2312.03732)")
    dora: bool = Field(default=False, description="learn magnitudes apart (Liu et al. 2024, arXiv 2402.09353)")


class TrainConfig(ArmsConfig):
    """Supervised fine-tuning of the student, the same for every arm."""

    base: str = Field(default="smollm2-135m", description="smollm2-135m, a local folder, or a Hugging Face id")
    method: Method = Field(default="lora", description="an adapter, one on a 4-bit base, or every weight")
    epochs: float = Field(default=2, gt=0)
    learning_rate: float = Field(default=2e-4, gt=0)
    scheduler: Scheduler = Field(default="linear", description="how the rate goes on after its rise, by transformers")
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1, description="share of the steps in which the rate rises")
    batch_size: int = Field(default=4, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    gradient_checkpointing: bool | None = Field(default=None, description="null: on a GPU only")
    precision: Precision = Field(default="auto", description="auto: bf16 on a GPU that has it, else fp32")
    packing: bool = Field(default=False, description="several rows in one of max_length, apart from each other")
    neftune_alpha: float | None = Field(
        default=None, gt=0, description="noise on the embeddings (Jain et al. 2023, arXiv 2310.05914); null: none"
    )
    max_length: int = Field(default=8192, ge=64, description="tokens of prompt and completion")
    on_overflow: Literal["fail", "drop"] = "fail"
    lora: LoraConfig = LoraConfig()

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
