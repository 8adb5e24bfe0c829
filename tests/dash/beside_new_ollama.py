#!/usr/bin/env python3
"""mlx-dash beside the real Ollama 0.30, whose models run in a llama-server of its own: live speed by the runner's /slots and by the lines of
Ollama's log. The model is created by Ollama 0.9.6, since 0.30 needs more of llama.cpp's programs for that.

    beside_new_ollama.py MLX_DASH
"""

import os
import pathlib
import sys
import tempfile
import time

from beside_ollama import MODEL, with_model
from dash import ROOT, Dash, Question, check, near, sample, skip
from real_ollama import Ollama, program

NEW = ROOT / ".venv-interop/ollama-0.30/bin/ollama"


def ask(host: str, tokens: int) -> Question:
    return Question(host, MODEL, tokens)


def by_slots(dash: Dash, ollama: Ollama) -> None:
    ask(ollama.host, 4).wait()  # loads the model
    watch = dash.watch()
    watch.wait_for("idle")
    question = ask(ollama.host, 800)
    watch.wait_for(" live ")
    while question.is_alive():
        seen = dash.json("status")
        for one in seen["running"]:
            if one["tokens"]:
                check(one["way"] == "slots" and one["quality"] == "live" and one["model"] == MODEL, "live by /slots")
        check(not any("does not tell" in message["text"] for message in seen["messages"]), "nothing is missing")
    question.wait()
    watch.wait_for("idle")
    time.sleep(2)
    watch.end()
    session = dash.json("history")["sessions"][-1]
    near(session["avg_tokens_per_sec"], question.speed(), "speed in the history")


def by_log(dash: Dash, ollama: Ollama) -> None:
    """The log where Ollama's own app writes it: what it says at the end of an answer is exact."""
    log = dash.home / ".ollama/logs/server.log"
    log.parent.mkdir(parents=True)
    os.link(ollama.home / "serve.log", log)
    watch = dash.watch()
    watch.wait_for("idle")
    question = ask(ollama.host, 100).wait()
    watch.wait_for("idle")
    time.sleep(2)
    watch.end()
    session = dash.json("history")["sessions"][-1]
    check(abs(session["total_tokens"] - question.tokens()) <= 1, f"tokens by the log: {session['total_tokens']}")
    near(session["avg_tokens_per_sec"], question.speed(), "speed by the log")


def main(mlx_dash: str) -> int:
    gguf = sample()
    program()
    if not NEW.exists():
        skip("no Ollama 0.30; `scripts/setup --llama-server` compiles one")
    with tempfile.TemporaryDirectory(prefix="mlx_dash_") as folder:
        home = pathlib.Path(folder)
        with_model(home, gguf).stop()
        ollama = Ollama(home, home / ".ollama/models")
        ollama.program = str(NEW)
        with ollama:
            by_slots(Dash(mlx_dash, home / "slots", f"http://{ollama.host}"), ollama)
            by_log(Dash(mlx_dash, home / "log", f"http://{ollama.host}"), ollama)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
