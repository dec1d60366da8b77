"""A program that speaks as much of `vllm serve` as a run asks for. Its answers say which model was asked, and what.

STAND_IN says how it behaves: `die` (it ends at its start), `never` (it never gets ready), `fall` (it kills itself at
its third question), `other` (it lists no adapter). Its arguments, environment and requests go to the file
STAND_IN_RECORD.
"""

import argparse
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from hashlib import sha256
from pathlib import Path

MODE = os.environ.get("STAND_IN", "")
_one_at_a_time = threading.Lock()
_asked = 0


def record(**row):
    with Path(os.environ["STAND_IN_RECORD"]).open("a") as file:
        file.write(json.dumps(row) + "\n")


def install(folder: Path) -> Path:
    """Put it as `vllm` into a folder that can stand on PATH."""
    folder.mkdir()
    program = folder / "vllm"
    program.write_text(f"#!{sys.executable}\n{Path(__file__).read_text()}")
    program.chmod(0o755)
    return program


def answer_of(model: str, messages: list) -> str:
    return f"{model} wrote {sha256(json.dumps(messages).encode()).hexdigest()[:12]} about a lamp."


class Handler(http.server.BaseHTTPRequestHandler):
    models: tuple[str, ...] = ()

    def do_GET(self):
        if self.path == "/health":
            self.answer({}, 503 if MODE == "never" else 200)
        else:
            names = self.models[:1] if MODE == "other" else self.models
            self.answer({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    def do_POST(self):
        with _one_at_a_time:
            self.answer_question()

    def answer_question(self):
        global _asked
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        _asked += 1
        if MODE == "fall" and _asked == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        record(request=body, path=self.path, key=self.headers.get("Authorization"))
        if body["model"] not in self.models:
            self.answer({"error": {"message": f"The model `{body['model']}` does not exist."}}, 404)
            return
        message = {"role": "assistant", "content": answer_of(body["model"], body["messages"])}
        self.answer({
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
        })  # fmt: skip

    def answer(self, content, status=200):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main():
    parser = argparse.ArgumentParser(prog="vllm", allow_abbrev=False)
    add = parser.add_argument
    add("command", choices=["serve"])
    add("model")
    add("--served-model-name", required=True)
    add("--host", required=True)
    add("--port", type=int, required=True)
    add("--load-format", choices=["auto", "safetensors"])
    add("--generation-config")
    add("--enable-lora", action="store_true")
    add("--max-loras", type=int, default=1)
    add("--max-lora-rank", type=int, choices=[8, 16, 32, 64, 128, 256, 320, 512], default=16)
    add("--lora-modules", nargs="+", type=json.loads, default=[])
    add("--chat-template")
    add("--chat-template-content-format", choices=["auto", "string", "openai"])
    add("--max-model-len", type=int)
    add("--gpu-memory-utilization", type=float)
    given = parser.parse_args()
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    record(started=vars(given), pids=[os.getpid(), child.pid], environment=dict(os.environ))
    if MODE == "die":
        child.kill()
        sys.exit("ValueError: No available memory for the cache blocks.")
    for module in given.lora_modules:
        rank = json.loads((Path(module["path"]) / "adapter_config.json").read_text())["r"]
        assert given.enable_lora and rank <= given.max_lora_rank and len(given.lora_modules) <= given.max_loras
    Handler.models = (given.served_model_name, *(module["name"] for module in given.lora_modules))
    http.server.ThreadingHTTPServer((given.host, given.port), Handler).serve_forever()


if __name__ == "__main__":
    main()
