#!/usr/bin/env python3
"""Every place that `sync` looks at, laid out as its program does: LM Studio, Jan, Ollama, a linked app and a folder of
the settings hold one model; one inode is left, each place keeps its name, nothing is counted twice.

    all_stores.py MLX_CACHE            needs no other program
"""

import json
import os
import pathlib
import shutil
import sys

import tiny_gguf
from machine import CHECKED, Machine, check, sha256_of

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
from registry_server import put_manifest  # noqa: E402


def put(gguf: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(gguf, path)
    return path


def lay_out(machine: Machine, gguf: pathlib.Path) -> dict[str, pathlib.Path]:
    names = {
        "LM Studio": put(gguf, machine.lm_studio / "models/org/tiny/tiny.gguf"),
        "stray": put(gguf, machine.lm_studio / "models/stray.gguf"),
        "Jan": put(gguf, machine.home / ".local/share/Jan/data/models/llamacpp/tiny/model.gguf"),
        "app": put(gguf, machine.home / "code/chat/weights/tiny.gguf"),
        "folder": put(gguf, machine.root / "disk/tiny.gguf"),
    }
    names["Jan"].with_name("model.yml").write_text(f"name: tiny\nmodel_path: {names['Jan']}\n")
    put_manifest(machine.ollama, "library/tiny:latest", [("model", gguf.read_bytes())], b"{}")
    names["Ollama"] = next(blob for blob in (machine.ollama / "blobs").iterdir() if blob.stat().st_size > 1000)
    return names


def main(mlx_cache: str) -> int:
    with Machine(pathlib.Path(mlx_cache)) as machine:
        gguf = machine.root / "source.gguf"
        tiny_gguf.make(gguf)
        content, size = sha256_of(gguf), gguf.stat().st_size
        names = lay_out(machine, gguf)
        machine.run("link", str(machine.home / "code/chat"))
        machine.run("config", "folders", str(machine.root / "disk"))
        before = machine.used_bytes(machine.home, machine.root / "disk")
        check(len({path.stat().st_ino for path in names.values()}) == len(names), "six copies before")
        result = machine.json("sync", "--yes")
        stores = sorted(store["store"] for store in result["stores"])
        check(stores == ["Jan", "LM Studio", "Ollama", "folder", "folder", "mlx-cache"], f"all are looked at: {stores}")
        check(not any(store["problems"] for store in result["stores"]), "without a problem")
        inodes = {path.stat().st_ino for path in names.values()}
        check(len(inodes) == 1 or len(result["replaced"]) == len(names) - 1, f"one copy is left: {result['left_alone']}")
        after = machine.used_bytes(machine.home, machine.root / "disk")
        if len(inodes) == 1:
            check(before - after > 4.9 * size, f"its space came back: {before - after}")
        for place, path in names.items():
            check(path.is_file() and not path.is_symlink() and sha256_of(path) == content, f"{place} has its file")

        # The whole home as an app: what lies in a store stays that store's.
        machine.run("link", str(machine.home), "--name", "everything")
        copy = put(gguf, machine.home / "Downloads/again.gguf")
        result = machine.json("sync", "--yes")
        replaced = [entry["path"] for entry in result["replaced"]]
        check(replaced == [str(copy)], f"only the new copy is replaced: {replaced}")
        use = json.dumps(machine.json("du"))
        check(use.count("blobs/sha256") <= 1, "no file is listed by two stores")

        # Stores that are switched off are not looked at.
        machine.run("config", "ollama_sync", "false")
        machine.run("config", "lm_studio_sync", "false")
        stores = {store["store"] for store in machine.json("sync", "--dry-run")["stores"]}
        check("Ollama" not in stores and "LM Studio" not in stores, f"settings decide: {stores}")
        os.truncate(next((machine.ollama / "manifests").rglob("latest")), 10)
        machine.run("config", "ollama_sync", "true")
        result = machine.json("sync", "--dry-run")
        problems = [problem for store in result["stores"] for problem in store["problems"]]
        check(len(problems) == 1 and "latest" in problems[0], f"a damaged manifest is told: {problems}")
    print(f"{len(CHECKED)} checks over all stores passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
