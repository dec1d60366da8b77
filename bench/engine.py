"""Compare the embedded engine with what a user could take instead, on the same prompts and the same CPU.

    python bench/engine.py --openvino OV/bin/python --llamacpp LC/bin/python --gguf smollm2.gguf

The model is SmolLM2-135M-Instruct. The engines:

- ours: `embedded/smollm2-135m` in float32
- ours_bfloat16: the same with `dtype: bfloat16`
- transformers: `generate` in float32, rows padded on the left
- openvino: OpenVINO GenAI's continuous batching, from the same GGUF (an interpreter with `openvino-genai`)
- llamacpp: the server of llama-cpp-python, from the same GGUF (an interpreter with `llama-cpp-python[server]`)

The work: 32 conversations of about 300 tokens with 120 tokens of greedy answer each; one of them alone; and 200
questions of yes or no, five on each of 40 conversations, with one token of answer. An engine runs in a process of its
own, with a warm-up. Start is the time from loading to the first answers, of 4 tokens. Rates are medians of
`--repeats`. Memory is the highest resident size of the process (for the server, of the server). Prints a table, and as
the last line JSON. Run it while nothing else runs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROWS, PROMPT, ANSWER = 32, 300, 120
TALKS, QUESTIONS = 40, 5
ITEMS = ("kettle", "lamp", "jacket", "router", "ticket", "camera", "piano", "desk")
Ask = Callable[[list[str], int], int]
"""Answers all prompts with so many tokens each. Returns the tokens of all answers: ours may end earlier."""


def prompts() -> dict[str, list[str]]:
    """Return the prompts of each kind, in the chat form of the model."""
    summaries = [chat(f"Summarize this conversation.\n\n{talk(number, PROMPT)}") for number in range(ROWS)]
    questions = [
        chat(f"{talk(1000 + number, PROMPT)}\n\nIs it true that the {ITEMS[asked]} was late? Answer yes or no.")
        for number in range(TALKS)
        for asked in range(QUESTIONS)
    ]
    return {"batch": summaries, "alone": summaries[:1], "questions": questions}


def chat(text: str) -> str:
    """Return a user's message in the model's chat template."""
    return f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


def talk(number: int, tokens: int) -> str:
    """Return a conversation of about so many tokens."""
    lines = []
    for turn in range(max(1, tokens // 33)):
        item = ITEMS[(number + turn) % len(ITEMS)]
        lines.append(
            f"Customer: The {item} of order {4000 + number * 7 + turn} has not come, and I waited {turn} days."
        )
        lines.append(f"Agent: I see, the {item} left on day {turn}; I ask.")
    return "\n".join(lines)


def ours(_gguf: str, dtype: str = "float32") -> Ask:
    """Return the embedded engine."""
    from arf_programs.models.embedded.engine import get_engine
    from arf_programs.models.embedded.row import Request

    engine = get_engine("smollm2-135m", "cpu", dtype)
    tokenizer = engine.model.tokenizer

    def ask(texts: list[str], tokens: int) -> int:
        rows = [tuple(tokenizer.encode(text, add_special_tokens=False)) for text in texts]
        futures = [engine.submit(Request(prompt=row, max_tokens=tokens)) for row in rows]
        return sum(future.result().completion_tokens for future in futures)

    return ask


def transformers(_gguf: str) -> Ask:
    """Return plain `generate`, in batches of 32 rows of like length."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from arf_programs.models import resolve_weights

    folder = resolve_weights("smollm2-135m")
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def ask(texts: list[str], tokens: int) -> int:
        for start in range(0, len(texts), ROWS):
            batch = tokenizer(texts[start : start + ROWS], return_tensors="pt", padding=True, add_special_tokens=False)
            with torch.inference_mode():
                model.generate(
                    **batch,
                    max_new_tokens=tokens,
                    min_new_tokens=tokens,
                    do_sample=False,
                    pad_token_id=tokenizer.eos_token_id,
                )
        return tokens * len(texts)

    return ask


def openvino(gguf: str) -> Ask:
    """Return OpenVINO GenAI with continuous batching and its prefix cache."""
    import openvino_genai

    scheduler = openvino_genai.SchedulerConfig()
    scheduler.cache_size, scheduler.enable_prefix_caching, scheduler.max_num_seqs = 2, True, ROWS
    pipeline = openvino_genai.ContinuousBatchingPipeline(gguf, scheduler, "CPU")

    def ask(texts: list[str], tokens: int) -> int:
        config = openvino_genai.GenerationConfig(max_new_tokens=tokens, do_sample=False, ignore_eos=True)
        config.apply_chat_template = False
        pipeline.generate(texts, [config] * len(texts))
        return tokens * len(texts)

    return ask


def llamacpp(gguf: str) -> Ask:
    """Return the server of llama-cpp-python, which answers one request at a time.

    It keeps the prefix of the request before. Its further cache is left off: it took 20 GB with these prompts.
    """
    command = [sys.executable, "-m", "llama_cpp.server", "--model", gguf, "--n_ctx", "2048", "--port", "8917"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = "http://127.0.0.1:8917/v1/completions"

    def send(text: str, tokens: int) -> None:
        body = {"prompt": text, "max_tokens": tokens, "temperature": 0, "logit_bias": {"2": -100}}
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=600).read()

    for _ in range(60):
        try:
            send("x", 1)
            break
        except OSError:
            time.sleep(1)

    def ask(texts: list[str], tokens: int) -> int:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda text: send(text, tokens), texts))
        return tokens * len(texts)

    ask.server = server  # type: ignore[attr-defined]
    return ask


ENGINES: dict[str, Callable[[str], Ask]] = {
    "ours": ours,
    "ours_bfloat16": lambda gguf: ours(gguf, "bfloat16"),
    "transformers": transformers,
    "openvino": openvino,
    "llamacpp": llamacpp,
}


def measure(name: str, texts: dict[str, list[str]], repeats: int, gguf: str) -> dict[str, Any]:
    """Return the figures of one engine: tokens a second by kind of work, and the highest memory in GiB."""
    began = time.perf_counter()
    ask = ENGINES[name](gguf)
    ask(texts["batch"][:2], 4)
    figures: dict[str, Any] = {"start": time.perf_counter() - began}
    for kind, tokens in (("batch", ANSWER), ("alone", ANSWER), ("questions", 1)):
        rates = []
        for repeat in range(repeats):
            # Another first line each time, so nothing of the repeat before is in a cache.
            fresh = [text.replace("user\n", f"user\n({repeat}) ", 1) for text in texts[kind]]
            start = time.perf_counter()
            answered = ask(fresh, tokens)
            rates.append(answered / (time.perf_counter() - start))
        figures[kind] = statistics.median(rates)
    server = getattr(ask, "server", None)
    if server is not None:
        server.terminate()
        server.wait()
    who = resource.RUSAGE_CHILDREN if server is not None else resource.RUSAGE_SELF
    figures["memory"] = resource.getrusage(who).ru_maxrss / 2**20
    return figures


def table(figures: dict[str, dict[str, Any]]) -> str:
    """Return the Markdown table."""
    lines = [
        "| engine | tokens/s, 32 rows | tokens/s, 1 row | questions/s | memory, GiB | start, s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in figures.items():
        if "error" in row:
            lines.append(f"| {name} | {row['error']} | | | | |")
            continue
        shown = " | ".join(f"{row[kind]:.0f}" for kind in ("batch", "alone", "questions"))
        lines.append(f"| {name} | {shown} | {row['memory']:.1f} | {row['start']:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Measure each engine in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--openvino", help="interpreter with openvino-genai")
    parser.add_argument("--llamacpp", help="interpreter with llama-cpp-python")
    parser.add_argument("--gguf", default="", help="SmolLM2-135M-Instruct as GGUF, for these two")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--prompts", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        texts = json.loads(options.prompts.read_text(encoding="utf-8"))
        print(json.dumps(measure(options.one, texts, options.repeats, options.gguf)))
        return
    figures: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.json"
        path.write_text(json.dumps(prompts()), encoding="utf-8")
        for name in options.engines:
            python = getattr(options, name, sys.executable)
            if python is None:
                figures[name] = {"error": "not measured: no interpreter given"}
                continue
            command = [python, __file__, "--one", name, "--prompts", str(path), "--gguf", options.gguf]
            done = subprocess.run([*command, "--repeats", str(options.repeats)], capture_output=True, text=True)
            lines = done.stdout.strip().splitlines()
            figures[name] = json.loads(lines[-1]) if done.returncode == 0 else {"error": done.stderr.strip()[-300:]}
            print(name, json.dumps(figures[name]), flush=True)
    print(table(figures))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
