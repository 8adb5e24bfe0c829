#!/usr/bin/env python3
"""mlx-dash beside the real llama-server with SmolLM2: live speed by /slots and by its log lines, the proxy, the benchmark.

    beside_llama_server.py MLX_DASH
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

from dash import ROOT, Dash, Question, check, free_port, near, sample, skip, through_proxy


def program() -> str:
    found = shutil.which("llama-server") or shutil.which("llama-server", path=str(ROOT / ".venv-interop/bin"))
    return found or skip("no llama-server; `scripts/setup --llama-server` compiles one")


class LlamaServer:
    """On a free port, its log as Ollama keeps it."""

    def __init__(self, gguf: str, log: pathlib.Path):
        self.words = [program(), "--model", gguf, "--host", "127.0.0.1", "--slots", "-c", "4096", "-np", "2"]
        self.log = log

    def __enter__(self) -> "LlamaServer":
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.words, "--port", str(port)], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                            env=os.environ)
        for _ in range(600):
            try:
                if self.get("/health")["status"] == "ok":
                    return self
            except OSError:
                check(self.process.poll() is None, "llama-server starts")
            time.sleep(0.2)
        raise SystemExit("FAILED: llama-server did not answer")

    def __exit__(self, *unused) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)


def by_slots(dash: Dash, server: LlamaServer) -> None:
    watch = dash.watch()
    watch.wait_for("idle")
    question = Question(server.url, "", 800, "openai")
    watch.wait_for(" live ")
    while question.is_alive():
        running = dash.json("status")["running"]
        if running and running[0]["tokens"]:
            check(running[0]["way"] == "slots" and running[0]["quality"] == "live", "one request, live by /slots")
    question.wait()
    watch.wait_for("idle")
    time.sleep(2)
    watch.end()
    session = dash.json("history")["sessions"][-1]
    check(abs(session["total_tokens"] - question.tokens()) < 5,
          f"tokens in the history: {session['total_tokens']}, {question.tokens()} of the server")
    near(session["avg_tokens_per_sec"], question.speed(), "speed in the history")


def main(mlx_dash: str) -> int:
    gguf = sample()
    program()
    with tempfile.TemporaryDirectory(prefix="mlx_dash_") as folder:
        home = pathlib.Path(folder)
        with LlamaServer(gguf, home / "llama.log") as server:
            dash = Dash(mlx_dash, home / "dash", servers=[server.url])
            by_slots(dash, server)
            through_proxy(dash, server.url, "", 300, "openai")
            result = dash.json("benchmark", "--url", server.url)
            check(result["prompt_count"] == 10 and result["total_s"] < 60, f"ten prompts in {result['total_s']:.1f} s")
            check(result["model"], f"of the model {result['model']}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
