"""Part b of bench/gpu.py: LoRA training of the large model, ours and TRL's."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from gpu_common import (
    GIB,
    Results,
    Sizes,
    device_of,
    free,
    make_tokenizer,
    measured,
    model_config,
    peak,
    random_model,
    sizes,
    wait,
)

if TYPE_CHECKING:
    from arf_programs.models.local.placement import Placement
    from signatures.records import TrainingExample
    from training.settings import TrainSettings


def examples_of(lengths: Sequence[int], tokenizer: Any) -> list[TrainingExample]:
    """Make training rows of exactly so many tokens each, a fifth of them the summary; a character is a token."""
    from signatures.records import Message, TrainingExample
    from training.loop.lengths import chat_messages, render

    chance = random.Random(0)

    def row(number: int, prompt: int, completion: int) -> TrainingExample:
        text = "".join(chance.choice("abcdefghij klmnop") for _ in range(prompt + completion))
        return TrainingExample(
            conversation_id=f"c{number}",
            messages=(Message(role="user", content="x" + text[:prompt] + "x"),),
            completion="y" + text[prompt:] + "y",
            arm="arf",
        )

    before, after = chat_messages(row(0, 0, 0))
    frame = len(render(tokenizer, before + after, for_answer=False))
    return [row(n, length - frame - length // 5, length // 5) for n, length in enumerate(lengths)]


class Clock:
    """Counts the tokens of each batch and the time of each step, without the first steps, which tune and allocate."""

    SKIP = 2

    def __init__(self, trainer: Any, placement: Placement) -> None:
        from transformers import TrainerCallback

        self.counts: list[int] = []
        self.times: list[float] = []
        gather, clock = trainer.data_collator, self

        def counting(rows: list[dict[str, Any]]) -> Any:
            clock.counts.append(sum(len(row["input_ids"]) for row in rows))
            return gather(rows)

        class Steps(TrainerCallback):
            def on_step_end(self, *_: Any, **__: Any) -> None:
                wait(placement)
                clock.times.append(time.perf_counter())

        self._batches = trainer.args.gradient_accumulation_steps
        trainer.data_collator = counting
        trainer.add_callback(Steps())

    def tokens_s(self) -> float:
        """Useful tokens a second, from the end of the first steps to the end of the last."""
        return self.tokens(self.SKIP) / (self.times[-1] - self.times[self.SKIP - 1])

    def tokens(self, skip: int = 0) -> int:
        """Count the tokens of all steps but the first `skip`."""
        return sum(self.counts[skip * self._batches : len(self.times) * self._batches])


@dataclass(frozen=True)
class Job:
    """Rows of so many tokens each, our settings for them, and the batch of TRL."""

    name: str
    lengths: tuple[int, ...]
    settings: dict[str, Any]
    batch: int


SIDES = ("trl_defaults", "trl_bfloat16")


def part_b(results: Results, tiny: bool) -> None:
    """Train on full rows, and on short ones that ours packs and TRL pads."""
    from training.settings import quiet_libraries

    quiet_libraries()
    size, placement = sizes(tiny), device_of(tiny)
    chance = random.Random(1)
    short = tuple(chance.randint(*size.short) for _ in range(3 * size.rows))
    full = Job(f"4 x {size.row}", (size.row,) * size.rows, {"batch_size": 4, "max_length": size.row}, 4)
    packed = {"batch_size": 1, "max_length": size.pack, "packing": True}
    short_rows = Job(f"packed {size.pack}", short, packed, 8)
    with TemporaryDirectory() as place:
        bench = Bench(results, size, placement, Path(place))
        for job in (full, short_rows):
            bench.ours(job)
            for side in SIDES:
                bench.trl(job, side)
            bench.compare(job)
        again = {**full.settings, "gradient_checkpointing": True}
        bench.ours(replace(full, settings=again), "ours, activations computed again")
        bench.ours(replace(short_rows, settings={**packed, "attention": "sdpa"}), "ours, sdpa")
        if find_spec("liger_kernel") and placement.is_cuda:
            bench.ours(replace(full, settings={**full.settings, "liger": True}), "ours, liger")
            bench.ours(replace(short_rows, settings={**packed, "liger": True}), "ours, liger")


class Bench:
    """Trains random models of one size, ours and TRL's, and notes the figures of each."""

    def __init__(self, results: Results, size: Sizes, placement: Placement, place: Path) -> None:
        self.results, self.size, self.placement, self.place = results, size, placement, place
        self.tokenizer = make_tokenizer(size.shape["vocab_size"])
        self.base = place / "base"  # shape and tokenizer are what the dry run reads: no weights are written
        self.tokenizer.save_pretrained(self.base)
        model_config(size.shape).save_pretrained(self.base)

    def settings(self, job: Job) -> TrainSettings:
        from training.settings import TrainSettings

        lora = {"r": self.size.rank, "alpha": 2 * self.size.rank}
        chosen = {"liger": False, **job.settings}
        return TrainSettings(base=str(self.base), epochs=1, save_steps=10**6, warmup_ratio=0, lora=lora, **chosen)

    def ours(self, job: Job, side: str = "ours") -> None:
        """Train as `training.sft` does, on a model that is already in memory."""
        with measured(self.results, f"{job.name}, {side}") as figures:
            from training.sizing.dry_run import decide_checkpointing, dry_run

            examples = examples_of(job.lengths, self.tokenizer)
            settings = decide_checkpointing(self.settings(job), [examples])
            foreseen = dry_run(settings, [examples])
            figures["activations computed again"] = foreseen.checkpointing
            free(self.placement)
            self.train(figures, self.our_trainer(settings, examples))
            estimate = (foreseen.memory or {}).get("total", 0)
            figures["estimated GiB"] = round(estimate / GIB, 2)
            figures["peak divided by estimate"] = round(peak(self.placement) / estimate, 3)
            figures["estimate by use, GiB"] = {use: round(n / GIB, 2) for use, n in (foreseen.memory or {}).items()}
            figures["estimated seconds"], figures["problems"] = foreseen.seconds, list(foreseen.problems)
            free(self.placement)
            rate = matrix_rate(self.placement)
            figures["TFLOP/s of a matrix product"] = round(rate / 1e12, 3)
            figures["utilisation"] = round(figures["TFLOP/s"] * 1e12 / rate, 3)

    def our_trainer(self, settings: TrainSettings, examples: list[TrainingExample]) -> Any:
        from training.loop.assemble import assemble
        from training.loop.hardware import attention_of, find_hardware
        from training.loop.records import Tally

        hardware = find_hardware()
        model = random_model(self.size.shape, self.placement)
        if attention := attention_of(settings, hardware):
            model.set_attn_implementation(attention)
        return assemble(
            settings,
            examples,
            model,
            self.tokenizer,
            hardware=hardware,
            folder=self.place / "ours",
            tally=Tally(),
            callbacks=[],
        )

    def trl(self, job: Job, side: str) -> None:
        """Train by TRL's SFTTrainer as `trl sft` builds it: its defaults, padded batches, and the same adapter.

        `trl_defaults` holds the base in float32, as the script does. `trl_bfloat16` holds it in bfloat16.
        """
        free(self.placement)
        with measured(self.results, f"{job.name}, {side}") as figures:
            self.train(figures, self.trl_trainer(job, side))

    def trl_trainer(self, job: Job, side: str) -> Any:
        import torch
        from datasets import Dataset
        from peft import LoraConfig
        from trl.trainer.sft_config import SFTConfig
        from trl.trainer.sft_trainer import SFTTrainer

        from training.loop.lengths import chat_messages

        pairs = [chat_messages(example) for example in examples_of(job.lengths, self.tokenizer)]
        model, rank = random_model(self.size.shape, self.placement), self.size.rank
        return SFTTrainer(
            model=model.to(torch.float32) if side == "trl_defaults" else model,
            args=SFTConfig(
                output_dir=str(self.place / "trl"),
                per_device_train_batch_size=job.batch,
                num_train_epochs=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                logging_steps=1,
                **({"use_cpu": True} if self.placement.is_cpu else {}),
            ),
            train_dataset=Dataset.from_list([{"prompt": prompt, "completion": done} for prompt, done in pairs]),
            processing_class=self.tokenizer,
            peft_config=LoraConfig(
                task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear"
            ),
        )

    def train(self, figures: dict[str, Any], trainer: Any) -> None:
        """Train, and note speed, peak memory and losses."""
        clock = Clock(trainer, self.placement)
        trainer.train()
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        steps, speed = len(clock.times), clock.tokens_s()
        figures |= {"tokens_s": round(speed, 1), "steps": steps, "tokens": clock.tokens()}
        figures |= {"peak GiB": round(peak(self.placement) / GIB, 2), "losses": [losses[0], losses[-1]]}
        figures["TFLOP/s"] = round(4 * linear_weights(self.size) * speed / 1e12, 6)

    def compare(self, job: Job) -> None:
        """Divide our speed by TRL's."""
        with measured(self.results, f"{job.name}, ours divided by TRL") as figures:
            own = self.results[f"{job.name}, ours"]["tokens_s"]
            for side in SIDES:
                other = self.results[f"{job.name}, {side}"].get("tokens_s")
                figures[side] = round(own / other, 2) if other else None


def linear_weights(size: Sizes) -> int:
    """Count the weights of the layers and of the head, which every token passes."""
    shape = size.shape
    hidden, head = shape["hidden_size"], shape["head_dim"]
    attention = 2 * hidden * head * (shape["num_attention_heads"] + shape["num_key_value_heads"])
    layer = attention + 3 * hidden * shape["intermediate_size"]
    return int(layer * shape["num_hidden_layers"])


_rates: dict[str, float] = {}


def matrix_rate(placement: Placement) -> float:
    """Measure the FLOPs a second of a large matrix product of random numbers."""
    import torch

    if placement.device not in _rates:
        size = 8192 if placement.is_cuda else 512
        a, b = (torch.randn(size, size, device=placement.device, dtype=placement.torch_dtype) for _ in range(2))
        for repeats in (3, 20):
            wait(placement)
            started = time.perf_counter()
            for _ in range(repeats):
                a @ b
            wait(placement)
        _rates[placement.device] = repeats * 2.0 * size**3 / (time.perf_counter() - started)
    return _rates[placement.device]
