#!/usr/bin/env python3
"""mlx-dash beside `mlx-toolkit serve` with SmolLM2: model, memory and each request's live speed by /metrics, the proxy, the benchmark.

    beside_our_server.py MLX_DASH MLX_TOOLKIT
"""

import pathlib
import statistics
import sys
import tempfile
import threading
import time

from dash import ROOT, Dash, Question, check, sample, through_proxy

sys.path.insert(0, str(ROOT / "tests/serve"))
from served import MODEL, Served  # noqa: E402

NAME = "smollm2:135m"  # as clients of Ollama call it


class Asker(threading.Thread):
    """One question after another until it is stopped."""

    def __init__(self, host: str):
        super().__init__(daemon=True)
        self.host, self.answers, self.stopped = host, [], False
        self.start()

    def run(self) -> None:
        while not self.stopped:
            self.answers.append(Question(self.host, NAME, 400).wait())

    def stop(self) -> None:
        self.stopped = True
        self.join(600)


def live(dash: Dash, server: Served) -> None:
    watch = dash.watch()
    watch.wait_for("idle")
    asker, begin, seen = Asker(server.url), len(watch.lines), {"running": []}
    watch.wait_for(" live ")
    while not seen["running"] or len(watch.lines) - begin < 12:
        seen = dash.json("status")
    asker.stop()
    watch.wait_for("idle")
    time.sleep(2)
    watch.end()
    state = seen["servers"][-1]
    check(state["kind"] == "mlx-toolkit" and state["models"][0]["size_bytes"] > 50e6, f"server and model: {state['models']}")
    running = seen["running"][0]
    check(running["way"] == "metrics" and running["quality"] == "live", "one request, live by /metrics")
    speeds = [float(line.split(" tok/s")[0].split()[-1]) for line in watch.lines[begin:] if " tok/s" in line and " live " in line]
    theirs = statistics.median(question.speed() for question in asker.answers)
    # What is shown while a request runs is its mean so far; the strict comparison is the proxy's.
    check(abs(statistics.median(speeds) / theirs - 1) < 0.25, f"live {statistics.median(speeds):.1f} tok/s, the server's own {theirs:.1f}")
    session, tokens = dash.json("history")["sessions"][-1], sum(question.tokens() for question in asker.answers)
    check(session["total_tokens"] == tokens, f"tokens in the history: {session['total_tokens']}, {tokens} of the server")


def main(mlx_dash: str, mlx_toolkit: str) -> int:
    sample()
    with tempfile.TemporaryDirectory(prefix="mlx_dash_") as folder, Served(mlx_toolkit, "--model", MODEL) as server:
        dash = Dash(mlx_dash, pathlib.Path(folder) / "dash", servers=[server.url])
        live(dash, server)
        through_proxy(dash, server.url, NAME, 300)
        result = dash.json("benchmark", "--url", server.url, "--model", NAME)
        check(result["prompt_count"] == 10 and result["total_s"] < 60, f"ten prompts in {result['total_s']:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
