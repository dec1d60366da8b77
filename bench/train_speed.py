"""How fast training is, against TRL's own script with its defaults, on the rows of the quickstart.

Both train the same LoRA on the same layers, from the same rows in the same batches of 8 at the same rate, one after the
other, each in a process of its own. `trl_defaults` is `trl sft` as it is (on a CPU: bfloat16 autocast, gradient
checkpointing, padded batches); `trl_float32` the same without the first two, which is what somebody who knows them
would set on a CPU. Useful tokens are those of prompt and completion, without padding. The loss is that of rows nobody
trained on, in float32.

    python bench/train_speed.py --limit 6
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from arf_programs.config.load import load_config
from arf_programs.corpus.read import read_corpus
from arf_programs.runs.jsonl import read_jsonl, write_jsonl_atomic
from arf_programs.text.student_prompt import build_messages
from signatures.records import TrainingExample

CONFIG = Path(__file__).parent.parent / "examples" / "quickstart" / "arf.yaml"
SIDES = ("ours", "trl_defaults", "trl_float32")
BATCH = 8  # rows a step: the default of transformers
HELD_EVERY = 5  # each fifth row is held out
MIB = 2**20


def main() -> None:
    arguments = parse()
    if arguments.side:
        print(json.dumps(train(arguments)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.jsonl"
        write_jsonl_atomic(rows, quickstart_rows(arguments.limit))
        turns = [side for turn in range(arguments.repeats) for side in (SIDES if turn % 2 == 0 else SIDES[::-1])]
        results = [run_side(side, rows, arguments) for side in turns]
    report(results, arguments)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--limit", type=int, help="use the first N conversations only")
    add("--repeats", type=int, default=1, help="train each side so many times, in alternating order")
    add("--epochs", type=float, default=3.0, help="epochs of each side")
    add("--last-layers", type=int, default=8, help="adapt the last N layers, the quickstart's; 0: all")
    add("--learning-rate", type=float, default=1e-3, help="the quickstart's")
    add("--base", default="smollm2-135m")
    add("--side", choices=SIDES, help=argparse.SUPPRESS)
    add("--rows", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def quickstart_rows(limit: int | None) -> list[TrainingExample]:
    """The quickstart's conversations with their references as completions, so that no run is needed."""
    config = load_config(CONFIG)
    corpus = read_corpus(config.corpus.model_copy(update={"limit": limit}), base_dir=CONFIG.parent)
    return [
        TrainingExample(
            conversation_id=item.id,
            messages=build_messages(config.summarize.instruction, item),
            completion=item.references[0],
            arm="arf",
        )
        for item in corpus.conversations
        if item.references
    ]


def run_side(side: str, rows: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    given = ("epochs", "last_layers", "learning_rate", "base")
    flags = [text for name in given for text in (f"--{name.replace('_', '-')}", str(getattr(arguments, name)))]
    command = [sys.executable, __file__, "--side", side, "--rows", str(rows), *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{side}: {result['speed']:.1f} useful tokens a second, held loss {result['loss']:.4f}\n")
    return result


def train(arguments: argparse.Namespace) -> dict[str, Any]:
    """Train one side in this process: speed of the training alone, peak memory up to its end, loss afterwards."""
    examples = list(read_jsonl(arguments.rows, TrainingExample))
    held = examples[HELD_EVERY - 1 :: HELD_EVERY]
    rows = [row for row in examples if row not in held]
    from training.settings import quiet_libraries

    quiet_libraries()
    with tempfile.TemporaryDirectory() as folder:
        make = our_trainer if arguments.side == "ours" else trl_trainer
        trainer = make(rows, Path(folder), arguments)
        started, worked = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - worked
        # Linux counts in KiB, macOS in bytes.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        tokens = round(arguments.epochs * sum(len(row["input_ids"]) for row in trainer.train_dataset))
        return {
            "side": arguments.side,
            "rows": len(rows),
            "tokens": tokens,
            "steps": trainer.state.global_step,
            "trainable": trainer.get_num_trainable_parameters(),
            "seconds": round(seconds, 2),
            "speed": round(tokens / seconds, 2),
            "cpu_speed": round(tokens / cpu_seconds, 2),
            "peak": peak,
            "loss": round(held_loss(trainer, held), 5),
        }


def settings_of(arguments: argparse.Namespace) -> Any:
    from training.settings import TrainSettings

    lora = {"dropout": 0, "last_layers": arguments.last_layers or None}
    return TrainSettings(
        base=arguments.base,
        epochs=arguments.epochs,
        batch_size=BATCH,
        learning_rate=arguments.learning_rate,
        warmup_ratio=0,  # as in TRL
        save_steps=10**6,  # neither side writes checkpoints
        seed=42,  # as in TRL
        lora=lora,
    )


def our_trainer(rows: list[TrainingExample], folder: Path, arguments: argparse.Namespace) -> Any:
    from training.loop.assemble import assemble
    from training.loop.base_model import load_base
    from training.loop.hardware import base_dtype, find_hardware
    from training.loop.records import Tally

    settings, hardware = settings_of(arguments), find_hardware()
    model, tokenizer = load_base(settings.base, base_dtype(settings, hardware))
    return assemble(settings, rows, model, tokenizer, hardware=hardware, folder=folder, tally=Tally(), callbacks=[])


def trl_trainer(rows: list[TrainingExample], folder: Path, arguments: argparse.Namespace) -> Any:
    """As `trl/scripts/sft.py` builds it. Only what the machine or the comparison needs is not at its default."""
    from datasets import Dataset
    from transformers import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from arf_programs.models.local.weights import resolve_weights
    from training.loop.lengths import chat_messages

    pairs = [chat_messages(row) for row in rows]
    own = {} if arguments.side == "trl_defaults" else {"bf16": False, "gradient_checkpointing": False}
    trainer = SFTTrainer(
        model=str(resolve_weights(arguments.base)),
        args=SFTConfig(
            output_dir=str(folder),
            model_init_kwargs={"dtype": "float32"},  # the default of `trl sft`
            use_cpu=True,  # without it `trl sft` refuses to start here, since its default is bfloat16 on a GPU
            learning_rate=arguments.learning_rate,
            num_train_epochs=arguments.epochs,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            **own,
        ),
        train_dataset=Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in pairs]),
        peft_config=same_adapter(arguments),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def same_adapter(arguments: argparse.Namespace) -> Any:
    from training.loop.adapter import lora_config
    from training.loop.base_model import saved_architecture, without_weights

    return lora_config(without_weights(saved_architecture(arguments.base)), settings_of(arguments))


def held_loss(trainer: Any, held: list[TrainingExample]) -> float:
    """Mean negative log-likelihood of a completion token, row by row in float32 by the model's own forward."""
    import torch

    from training.loop.lengths import chat_messages, render

    model, total, count = trainer.model.eval(), 0.0, 0
    for row in held:
        prompt, completion = chat_messages(row)
        start = len(render(trainer.processing_class, prompt, for_answer=True))
        ids = torch.tensor([render(trainer.processing_class, prompt + completion, for_answer=False)])
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits.float()
        total += float(torch.nn.functional.cross_entropy(logits[0, start - 1 : -1], ids[0, start:], reduction="sum"))
        count += ids.shape[1] - start
    return total / count


def report(results: list[dict[str, Any]], arguments: argparse.Namespace) -> None:
    sides = {side: [result for result in results if result["side"] == side] for side in SIDES}
    speed = {side: fmean(result["speed"] for result in found) for side, found in sides.items()}
    cpu_speed = {side: fmean(result["cpu_speed"] for result in found) for side, found in sides.items()}
    loss = {side: fmean(result["loss"] for result in found) for side, found in sides.items()}
    peak = {side: max(result["peak"] for result in found) for side, found in sides.items()}
    print("| side | useful tokens a second | `ours` divided by it | held loss | peak MiB |")
    print("| --- | --- | --- | --- | --- |")
    for side in SIDES:
        share = speed["ours"] / speed[side]
        print(f"| `{side}` | {speed[side]:.0f} | {share:.2f} | {loss[side]:.4f} | {peak[side] / MIB:.0f} |")
    one = results[0]
    last = {
        "ratio": round(speed["ours"] / speed["trl_defaults"], 3),
        "ratio_float32": round(speed["ours"] / speed["trl_float32"], 3),
        # By the time that the cores worked: what other processes on the machine do has less of a say in it.
        "ratio_cpu": round(cpu_speed["ours"] / cpu_speed["trl_defaults"], 3),
        "ratio_cpu_float32": round(cpu_speed["ours"] / cpu_speed["trl_float32"], 3),
        "speed": {side: round(value, 1) for side, value in speed.items()},
        "loss": {side: round(value, 5) for side, value in loss.items()},
        "peak": peak,
        "rows": one["rows"],
        "steps": one["steps"],
        "tokens": one["tokens"],
        "trainable": sorted({result["trainable"] for result in results}),
        "repeats": arguments.repeats,
    }
    print(json.dumps(last))


if __name__ == "__main__":
    main()
