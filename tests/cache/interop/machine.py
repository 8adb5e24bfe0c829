#!/usr/bin/env python3
"""A person's machine for tests: a home of its own with every program's store in it, and `mlx-cache` run there."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

CHECKED = []


def check(condition, what: str) -> None:
    """Counts what was shown; a failure ends the test with its words."""
    if not condition:
        raise SystemExit(f"FAILED: {what}")
    CHECKED.append(what)


def sha256_of(path: pathlib.Path) -> str:
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Machine:
    """Folders below one temporary folder; removed with it."""

    def __init__(self, mlx_cache: pathlib.Path):
        self.program = pathlib.Path(mlx_cache).resolve()
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="mlx_cache_machine_"))
        self.home = self.root / "home"
        self.cache = self.home / ".mlx-cache"
        self.ollama = self.home / ".ollama/models"
        self.hub = self.home / ".cache/huggingface/hub"
        self.lm_studio = self.home / ".lmstudio"
        self.home.mkdir()

    def environment(self, **more: str) -> dict[str, str]:
        foreign = ("OLLAMA_", "HF_", "HUGGINGFACE_", "MLX_", "XDG_")
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(foreign) and not name.lower().endswith("_proxy")}
        # Said where Ollama's models are: no service of this computer is looked at.
        return kept | {"HOME": str(self.home), "OLLAMA_MODELS": str(self.ollama)} | more

    def run(self, *words: str, expect: int | None = 0, **more: str) -> subprocess.CompletedProcess:
        done = subprocess.run([self.program, *words], env=self.environment(**more), capture_output=True, text=True,
                              timeout=300, stdin=subprocess.DEVNULL)
        if expect is not None and done.returncode != expect:
            raise SystemExit(f"FAILED: mlx-cache {' '.join(words)}: exit {done.returncode}, expected {expect}\n"
                             f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done

    def json(self, *words: str, **more: str):
        return json.loads(self.run(*words, "--json", **more).stdout)

    def used_bytes(self, *folders: pathlib.Path) -> int:
        """Blocks of every inode once, as the file system counts them."""
        inodes = {}
        for folder in folders or (self.home,):
            for path in [folder, *folder.rglob("*")]:
                status = path.lstat()
                inodes[status.st_dev, status.st_ino] = status.st_blocks * 512
        return sum(inodes.values())

    def close(self) -> None:
        for folder in self.root.rglob("*"):
            if folder.is_dir() and not folder.is_symlink():
                folder.chmod(0o755)
        shutil.rmtree(self.root)

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, kind, *unused) -> None:
        if kind is None or not os.environ.get("KEEP_MACHINE"):
            self.close()
        else:
            print(f"kept: {self.root}")
