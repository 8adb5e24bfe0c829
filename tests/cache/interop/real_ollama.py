#!/usr/bin/env python3
"""The real Ollama for tests: OLLAMA_PROGRAM, the one of `scripts/setup --ollama` or of PATH; run with a home, a store and a port of its own."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request


def program() -> str:
    """Its path; a test ends with SKIPPED where there is none."""
    built = str(pathlib.Path(__file__).resolve().parents[3] / ".venv-interop/bin/ollama")
    found = os.environ.get("OLLAMA_PROGRAM") or shutil.which(built) or shutil.which("ollama")
    if not found or not os.access(found, os.X_OK):
        print("SKIPPED: no Ollama (OLLAMA_PROGRAM, PATH); `scripts/setup --ollama` compiles one")
        sys.exit(0)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ollama:
    """`ollama serve` on loopback, from start() to stop(); every command talks to it."""

    def __init__(self, home: pathlib.Path, models: pathlib.Path):
        self.program, self.home, self.models = program(), home, models
        self.host, self.process = "", None
        home.mkdir(parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OLLAMA_")}
        return kept | {"HOME": str(self.home), "OLLAMA_MODELS": str(self.models), "OLLAMA_HOST": self.host}

    def start(self) -> "Ollama":
        self.host = f"127.0.0.1:{free_port()}"
        log = open(self.home / "serve.log", "a")
        self.process = subprocess.Popen([self.program, "serve"], env=self.environment(), stdout=log, stderr=log,
                                        stdin=subprocess.DEVNULL)
        log.close()
        for _ in range(300):
            with contextlib.suppress(OSError):
                self.get("/api/version")
                return self
            if self.process.poll() is not None:
                break
            time.sleep(0.2)
        raise RuntimeError("ollama serve did not answer:\n" + self.log()[-3000:])

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def log(self) -> str:
        return (self.home / "serve.log").read_text(errors="replace")

    def get(self, path: str) -> dict:
        with urllib.request.urlopen(f"http://{self.host}{path}", timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, value: dict, timeout: float = 300) -> dict:
        request = urllib.request.Request(f"http://{self.host}{path}", json.dumps(value).encode(),
                                         {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path}: {error.code} {error.read().decode(errors='replace')}\n"
                               + self.log()[-2000:]) from None

    def command(self, *words: str) -> str:
        done = subprocess.run([self.program, *words], env=self.environment(), capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"ollama {' '.join(words)}: {done.stderr[-2000:]}")
        return done.stdout

    def names(self) -> list[str]:
        return sorted(model["name"] for model in self.get("/api/tags")["models"] or [])

    def generate(self, model: str, prompt: str = "hello") -> dict:
        """Six tokens, greedy: the same each time for the same weights."""
        return self.post("/api/generate", {"model": model, "prompt": prompt, "stream": False,
                                           "options": {"num_predict": 6, "temperature": 0, "seed": 1}})

    def __enter__(self) -> "Ollama":
        return self.start()

    def __exit__(self, *unused) -> None:
        self.stop()
