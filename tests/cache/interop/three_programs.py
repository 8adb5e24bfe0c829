#!/usr/bin/env python3
"""The same model in Ollama, in the Hugging Face cache and in an app's folder: `mlx-cache sync` leaves one copy, 66 % is
saved, and all three programs still work. Then `sync --undo` gives each its own again.

    three_programs.py MLX_CACHE [--gguf FILE]      default: a tiny model; a real one for figures

Needs the real Ollama and huggingface_hub (.venv-interop, or MLX_CACHE_INTEROP_PYTHON); SKIPPED without.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import tiny_gguf
from machine import CHECKED, Machine, check, sha256_of
from real_ollama import Ollama, program

ROOT = pathlib.Path(__file__).resolve().parents[3]
REPOSITORY = "org/tiny-GGUF"


def interop_python() -> str:
    python = os.environ.get("MLX_CACHE_INTEROP_PYTHON", str(ROOT / ".venv-interop/bin/python"))
    if not os.path.exists(python):
        print("SKIPPED: no huggingface_hub: scripts/setup --interop makes .venv-interop")
        sys.exit(0)
    return python


def hub(machine: Machine, python: str, code: str, **more: str) -> str:
    """Runs a line of Python with the real huggingface_hub."""
    done = subprocess.run([python, "-c", "import huggingface_hub as hub\n" + code], capture_output=True, text=True,
                          timeout=300, env=machine.environment(**more))
    if done.returncode:
        raise SystemExit(f"FAILED: {code}: {done.stderr[-2000:]}")
    return done.stdout.strip()


def fill_hub(machine: Machine, python: str, gguf: pathlib.Path) -> pathlib.Path:
    """The real huggingface_hub downloads the model from a hub on loopback."""
    folder = machine.root / "repos" / REPOSITORY / "main"
    folder.mkdir(parents=True)
    os.link(gguf, folder / "tiny-F32.gguf")
    (folder / "README.md").write_text("# tiny\n")
    server = subprocess.Popen([sys.executable, ROOT / "tests/cache/servers/hub_server.py", "--repos",
                               machine.root / "repos"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        endpoint = json.loads(server.stdout.readline())["hub"]
        snapshot = hub(machine, python, f"print(hub.snapshot_download('{REPOSITORY}'))", HF_ENDPOINT=endpoint)
    finally:
        server.stdin.close()
        server.wait(30)
    return pathlib.Path(snapshot.splitlines()[-1]) / "tiny-F32.gguf"


def all_work(machine: Machine, ollama: Ollama, python: str, app: pathlib.Path, answer: str, content: str) -> None:
    check(ollama.generate("tiny")["response"] == answer, "Ollama answers as before")
    snapshot = hub(machine, python, f"print(hub.snapshot_download('{REPOSITORY}', local_files_only=True))",
                   HF_HUB_OFFLINE="1")
    check(sha256_of(pathlib.Path(snapshot) / "tiny-F32.gguf") == content, "huggingface_hub has its file, offline")
    check(hub(machine, python, "print(len(hub.scan_cache_dir().warnings))") == "0", "and calls its cache sound")
    check(sha256_of(app) == content, "the app has its file")
    ollama.restart()
    check("tiny:latest" in ollama.names(), "Ollama has its model after a restart")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mlx_cache", type=pathlib.Path)
    parser.add_argument("--gguf", type=pathlib.Path)
    options = parser.parse_args()
    program()
    python = interop_python()
    with Machine(options.mlx_cache) as machine, Ollama(machine.home, machine.ollama) as ollama:
        gguf = machine.root / "source.gguf"
        if options.gguf:
            shutil.copyfile(options.gguf, gguf)
        else:
            tiny_gguf.make(gguf)
        content, size = sha256_of(gguf), gguf.stat().st_size
        (machine.root / "Modelfile").write_text(f"FROM {gguf}\n")
        ollama.command("create", "tiny", "-f", str(machine.root / "Modelfile"))
        in_hub = fill_hub(machine, python, gguf)
        app = machine.home / "code/chat/models/tiny.gguf"
        app.parent.mkdir(parents=True)
        shutil.copyfile(gguf, app)
        machine.run("link", str(machine.home / "code/chat"))
        blob = machine.ollama / "blobs" / f"sha256-{content}"
        names = [blob, in_hub, app]
        answer = ollama.generate("tiny")["response"]
        check(len({path.stat().st_ino for path in names}) == 3, "three copies before")
        before, free_before = machine.used_bytes(), os.statvfs(machine.home)

        preview = machine.json("sync", "--dry-run")
        check(preview["planned_freed_bytes"] >= 2 * size,
              f"the preview says what will be freed: {preview['planned_freed_bytes']}")
        check(machine.used_bytes() - before < 1_000_000, "and changes nothing")
        start = time.monotonic()
        result = machine.json("sync", "--yes")
        took = time.monotonic() - start
        after, free_after = machine.used_bytes(), os.statvfs(machine.home)
        check(len({path.stat().st_ino for path in names}) == 1 or result.get("clones", 0) > 0, "one copy after")
        saved = 1 - (after / before)
        weights_saved = 1 - len({path.stat().st_ino for path in names}) / 3
        check(weights_saved > 0.66, f"66 % of the weights' space saved: {weights_saved:.3f}")
        check(abs(result["freed_bytes"] - (before - after)) < 300_000,
              f"what it says ({result['freed_bytes']}) is what the file system gave back ({before - after})")
        check(not in_hub.parent.joinpath("x").exists() and in_hub.is_symlink(), "the snapshot is as the hub made it")
        check((machine.hub / f"models--{REPOSITORY.replace('/', '--')}" / "blobs" / content).is_file()
              and not (machine.hub / f"models--{REPOSITORY.replace('/', '--')}" / "blobs" / content).is_symlink(),
              "its blob is no symlink")
        all_work(machine, ollama, python, app, answer, content)
        use = machine.json("du")
        print(f"{size / 1e6:.1f} MB three times: {before / 1e6:.1f} MB before, {after / 1e6:.1f} MB after "
              f"({100 * saved:.1f} % of all, {100 * weights_saved:.1f} % of the weights), free space by statvfs "
              f"{(free_after.f_bavail - free_before.f_bavail) * free_after.f_frsize / 1e6:+.1f} MB, {took:.2f} s")
        check(use is not None, "du")
        again = machine.json("sync", "--yes")
        check(again["freed_bytes"] == 0, "a second sync finds nothing to do")

        machine.run("sync", "--undo", "--yes")
        check(len({path.stat().st_ino for path in names}) == 3, "undo gives each its own file again")
        all_work(machine, ollama, python, app, answer, content)
    print(f"{len(CHECKED)} checks with three programs passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
