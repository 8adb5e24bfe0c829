#!/usr/bin/env python3
"""mlx-dash beside a real Ollama that is killed, comes back, hangs, and whose port another program takes; and mlx-dash itself killed.

    ollama_in_trouble.py MLX_DASH
"""

import contextlib
import http.server
import pathlib
import signal
import socketserver
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from beside_ollama import MODEL, with_model
from dash import Dash, Question, Watch, check, sample
from real_ollama import Ollama, program


def restart(ollama: Ollama) -> None:
    with open(ollama.home / "serve.log", "a") as log:
        ollama.process = subprocess.Popen([ollama.program, "serve"], env=ollama.environment(), stdout=log, stderr=log,
                                          stdin=subprocess.DEVNULL)


def kill(ollama: Ollama) -> None:
    ollama.process.kill()
    ollama.process.wait()


@contextlib.contextmanager
def another_program(port: int, handler):
    """Takes Ollama's port."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", port), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


class Html(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html>It works!</html>"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *unused) -> None:
        pass


class Noise(socketserver.BaseRequestHandler):
    """Speaks no HTTP."""

    def handle(self) -> None:
        self.request.recv(100)
        self.request.sendall(bytes(range(256)) * 8)


def troubles(watch: Watch, ollama: Ollama) -> None:
    port = int(ollama.host.rsplit(":", 1)[1])
    watch.wait_for("  idle ")
    kill(ollama)
    watch.wait_for("  off ")
    check(any("Ollama does not answer" in line for line in watch.lines), "a killed server is said")
    restart(ollama)
    watch.wait_for("  idle ")
    ollama.process.send_signal(signal.SIGSTOP)
    watch.wait_for("takes over two seconds to answer")
    ollama.process.send_signal(signal.SIGCONT)
    watch.wait_for("  idle ")
    kill(ollama)
    with another_program(port, Html):
        watch.wait_for("is not Ollama: /api/ps does not answer with JSON: <html>")
    with another_program(port, Noise):
        watch.wait_for("is not Ollama: ")
    restart(ollama)
    watch.wait_for("  idle ")


def killed_itself(dash: Dash, watch: Watch, ollama: Ollama) -> None:
    """kill -9 while something is generated: the session is there, up to the last second."""
    begin = time.time()
    question = Question(ollama.host, MODEL, 4000)
    watch.wait_for(MODEL)
    while time.time() - begin < 8 and question.is_alive():
        time.sleep(0.1)
    watch.kill()
    killed_at = time.time()
    question.stop()
    with contextlib.closing(sqlite3.connect(dash.suite / "mlxdash.db")) as database:
        check(database.execute("PRAGMA integrity_check").fetchone() == ("ok",), "kill -9 leaves a whole database")
        rows = database.execute("SELECT model_name, strftime('%s', ended_at) FROM sessions ORDER BY id").fetchall()
    check(rows and rows[-1][0] == MODEL, f"with the session: {rows}")
    lost = killed_at - int(rows[-1][1])
    check(lost < 4, f"{lost:.1f} s of it lost")  # a second, and seconds are whole; the machine may be busy
    check(dash.json("history")["sessions"][-1]["model_name"] == MODEL, "which the next program reads")


def main(mlx_dash: str) -> int:
    gguf = sample()
    program()
    with tempfile.TemporaryDirectory(prefix="mlx_dash_") as folder:
        ollama = with_model(pathlib.Path(folder), gguf)
        try:
            dash = Dash(mlx_dash, pathlib.Path(folder) / "dash", f"http://{ollama.host}")
            watch = dash.watch()
            troubles(watch, ollama)
            killed_itself(dash, watch, ollama)
        finally:
            ollama.process.send_signal(signal.SIGCONT)
            ollama.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
