#!/usr/bin/env python3
"""`clean` beside the real Ollama and huggingface_hub: a run or a load there is seen as use, a model of `ollama cp` stays, and what nobody
read goes from both, which work on.

    clean_used.py MLX_CACHE

Needs the real Ollama and huggingface_hub (.venv-interop, or MLX_CACHE_INTEROP_PYTHON); SKIPPED without.
"""

import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

import tiny_gguf
from machine import CHECKED, Machine, check
from real_ollama import Ollama, program
from three_programs import ROOT, hub, interop_python

REPOSITORY = "org/Tiny-GGUF"
NAME = f"hf.co/{REPOSITORY}:F32"
OLD_DATE = "2026-01-02T03:04:05Z"
DAYS_45 = 45 * 24 * 3600


def add(machine: Machine) -> pathlib.Path:
    """As if it had been added long ago. Returns the weights."""
    tiny_gguf.make(machine.root / "repos" / REPOSITORY / "main" / "Tiny-F32.gguf", seed=5)
    server = subprocess.Popen([sys.executable, ROOT / "tests/cache/servers/hub_server.py", "--repos", machine.root / "repos"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    machine.run("add", f"hf://{REPOSITORY}", HF_ENDPOINT=json.loads(server.stdout.readline())["hub"])
    server.stdin.close()
    server.wait(30)
    metadata = next((machine.cache / "models").glob("*/.metadata.json"))
    metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"downloaded_at": OLD_DATE}))
    with sqlite3.connect(machine.cache / "registry.db") as registry:
        registry.execute("UPDATE models SET downloaded_at = ?", (OLD_DATE,))
        registry.execute("UPDATE model_usage SET last_used = ?", (OLD_DATE,))
    registry.close()
    return metadata.with_name("Tiny-F32.gguf")


def unread(weights: pathlib.Path) -> None:
    written = weights.stat().st_mtime
    os.utime(weights, (written - DAYS_45, written))


def main(mlx_cache: str) -> int:
    program()
    python = interop_python()
    if os.access("/dev/shm", os.W_OK):  # in memory reads are recorded everywhere
        tempfile.tempdir = "/dev/shm"
    with Machine(pathlib.Path(mlx_cache)) as machine, Ollama(machine.home, machine.ollama) as ollama:
        weights = add(machine)
        unread(weights)
        plan = machine.json("clean", "--dry-run")
        if "does not record reads" in "".join(plan["kept"]):
            print("SKIPPED: the disk for temporary files does not record reads")
            return 0

        def offered() -> bool:
            return [item["name"] for item in machine.json("clean", "--dry-run")["items"]] == [f"hf://{REPOSITORY}"]

        def kept() -> str:
            return "".join(machine.json("clean", "--dry-run")["kept"])

        check(ollama.names() == [NAME] and offered(), "listed by Ollama and unused: offered")
        check(hub(machine, python, "print(len(hub.scan_cache_dir().repos))") == "1" and offered(), "a scan is no use")
        check(ollama.generate(NAME)["eval_count"] > 0, "it runs in Ollama")
        check("last read today" in kept(), f"a run in Ollama is use, found {kept()}")
        unread(weights)
        loaded = machine.json("clean", "--dry-run", OLLAMA_HOST=ollama.host)["kept"]
        check("Ollama has it in memory" in "".join(loaded), f"and while Ollama has it loaded it stays, found {loaded}")
        ollama.restart()
        check(offered(), "a start of Ollama is no use")
        hub(machine, python, f"print(len(open(hub.hf_hub_download('{REPOSITORY}', 'Tiny-F32.gguf', local_files_only=True), "
            "'rb').read()))", HF_HUB_OFFLINE="1")
        check("last read today" in kept(), "a load by its name in the Hugging Face cache is use")
        unread(weights)
        ollama.command("cp", NAME, "mine")
        check("Ollama lists it as mine:latest" in kept(), f"`ollama cp` keeps it, found {kept()}")
        ollama.command("rm", "mine")
        size, before = weights.stat().st_size, machine.used_bytes()
        done = machine.json("clean", "--yes")
        check(done["freed_bytes"] >= size and before - machine.used_bytes() >= size, f"{done['freed_bytes']} bytes are free")
        check(ollama.names() == [], "Ollama lists it no more")
        ollama.restart()
        check(hub(machine, python, "print(len(hub.scan_cache_dir().repos), len(hub.scan_cache_dir().warnings))") == "0 0",
              "huggingface_hub's cache is sound")
    print(f"{len(CHECKED)} checks of clean beside Ollama and huggingface_hub passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
