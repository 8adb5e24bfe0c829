#!/usr/bin/env python3
"""`clean` and a model that `add` showed to the Hugging Face cache, Ollama and LM Studio: it goes from all of them when nobody used it,
and stays when somebody did, by whatever name.

    clean_published.py MLX_CACHE        needs no other program
"""

import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "interop"))
import tiny_gguf  # noqa: E402
from machine import CHECKED, Machine, check  # noqa: E402

OLD = 45 * 24 * 3600
OLD_DATE = "2026-01-02T03:04:05Z"
MODEL = "hf://org/tiny-GGUF"
PROGRAMS = {("Hugging Face", "org/tiny-GGUF"), ("Ollama", "hf.co/org/tiny-GGUF:Q4_0"), ("LM Studio", "org/tiny-GGUF")}


class Hub:
    """A hub on the loopback with two models."""

    def __init__(self, folder: pathlib.Path):
        for seed, name in enumerate(("tiny", "second")):
            repository = folder / "org" / f"{name}-GGUF" / "main"
            repository.mkdir(parents=True)
            tiny_gguf.make(repository / f"{name}-Q4_0.gguf", seed=seed)
            (repository / "config.json").write_text("{}")
        self.process = subprocess.Popen([sys.executable, HERE / "servers/hub_server.py", "--repos", folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = json.loads(self.process.stdout.readline())["hub"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=20)


class Published:
    """A machine with one model in all four stores, as if it had been added long ago."""

    def __init__(self, machine: Machine, hub: Hub):
        self.machine, self.hub = machine, hub
        for folder in (machine.ollama, machine.hub, machine.lm_studio):
            folder.mkdir(parents=True, exist_ok=True)
        self.repository = machine.hub / "models--org--tiny-GGUF"
        self.manifest = machine.ollama / "manifests/hf.co/org/tiny-GGUF/Q4_0"
        self.weights = machine.cache / "models/hf--org--tiny-GGUF/tiny-Q4_0.gguf"
        self.add()

    def add(self):
        self.machine.run("add", MODEL, HF_ENDPOINT=self.hub.url)
        self.places = [self.weights, self.manifest, self.machine.lm_studio / "models/org/tiny-GGUF/tiny-Q4_0.gguf",
                       self.repository / "refs/main"]
        check(all(path.exists() for path in self.places), "add shows the model to all programs")
        check(self.weights.stat().st_nlink == 4, "the weights have four names")
        metadata = self.weights.parent / ".metadata.json"
        text = json.loads(metadata.read_text())
        metadata.write_text(json.dumps(text | {"downloaded_at": OLD_DATE}))
        with sqlite3.connect(self.machine.cache / "registry.db") as registry:
            registry.execute("UPDATE models SET downloaded_at = ?", (OLD_DATE,))
            registry.execute("UPDATE model_usage SET last_used = ?", (OLD_DATE,))
        registry.close()
        self.unread()

    def unread(self):
        status = self.weights.stat()
        os.utime(self.weights, (status.st_mtime - OLD, status.st_mtime))

    def plan(self) -> dict:
        return self.machine.json("clean", "--dry-run")

    def check_kept(self, reason: str):
        plan = self.plan()
        check(plan["items"] == [] and len(plan["kept"]) == 1 and reason in plan["kept"][0], f"kept, {reason}: found {plan}")
        done = self.machine.json("clean", "--yes")
        check(done["items"] == [] and all(path.exists() for path in self.places), f"clean leaves it: {reason}")


def check_offered(model: Published):
    size = model.weights.stat().st_size
    plan = model.plan()
    check([item["name"] for item in plan["items"]] == [MODEL], f"an old model is offered: {plan}")
    item = plan["items"][0]
    check("never used" in item["reason"], f"with the reason: {item}")
    check({(also["program"], also["name"]) for also in item["also_taken_from"]} == PROGRAMS, "and where else it goes from")
    check(item["freed_bytes"] >= size and plan["freed_bytes"] >= size, "its bytes come back")
    page = model.machine.run("clean", "--dry-run").stdout
    check("Also taken from" in page and "Ollama (hf.co/org/tiny-GGUF:Q4_0)" in page, "a page for people says so")
    check(all(path.exists() for path in model.places), "a preview changes nothing")


def check_used(model: Published):
    machine = model.machine
    (model.repository / "snapshots").rglob("*.gguf").__next__().read_bytes()  # as transformers or Ollama would
    model.check_kept("last read today")
    model.unread()
    with model.weights.open("rb") as file:
        reader = subprocess.Popen(["sleep", "60"], stdin=file)
    try:
        model.check_kept("a process has it open")
    finally:
        reader.terminate()
        reader.wait()
    own = machine.ollama / "manifests/registry.ollama.ai/library/mine/latest"
    own.parent.mkdir(parents=True)
    shutil.copyfile(model.manifest, own)  # what `ollama cp` does
    model.check_kept("Ollama lists it as mine:latest")
    shutil.rmtree(machine.ollama / "manifests/registry.ollama.ai")
    own = model.repository / "refs/mine"
    own.write_text((model.repository / "refs/main").read_text())
    model.check_kept("Hugging Face lists it")
    own.unlink()
    app = machine.home / "chat"
    app.mkdir()
    machine.run("link", str(app), "--model", MODEL)
    model.check_kept("linked by chat")
    machine.run("unlink", str(app))


def check_removed(model: Published):
    machine, size = model.machine, model.weights.stat().st_size
    machine.run("verify")
    machine.run("sync", "--yes")
    before = machine.used_bytes()
    done = machine.json("clean", "--yes")
    check([item["name"] for item in done["items"]] == [MODEL], f"reading to compare is no use: {done}")
    check(done["freed_bytes"] >= size, f"{done['freed_bytes']} bytes are free again")
    check(before - machine.used_bytes() >= size, "the disk says so too")
    left = [path for path in [*model.places, model.repository] if path.exists()]
    check(not left and not list((machine.ollama / "blobs").iterdir()), f"it is gone from all programs, left: {left}")
    check(machine.json("status")["models"] == [], "and from the registry")


def check_room_is_made(model: Published):
    model.add()
    model.machine.run("config", "max_cache_size_gb", "0.000001")
    said = model.machine.run("add", "hf://org/second-GGUF", HF_ENDPOINT=model.hub.url).stdout
    check("hf://org/tiny-GGUF: removed" in said and "also taken from" in said, f"add makes room and says so: {said}")
    check(not any(path.exists() for path in model.places), "by the model that nobody used")
    names = [one["model"] for one in model.machine.json("status")["models"]]
    check(names == ["hf://org/second-GGUF"], f"the new one stays: {names}")


def main(mlx_cache: str) -> int:
    # In memory reads are recorded everywhere; the disk of /tmp may be mounted otherwise.
    if os.access("/dev/shm", os.W_OK):
        tempfile.tempdir = "/dev/shm"
    with Machine(pathlib.Path(mlx_cache)) as machine:
        hub = Hub(machine.root / "hub")
        try:
            model = Published(machine, hub)
            if "does not record reads" in "".join(model.plan()["kept"]):
                model.check_kept("this disk does not record reads")
                print("SKIPPED: the disk for temporary files does not record reads: nothing that is shown is cleaned there")
                return 0
            check_offered(model)
            check_used(model)
            check_removed(model)
            check_room_is_made(model)
        finally:
            hub.close()
    print(f"{len(CHECKED)} checks of clean and what was published passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
