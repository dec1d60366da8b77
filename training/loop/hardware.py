"""Find out what the machine can train with, before anything is loaded."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from signatures.exceptions import ConfigError, MissingExtra

if TYPE_CHECKING:
    import torch

    from training.settings import TrainSettings


@dataclass(frozen=True)
class Hardware:
    """A device: `kind` is `cuda` or `cpu`, `memory` its bytes and `free` those that nobody uses now, 0 where unknown.

    `visible` counts the devices that this process could use; `launched` says whether it is one of several processes.
    """

    kind: str
    name: str
    memory: int
    bf16: bool
    visible: int = 1
    launched: bool = False
    free: int = 0

    @property
    def is_gpu(self) -> bool:
        """Whether it is a CUDA device (ROCm's count as such in torch)."""
        return self.kind == "cuda"


def find_hardware() -> Hardware:
    """Find the first CUDA device, or else the CPU. Other accelerators are not tested, so they are not used."""
    import psutil
    import torch

    launched = torch.distributed.is_torchelastic_launched()
    if torch.cuda.is_available():
        device, visible = torch.cuda.get_device_properties(0), torch.cuda.device_count()
        bf16, (free, _) = torch.cuda.is_bf16_supported(), torch.cuda.mem_get_info()
        return Hardware("cuda", device.name, device.total_memory, bf16, visible, launched, free)
    memory = psutil.virtual_memory()
    name = f"CPU, {torch.get_num_threads()} threads"
    return Hardware("cpu", name, memory.total, bf16=True, launched=launched, free=memory.available)


def check_hardware(settings: TrainSettings, hardware: Hardware) -> None:
    """Check that the machine can do what `settings` ask for.

    Raises ConfigError for a method, a precision, or several devices without a launcher; MissingExtra for a package.
    """
    if hardware.visible > 1 and not hardware.launched:
        raise ConfigError(
            f"This process sees {hardware.visible} GPUs and trains on one: set CUDA_VISIBLE_DEVICES=0, or start "
            "`accelerate launch --multi_gpu -m training.sft` to use them all."
        )
    if settings.precision == "bf16" and not hardware.bf16:
        raise ConfigError(f"train.precision: {hardware.name} has no bfloat16: set it to auto or fp32.")
    _check_kernels(settings, hardware)
    if settings.schedule.measures and hardware.launched:
        raise ConfigError("train.schedule: rows are measured in one process: start it without a launcher.")
    if settings.method != "qlora":
        return
    if not hardware.is_gpu:
        raise ConfigError("train.method: qlora needs a CUDA device and this machine has none: set it to lora.")
    if hardware.launched:
        raise ConfigError("train.method: qlora trains in one process: start it without a launcher, or set it to lora.")
    if not _is_installed("bitsandbytes"):
        raise MissingExtra("train.method qlora needs bitsandbytes: pip install 'arf-programs[qlora]'")


def _check_kernels(settings: TrainSettings, hardware: Hardware) -> None:
    if settings.attention == "flash" and not (hardware.is_gpu and is_bf16(settings, hardware)):
        raise ConfigError(
            f"train.attention: flash needs a CUDA device and bf16; this machine is {hardware.name}: set it to auto."
        )
    if settings.attention == "flash" and not _is_installed("flash_attn"):
        raise MissingExtra("train.attention flash needs FlashAttention 2: pip install flash-attn, or set it to auto")
    if settings.liger and not hardware.is_gpu:
        raise ConfigError("train.liger: its kernels need a CUDA device and this machine has none: set it to false.")
    if settings.liger and not _is_installed("liger_kernel"):
        raise MissingExtra("train.liger needs liger-kernel: pip install 'arf-programs[liger]'")


def attention_of(settings: TrainSettings, hardware: Hardware) -> str | None:
    """Return transformers' name of the attention to use; None: what it takes by itself.

    `auto` takes FlashAttention 2 only where the package is installed: transformers would fetch a kernel from the Hub.
    Packed rows take PyTorch's own FlashAttention instead, where this PyTorch has it.
    """
    if settings.attention == "sdpa":
        return "sdpa"
    possible = hardware.is_gpu and is_bf16(settings, hardware)
    if settings.attention == "flash" or (possible and _is_installed("flash_attn")):
        return "flash_attention_2"
    if possible and settings.packing and _is_installed("torch.nn.attention.varlen"):
        from training.loop.packed_attention import register_packed_attention

        return register_packed_attention()
    return None


def takes_liger(settings: TrainSettings, hardware: Hardware) -> bool:
    """Whether Liger's kernels are used. By itself a GPU takes them where they are installed."""
    return hardware.is_gpu and _is_installed("liger_kernel") if settings.liger is None else settings.liger


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def is_bf16(settings: TrainSettings, hardware: Hardware) -> bool:
    """Whether training computes in bfloat16. `auto` means only on a GPU: on most CPUs it is slower than float32."""
    return settings.precision == "bf16" or (settings.precision == "auto" and hardware.is_gpu and hardware.bf16)


def base_dtype(settings: TrainSettings, hardware: Hardware) -> torch.dtype:
    """The type that holds the base.

    With `full` it is float32 even where training computes in bfloat16. Its 8 bits lose an update smaller than
    1/256 of a weight (Micikevicius et al. 2018, arXiv 1710.03740, on master weights). A frozen base has no updates.
    """
    import torch

    return torch.bfloat16 if is_bf16(settings, hardware) and settings.method != "full" else torch.float32


def is_checkpointed(settings: TrainSettings, hardware: Hardware) -> bool:
    """Whether activations are computed again in the backward pass instead of being kept."""
    return hardware.is_gpu if settings.gradient_checkpointing is None else settings.gradient_checkpointing
