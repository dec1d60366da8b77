"""Where an embedded model is held, and in which precision: on the GPU in bfloat16, or on the CPU in float32."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from signatures.exceptions import ConfigError

if TYPE_CHECKING:
    import torch

AUTO: Final = "auto"


@dataclass(frozen=True)
class Placement:
    """A device by its name in torch (`cpu`, `cuda:0`, `mps`) and a dtype by its name in torch (`bfloat16`)."""

    device: str = "cpu"
    dtype: str = "float32"

    @property
    def is_cpu(self) -> bool:
        """Whether it is the processor."""
        return self.device == "cpu"

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU that CUDA (or ROCm) drives."""
        return self.device.startswith("cuda")

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as torch has it."""
        import torch

        dtype: torch.dtype = getattr(torch, self.dtype)
        return dtype


CPU: Final = Placement()
"""The processor, in float32."""


@cache
def find_placement(device: str = AUTO, dtype: str = AUTO) -> Placement:
    """Return where a model with these settings is held on this machine. Importing torch takes seconds.

    `auto` is the first CUDA GPU, or the CPU where there is none. A dtype of `auto` is bfloat16 on a GPU that computes
    in it, float16 on any other GPU, and float32 on the CPU. Raises ConfigError for a device that this machine lacks.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == AUTO:
        device = "cuda" if gpus else "cpu"
    if device == "cuda":
        device = "cuda:0"
    if device.startswith("cuda") and int(device.partition(":")[2]) >= gpus:
        raise ConfigError(f"device: {device} is not there: torch sees {gpus} CUDA GPUs: use auto or cpu.")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device: mps is not there: torch has no Metal on this machine: use auto or cpu.")
    return Placement(device, _default_dtype(device) if dtype == AUTO else dtype)


def _default_dtype(device: str) -> str:
    import torch

    if device == "cpu":
        return "float32"
    return "bfloat16" if device != "mps" and torch.cuda.is_bf16_supported() else "float16"


def describe_placement(placement: Placement) -> str:
    """Say in words where a model is held: `cuda:0 (NVIDIA H100 80GB HBM3), bfloat16`."""
    import torch

    name = f" ({torch.cuda.get_device_name(placement.device)})" if placement.is_cuda else ""
    return f"{placement.device}{name}, {placement.dtype}"
