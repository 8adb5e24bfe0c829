#!/usr/bin/env python3
"""kill -9 at random moments of add (from disk, by download, while it shows a model to Ollama and the Hugging Face cache), sync and its
undo, adopt, clean and remove: nothing is lost, damaged or left behind.

    run.py --program build/release/bin/mlx-cache --moments 200

Each moment: the verb is started in a scene (scene.py) and killed after a random part of the time that it takes undisturbed. Then
repair and clean run, and everything that must hold is looked at: foreign files have their content, each model is whole or
absent, no rest is left, the registry made again from disk is the same. Then the verb runs to its end.
"""

import argparse
import collections
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from scene import Fault, Scene

ROUNDS_PER_SCENE = 10


class Verb:
    """How a verb is prepared, started, and what holds when it ran to its end."""

    words: list[str] = []

    def prepare(self, scene: Scene) -> None: ...
    def command(self, scene: Scene) -> list[str]: ...
    def ended(self, scene: Scene) -> None: ...


def remove_all(scene: Scene) -> None:
    for source in scene.sources:
        scene.run("remove", f"file://{source}", "--yes", check=False)


class Add(Verb):
    def prepare(self, scene):
        remove_all(scene)

    def command(self, scene):
        return ["add", f"file://{scene.sources[0]}"]

    def ended(self, scene):
        if not any(folder.name.startswith("local--one--") for folder in scene.model_folders()):
            raise Fault("add ended, the model is not there")


class Download(Verb):
    def prepare(self, scene):
        scene.run("remove", "hf://org/other", "--yes", check=False)

    def command(self, scene):
        return ["add", "hf://org/other"]

    def ended(self, scene):
        if "hf--org--other" not in [folder.name for folder in scene.model_folders()]:
            raise Fault("add ended, the model is not there")


class Publish(Verb):
    """The model is in the cache; `add` shows it to the other program. What a kill left there goes with the model."""

    def __init__(self, uri, program):
        self.uri, self.program = uri, program

    def prepare(self, scene):
        scene.run("remove", self.uri(scene), "--yes", check=False)
        scene.check_nothing_published()
        scene.run("add", self.uri(scene), "--no-publish")

    def command(self, scene):
        return ["add", self.uri(scene)]

    def ended(self, scene):
        scene.check_published(self.program)


class Withdraw(Publish):
    """And the way back: `remove` takes it from the other program first."""

    def prepare(self, scene):
        scene.run("add", self.uri(scene))

    def command(self, scene):
        return ["remove", self.uri(scene), "--yes"]

    def ended(self, scene):
        scene.check_nothing_published()


class Sync(Verb):
    def prepare(self, scene):
        scene.run("add", f"file://{scene.sources[0]}")
        scene.copies_again()

    def command(self, scene):
        return ["sync", "--yes"]

    def ended(self, scene):
        inodes = {path.stat().st_ino for path in scene.foreign
                  if path.stat().st_size == len(scene.weights[0]) and scene.app not in path.parents
                  and not any(source in path.parents for source in scene.sources)}
        if len(inodes) != 1:
            raise Fault(f"sync ended, {len(inodes)} copies are left")


class Undo(Verb):
    def prepare(self, scene):
        scene.run("add", f"file://{scene.sources[0]}")
        scene.copies_again()
        scene.run("sync", "--yes")

    def command(self, scene):
        return ["sync", "--undo", "--yes"]

    def ended(self, scene):
        if shared := [path for path in scene.foreign if path.stat().st_nlink > 1 and scene.home / "sources" not in path.parents
                      and path.stat().st_size > 1 << 20]:
            raise Fault(f"undo ended, still shared: {shared}")


class Adopt(Verb):
    def prepare(self, scene):
        for source in scene.sources:
            scene.run("add", f"file://{source}")
        scene.copies_again()

    def command(self, scene):
        return ["adopt", str(scene.app), "--yes"]

    def ended(self, scene):
        alone = [path for path in scene.app.rglob("model.safetensors") if path.stat().st_nlink == 1]
        if alone and not scene.clones:
            raise Fault(f"adopt ended, {len(alone)} copies are left")


class Clean(Verb):
    def prepare(self, scene):
        for source in scene.sources:
            scene.run("add", f"file://{source}")

    def command(self, scene):
        return ["clean", "--older-than-days", "0", "--yes"]

    def ended(self, scene):
        if any(folder.name.startswith("local--") for folder in scene.model_folders()):
            raise Fault("clean ended, unused models are left")


class CleanShown(Verb):
    """Models that the hub's cache and Ollama were shown go from there as well."""

    def prepare(self, scene):
        for uri in (scene.pulled, "hf://org/other"):
            scene.run("add", uri)

    def command(self, scene):
        return ["clean", "--older-than-days", "0", "--yes"]

    def ended(self, scene):
        scene.check_nothing_published()
        if folders := scene.model_folders():
            raise Fault(f"clean ended, unused models are left: {folders}")


class Remove(Verb):
    def prepare(self, scene):
        scene.run("add", f"file://{scene.sources[0]}")

    def command(self, scene):
        return ["remove", f"file://{scene.sources[0]}", "--yes"]

    def ended(self, scene):
        if any(folder.name.startswith("local--one--") for folder in scene.model_folders()):
            raise Fault("remove ended, the model is still there")


def pulled(scene: Scene) -> str:
    return scene.pulled


def downloaded(scene: Scene) -> str:
    return "hf://org/other"


VERBS = {"add": Add(), "download": Download(), "ollama": Publish(pulled, "ollama"), "ollama-back": Withdraw(pulled, "ollama"),
         "hub": Publish(downloaded, "hub"), "hub-back": Withdraw(downloaded, "hub"), "sync": Sync(), "undo": Undo(),
         "adopt": Adopt(), "clean": Clean(), "clean-shown": CleanShown(),
         "remove": Remove()}


def has_clones(folder: pathlib.Path) -> bool:
    source = folder / "clone-source"
    source.write_bytes(b"x" * 100000)
    return subprocess.run(["cp", "--reflink=always", source, folder / "clone"], capture_output=True).returncode == 0


def says_disk_records_no_reads(scene: Scene) -> bool:
    """Then `clean` leaves what other programs were shown."""
    VERBS["clean-shown"].prepare(scene)
    return "does not record reads" in "".join(scene.run("clean", "--dry-run")["kept"])


def undisturbed_seconds(scene: Scene, verb: Verb) -> float:
    shortest = float("inf")
    for _ in range(2):
        verb.prepare(scene)
        begin = time.monotonic()
        scene.run(*verb.command(scene))
        shortest = min(shortest, time.monotonic() - begin)
        verb.ended(scene)
    return shortest


def one_moment(scene: Scene, verb: Verb, seconds: float, chance: random.Random, counts: collections.Counter) -> None:
    verb.prepare(scene)
    process = scene.start(*verb.command(scene))
    try:
        process.wait(timeout=chance.uniform(0, seconds))
        counts["ended before"] += 1
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts["killed"] += 1
    counts["models found whole"] += scene.check_everything()
    verb.prepare(scene)
    scene.run(*verb.command(scene))
    verb.ended(scene)
    scene.check_foreign()


def run_verb(name: str, moments: int, options: argparse.Namespace) -> collections.Counter:
    counts: collections.Counter = collections.Counter()
    chance = random.Random(f"{options.seed} {name}")
    for first in range(0, moments, ROUNDS_PER_SCENE):
        root = pathlib.Path(tempfile.mkdtemp(prefix="mlx-cache-kill9-"))
        stop = []
        try:
            scene = Scene(root, os.path.abspath(options.program), options.seed + first)
            scene.clones = has_clones(root)
            stop.append(scene.close)
            if name == "clean-shown" and says_disk_records_no_reads(scene):
                print("clean-shown is not run: this disk does not record reads", flush=True)
                return counts
            seconds = undisturbed_seconds(scene, VERBS[name])
            for moment in range(first, min(first + ROUNDS_PER_SCENE, moments)):
                try:
                    one_moment(scene, VERBS[name], seconds, chance, counts)
                except Fault as fault:
                    kept = f"{root}-kept"
                    shutil.copytree(root, kept, symlinks=True)
                    raise Fault(f"{name}, moment {moment}: {fault} (left as it is in {kept})") from None
        finally:
            for end in stop:
                end()
            shutil.rmtree(root, ignore_errors=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--moments", type=int, default=20, help="over all verbs")
    parser.add_argument("--verb", choices=list(VERBS), action="append", help="only these")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    verbs = options.verb or list(VERBS)
    each = -(-options.moments // len(verbs))
    total: collections.Counter = collections.Counter()
    for name in verbs:
        try:
            counts = run_verb(name, each, options)
        except Fault as fault:
            print(f"FAILED: {fault}", file=sys.stderr)
            return 1
        total += counts
        print(f"{name:11} {counts['killed']:4} killed, {counts['ended before']:4} ended before, "
              f"{counts['models found whole']:5} models found whole", flush=True)
    print(f"{total['killed'] + total['ended before']} moments, {total['killed']} kills: nothing lost, damaged or left behind")
    return 0


if __name__ == "__main__":
    sys.exit(main())
