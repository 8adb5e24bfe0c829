#!/usr/bin/env python3
"""Builds the wheel of mlx-cache, installs it into a fresh virtual environment and runs the program from there.

    tests/cache/wheel.py [--installer pip|uv]     uv: as `uv tool install` does it, when uv is there
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = ROOT / "python" / "mlx_cache"
MAN_PAGE = "share/man/man1/mlx-cache.1"


def run(*words: object, **more) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"FAILED: {words[0]} {words[1]}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def check_program(program: pathlib.Path, home: pathlib.Path, version: str) -> None:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    check(run(program, "--version", env=environment).strip() == f"mlx-cache {version}", f"mlx-cache --version is {version}")
    (home / "m").mkdir(parents=True)
    (home / "m" / "model.gguf").write_bytes(b"GGUF" + bytes(100))
    run(program, "add", home / "m", "--no-publish", env=environment)
    check(str(home / "m") in run(program, "export", env=environment), "the installed program adds and exports a model")


def find_uv() -> str | None:
    beside = ROOT / ".venv-uv" / "bin" / "uv"
    return shutil.which("uv") or (str(beside) if beside.exists() else None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--installer", choices=["pip", "uv"], default="pip")
    options = parser.parse_args()
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    uv = find_uv()
    if options.installer == "uv" and not uv:
        print("SKIPPED: uv is not installed")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        run(sys.executable, "-m", "venv", place / "venv")
        python = place / "venv" / "bin" / "python"
        backend = subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "-d", str(place / "backend"),
                                  "scikit-build-core>=0.10,<2"], capture_output=True, text=True)
        if backend.returncode != 0:
            print("SKIPPED: scikit-build-core cannot be had here: " + backend.stderr.strip().split("\n")[-1])
            return 0
        # By the names that CMake finds itself, so that a compiler cache serves the wheel and the other builds.
        compilers = {"CC": os.environ.get("CC", "cc"), "CXX": os.environ.get("CXX", "c++")}
        run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", place / "wheel", PROJECT, env={**os.environ, **compilers})
        wheels = list((place / "wheel").glob("mlx_cache-*.whl"))
        check(len(wheels) == 1 and "-py3-none-" in wheels[0].name, f"one wheel for every Python 3: {wheels}")
        if options.installer == "pip":
            run(python, "-m", "pip", "install", "-q", "--no-index", wheels[0])
            check((place / "venv" / MAN_PAGE).is_file(), "the manual page is installed")
            check_program(place / "venv" / "bin" / "mlx-cache", place / "home", version)
        else:
            environment = dict(os.environ, UV_TOOL_DIR=str(place / "tools"), UV_TOOL_BIN_DIR=str(place / "bin"))
            run(uv, "tool", "install", "--offline", "--python", sys.executable, wheels[0], env=environment)
            check_program(place / "bin" / "mlx-cache", place / "home", version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
