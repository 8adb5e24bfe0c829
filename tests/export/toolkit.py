"""mlx-toolkit as a person runs it, and the Python that has the programs it is compared with."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from python_tests import ROOT, check, enter_python, skip  # noqa: E402,F401

TINY_LLAMA = ROOT / "tests/fixtures/models/llama"


def enter_peers(module: str) -> None:
    """Goes on in the Python that has `module`: TOOLKIT_PEERS_PYTHON or .venv-peers."""
    enter_python(module, "PEERS", ".venv-peers", "scripts/setup --peers")


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
