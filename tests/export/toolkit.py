"""mlx-toolkit as a person runs it, and the Python that has the programs it is compared with."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TINY_LLAMA = ROOT / "tests/fixtures/models/llama"


def skip(reason: str) -> None:
    print("SKIPPED:", reason)
    sys.exit(0)


def check(condition, what: str) -> None:
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print("ok:", what)


def enter_peers(module: str) -> None:
    """Goes on in the Python that has `module`: TOOLKIT_PEERS_PYTHON or .venv-peers."""
    python = pathlib.Path(os.environ.get("TOOLKIT_PEERS_PYTHON") or ROOT / ".venv-peers/bin/python")
    if os.environ.get("TOOLKIT_IN_PEERS") != "1":
        there = python.exists() and subprocess.run([python, "-c", f"import {module}"],
                                                   capture_output=True).returncode == 0
        if not there:
            skip(f"no Python with {module}; `scripts/setup --peers` makes one")
        os.environ["TOOLKIT_IN_PEERS"] = "1"
        os.execv(python, [str(python), *sys.argv])


class Toolkit:
    """Runs the program with a home of its own; `folder` is for what it writes."""

    def __init__(self, program: str):
        self.program = pathlib.Path(program).resolve()
        self.temporary = tempfile.TemporaryDirectory(prefix="toolkit_export_")
        self.folder = pathlib.Path(self.temporary.name)

    def __call__(self, *words) -> dict:
        environment = os.environ | {"MLX_INFRASTRUCTURE_HOME": str(self.folder / "home"),
                                    "MLX_CACHE_DIR": str(self.folder / "cache")}
        done = subprocess.run([str(self.program), *map(str, words), "--json", "--quiet"], env=environment,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit(f"FAILED: mlx-toolkit {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout.splitlines()[-1])
