#!/usr/bin/env python3
"""Models that the real Ollama made are found without a copy, go when it removes them, and stay usable in between.

    ollama_sync.py MLX_CACHE
"""

import os
import pathlib
import sys

import tiny_gguf
from machine import CHECKED, Machine, check, sha256_of
from real_ollama import Ollama, program

GGUF_BYTES = 7_000_000  # a little less than the tiny model


def create(ollama: Ollama, name: str, gguf: pathlib.Path) -> None:
    modelfile = gguf.with_suffix(".Modelfile")
    modelfile.write_text(f"FROM {gguf}\n")
    ollama.command("create", name, "-f", str(modelfile))


def status_of(machine: Machine) -> dict[str, dict]:
    return {model["identifier"]: model for model in machine.json("status")["models"]}


def main(mlx_cache: str) -> int:
    program()
    with Machine(pathlib.Path(mlx_cache)) as machine, Ollama(machine.home, machine.ollama) as ollama:
        gguf = machine.root / "made.gguf"
        tiny_gguf.make(gguf)
        create(ollama, "made", gguf)
        create(ollama, "twin:1b", gguf)  # a second name of the same blob
        answer = ollama.generate("made")["response"]
        before = machine.used_bytes()

        result = machine.json("sync", "--yes")
        found = {model["model"]: model["what"] for model in result["found"]}
        check(found.get("ollama://made:latest") == "shown", f"sync shows the model, found {result['found']}")
        folder = machine.cache / "models/ollama--made--latest"
        link = folder / "model.gguf"
        check(link.is_symlink() and machine.ollama in link.resolve().parents, "model.gguf leads into Ollama's store")
        check(sha256_of(link) == sha256_of(gguf), "and is the model")
        check(machine.used_bytes() - before < 1_000_000, "nothing was copied")
        check(result["freed_bytes"] == 0, "two names of one blob are no duplicate")
        status = status_of(machine)
        check(bool(status["made:latest"]["is_symlink"]), "status tells that it is found, not kept")
        check("twin:1b" in status, "both names are there")
        check(os.path.samefile(machine.run("path", "made:latest").stdout.strip(), folder)
              or os.path.samefile(machine.run("path", "made:latest").stdout.strip(), link), "path leads to it")

        again = machine.json("sync", "--yes")
        check(all(model["what"] == "known" for model in again["found"]), "a second sync finds nothing new")
        check(ollama.generate("made")["response"] == answer, "Ollama answers as before")
        ollama.restart()
        check(ollama.names() == ["made:latest", "twin:1b"], "its restart and prune take nothing")

        ollama.command("rm", "twin:1b")
        ollama.command("rm", "made")
        check(machine.used_bytes() < before - GGUF_BYTES, "`ollama rm` really frees the disk")
        machine.run("sync", "--yes")
        check(not status_of(machine), "and sync drops the names")
        check(not folder.exists() and not folder.is_symlink(), "with their links")
    print(f"{len(CHECKED)} checks beside the real Ollama passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
