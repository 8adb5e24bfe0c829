#!/usr/bin/env python3
"""mlx-dash beside the real Ollama with SmolLM2: model and memory, live and exact speed, the benchmark under a minute, history, a bug report.

    beside_ollama.py MLX_DASH MLX_DIAG
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

from dash import Dash, Question, Proxy, check, near, sample, through_proxy
from real_ollama import Ollama, program

MODEL = "smollm2:135m"


def with_model(home: pathlib.Path, gguf: str) -> Ollama:
    ollama = Ollama(home, home / ".ollama/models").start()
    (home / "Modelfile").write_text(f"FROM {gguf}\n")
    ollama.command("create", MODEL, "-f", str(home / "Modelfile"))
    return ollama


def at_work(dash: Dash, ollama: Ollama) -> None:
    """A request that comes to Ollama directly."""
    question = Question(ollama.host, MODEL, 4000)
    while not ollama.get("/api/ps")["models"]:
        time.sleep(0.2)
    time.sleep(2)
    seen, told = dash.json("status"), ollama.get("/api/ps")["models"][0]
    model = seen["servers"][0]["models"][0]
    check(model["name"] == MODEL, f"the model: {model['name']}")
    check(model["size_bytes"] == told["size"] and model["gpu_bytes"] == told["size_vram"],
          f"its memory: {model['size_bytes']} bytes, {model['gpu_bytes']} on the GPU")
    check(seen["active"], "that it generates")
    if seen["tokens_per_second"] is None:  # before 0.30 Ollama tells no speed
        check("mlx-dash proxy" in json.dumps(seen["messages"]), "no speed, and what would show it")
    question.stop()


def recorded(dash: Dash, ollama: Ollama) -> None:
    """What `watch` keeps of an answer through the proxy is what Ollama says of it."""
    with Proxy(dash, f"http://{ollama.host}") as proxy:
        watch = dash.watch()
        watch.wait_for("idle")
        question = Question(proxy.host, MODEL, 200)
        watch.wait_for(" live ")
        question.wait()
        watch.wait_for("idle")
        time.sleep(2)
        watch.end()
    session = dash.json("history")["sessions"][-1]
    check(session["total_tokens"] == question.tokens(), f"tokens in the history: {session['total_tokens']}")
    near(session["avg_tokens_per_sec"], question.speed(), "speed in the history")


def bug_report(dash: Dash, mlx_diag: str) -> None:
    bundle = dash.home / "diag.zip"
    done = subprocess.run([mlx_diag, "export", "--output", bundle], env=dash.environment, capture_output=True, text=True)
    check(done.returncode == 0, f"mlx-diag export {done.stderr}")
    with zipfile.ZipFile(bundle) as archive:
        check(archive.testzip() is None, "the zip is sound")
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    check(str(dash.home) not in text, "no home folder in it")


def main(mlx_dash: str, mlx_diag: str) -> int:
    gguf = sample()
    program()
    with tempfile.TemporaryDirectory(prefix="mlx_dash_") as folder:
        home = pathlib.Path(folder)
        off = Dash(mlx_dash, home / "before").json("status")
        check(off["tokens_per_second"] is None and off["messages"][0]["severity"] == "fault", "without Ollama that is said")
        ollama = with_model(home, gguf)
        try:
            dash = Dash(mlx_dash, home / "dash", f"http://{ollama.host}")
            at_work(dash, ollama)
            through_proxy(dash, f"http://{ollama.host}", MODEL, 300)
            recorded(dash, ollama)
            result = dash.json("benchmark", "--model", MODEL)
            check(result["prompt_count"] == 10 and result["total_s"] < 60, f"ten prompts in {result['total_s']:.1f} s")
            check(all(one["quality"] == "exact" for one in result["prompts"]), "by Ollama's figures")
            missing = dash.run("benchmark", "--model", "none:1b").stderr
            check("mlx-cache add ollama://none:1b" in missing, "a model that is missing: how to get it")
            check(len(dash.json("history")["benchmarks"]) == 1, "the benchmark is in the history")
            bug_report(dash, mlx_diag)
        finally:
            ollama.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
