#!/usr/bin/env python3
"""A model added once is usable everywhere: real huggingface_hub offline, real Ollama, LM Studio's folder, `path` for
programs; one inode in four places, and `remove` takes every name back.

    added_once.py MLX_CACHE

Needs the real Ollama and huggingface_hub (.venv-interop, or MLX_CACHE_INTEROP_PYTHON); SKIPPED without.
"""

import json
import pathlib
import subprocess
import sys

import tiny_gguf
from machine import CHECKED, Machine, check, sha256_of
from real_ollama import Ollama, program
from three_programs import ROOT, hub, interop_python

REPOSITORY = "org/Tiny-GGUF"
FILE = "Tiny-F32.gguf"


def main(mlx_cache: str) -> int:
    program()
    python = interop_python()
    with Machine(pathlib.Path(mlx_cache)) as machine, Ollama(machine.home, machine.ollama) as ollama:
        source = machine.root / "repos" / REPOSITORY / "main"
        tiny_gguf.make(source / FILE, seed=5)
        (source / "README.md").write_text("# tiny\n")
        content, size = sha256_of(source / FILE), (source / FILE).stat().st_size
        machine.lm_studio.mkdir()
        server = subprocess.Popen([sys.executable, ROOT / "tests/cache/servers/hub_server.py", "--repos",
                                   machine.root / "repos"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        endpoint = json.loads(server.stdout.readline())["hub"]
        before = machine.used_bytes()
        machine.run("add", f"hf://{REPOSITORY}", HF_ENDPOINT=endpoint)
        server.stdin.close()
        server.wait(30)
        grown = machine.used_bytes() - before
        check(size < grown < size + 500_000, f"one copy for all: {grown} bytes for a model of {size}")

        kept = machine.cache / "models" / f"hf--{REPOSITORY.replace('/', '--')}" / FILE
        snapshot = hub(machine, python, f"print(hub.snapshot_download('{REPOSITORY}', local_files_only=True))",
                       HF_HUB_OFFLINE="1")
        name = f"hf.co/{REPOSITORY}:F32"
        places = {"the cache": kept, "huggingface_hub": pathlib.Path(snapshot) / FILE,
                  "Ollama": machine.ollama / "blobs" / f"sha256-{content}",
                  "LM Studio": machine.lm_studio / "models" / REPOSITORY / FILE}
        for place, path in places.items():
            check(path.is_file() and path.samefile(kept), f"{place} has the same file at {path}")
        check(not places["LM Studio"].is_symlink() and not places["Ollama"].is_symlink(), "by names that cannot dangle")
        check(ollama.names() == [name], f"`ollama list` shows {name}, found {ollama.names()}")
        check(ollama.generate(name)["eval_count"] > 0, "and it runs")
        ollama.restart()
        check(ollama.names() == [name], "also after a restart with its prune")
        check(machine.run("path", f"hf://{REPOSITORY}").stdout.strip() in (str(kept), str(kept.parent)), "path finds it")
        check(sha256_of(kept) == content and machine.run("verify") is not None, "and verify agrees")
        sync = machine.json("sync", "--yes")
        check(sync["freed_bytes"] == 0 and not any(m["what"] == "shown" for m in sync["found"]),
              "sync has nothing to do: what we published is not found as another model")
        status = machine.json("status")["models"]
        check(len(status) == 1, f"one model in status, found {[m['identifier'] for m in status]}")
        check(not machine.json("clean", "--dry-run")["items"], "clean leaves what programs list")

        machine.run("remove", f"hf://{REPOSITORY}", "--yes")
        for place, path in places.items():
            check(not path.exists(), f"remove takes it from {place}")
        check(ollama.names() == [], "Ollama lists nothing any more")
        check(hub(machine, python, "print(len(hub.scan_cache_dir().repos), len(hub.scan_cache_dir().warnings))") in
              ("0 0", "1 0"), "huggingface_hub's cache is sound")
        check(machine.used_bytes() - before < 300_000, "and the space is free again")
    print(f"{len(CHECKED)} checks of one model in four places passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
