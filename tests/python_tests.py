"""What tests in Python share: how they say what they found, and how they get to a Python that has the programs they need."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def skip(reason: str) -> None:
    print("SKIPPED:", reason)
    sys.exit(0)


def check(condition, what: str) -> None:
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    print("ok:", what)


def enter_python(module: str, group: str, folder: str, setup: str) -> None:
    """Goes on in the Python that has `module`: TOOLKIT_<group>_PYTHON or that of `folder`, which `setup` makes."""
    python = pathlib.Path(os.environ.get(f"TOOLKIT_{group}_PYTHON") or ROOT / folder / "bin/python")
    if os.environ.get(f"TOOLKIT_IN_{group}") != "1":
        there = python.exists() and subprocess.run([python, "-c", f"import {module}"],
                                                   capture_output=True).returncode == 0
        if not there:
            skip(f"no Python with {module}; `{setup}` makes one")
        os.environ[f"TOOLKIT_IN_{group}"] = "1"
        os.execv(python, [str(python), *sys.argv])
