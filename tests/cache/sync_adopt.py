#!/usr/bin/env python3
"""sync, adopt and du as people run them: what is found, shared, freed, taken back, and what stays untouched.

    sync_adopt.py --program build/release/bin/mlx-cache
"""

import argparse
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "kill9"))
from scene import Fault, Scene, sha256


def check(holds: bool, *what) -> None:
    if not holds:
        raise Fault(" ".join(map(str, what)))


def inodes(scene: Scene) -> dict:
    return {path: (path.stat().st_ino, stat.S_IMODE(path.stat().st_mode), path.stat().st_mtime_ns) for path in scene.foreign}


def blocks(scene: Scene) -> int:
    """Bytes on disk of everything below the home, each inode once."""
    seen = {}
    for path in scene.home.rglob("*"):
        if path.is_file() and not path.is_symlink() and ".mlx-infrastructure" not in path.parts:
            if path.name not in ("registry.db",) and "journal" not in path.parts and "locks" not in path.parts:
                seen[path.stat().st_ino] = path.stat().st_blocks * 512
    return sum(seen.values())


def copies(scene: Scene, number: int, *folders: str) -> int:
    digest = sha256(scene.sources[number] / "model.safetensors")
    return len({path.stat().st_ino for path, known in scene.foreign.items()
                if known == digest and any((scene.home / folder) in path.parents for folder in folders)})


def preview_changes_nothing(scene: Scene) -> None:
    before, taken = inodes(scene), blocks(scene)
    result = scene.run("sync", "--dry-run")
    check(result["dry_run"] and result["planned_freed_bytes"] > 3_000_000, result)
    check(inodes(scene) == before and blocks(scene) == taken, "a preview changed something")
    check(not scene.model_folders(), "a preview made", scene.model_folders())


def asks_first(scene: Scene) -> None:
    before = inodes(scene)
    done = subprocess.run([scene.program, "sync"], env=scene.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    check(done.returncode == 2 and "--yes" in done.stderr, done)
    check(inodes(scene) == before, "replaced without being asked to")


def sync_leaves_one_copy(scene: Scene) -> None:
    taken = blocks(scene)
    result = scene.run("sync", "--yes")
    shown = {found["model"]: found["what"] for found in result["found"]}
    known = {"ollama://model0:latest", "ollama://model1:latest", "hf://org/model"}
    check(set(shown) == known, shown)
    for name in ("ollama--model0--latest", "ollama--model1--latest", "hf--org--model"):
        check(name in [folder.name for folder in scene.model_folders()], name, "is not shown")
    check((scene.cache / "models/hf--org--model").is_symlink(), "the hub's model is one symlink")
    check((scene.cache / "models/ollama--model0--latest/model.gguf").is_symlink(), "Ollama's blobs are shown by symlinks")
    check(copies(scene, 0, "ollama", "hf") == 1, "copies are left")
    check(taken - blocks(scene) >= result["freed_bytes"] - 65536 and result["freed_bytes"] > 3_000_000,
          "freed", taken - blocks(scene), "of", result["freed_bytes"])
    scene.check_foreign()
    scene.check_models()
    again = scene.run("sync", "--yes")
    check(not again["replaced"] and again["read_bytes"] == 0 and again["journal"] == "", again)
    check({found["what"] for found in again["found"]} == {"known"}, again["found"])


def undo_gives_copies_back(scene: Scene, before: dict) -> None:
    result = scene.run("sync", "--undo", "--yes")
    check(result["restored"] >= 1 and not result["skipped"], result)
    check(copies(scene, 0, "ollama", "hf") == 2, "undo left them shared")
    after = inodes(scene)
    for path, (_, mode, time) in before.items():
        check(after[path][1:] == (mode, time), path, "has another mode or time:", after[path], mode, time)
    scene.check_foreign()
    done = subprocess.run([scene.program, "sync", "--undo", "--yes"], env=scene.environment, capture_output=True, text=True)
    check(done.returncode == 1 and "nothing to undo" in done.stderr, done)


def what_is_gone_is_dropped(scene: Scene) -> None:
    """But not while its whole store is missing: an unmounted volume."""
    folder, away = scene.home / "ollama", scene.home / "away"
    folder.rename(away)
    scene.run("sync", "--yes")
    check((scene.cache / "models/ollama--model1--latest").is_dir(), "a missing volume dropped a model")
    away.rename(folder)
    manifest = folder / "manifests/registry.ollama.ai/library/model1/latest"
    kept = manifest.read_bytes()
    manifest.write_bytes(b"{")
    scene.run("sync", "--yes")
    check((scene.cache / "models/ollama--model1--latest").is_dir(), "a damaged manifest dropped a model")
    manifest.unlink()
    result = scene.run("sync", "--yes")
    check({"gone"} == {found["what"] for found in result["found"] if found["model"] == "ollama://model1:latest"}, result["found"])
    check(not (scene.cache / "models/ollama--model1--latest").exists(), "the dropped model is still shown")
    manifest.write_bytes(kept)
    scene.run("sync", "--yes")
    check((scene.cache / "models/ollama--model1--latest").is_dir(), "it came back and is not shown")
    scene.check_foreign()


def adopt_touches_only_the_folder(scene: Scene) -> None:
    scene.run("add", f"file://{scene.sources[1]}")
    scene.copies_again()
    (scene.app / "copy0" / "link.safetensors").symlink_to(scene.home / "ollama")
    odd = scene.app / "odd\x1b[31m\n"
    odd.mkdir()
    shutil.copy(scene.sources[1] / "model.safetensors", odd / "model.safetensors")
    outside = {path: entry for path, entry in inodes(scene).items() if scene.app not in path.parents}
    result = scene.run("adopt", str(scene.app), "--yes")
    check(len(result["replaced"]) == 2, result)
    check(len(result["problems"]) == 1 and "odd\\x1b[31m\\x0a" in result["problems"][0], result["problems"])
    check((odd / "model.safetensors").stat().st_nlink == 1, "a file whose name cannot be written down was replaced")
    now = inodes(scene)
    check(all(now[path][0] == entry[0] for path, entry in outside.items()), "a file outside the folder was replaced")
    scene.check_foreign()
    text = subprocess.run([scene.program, "adopt", str(scene.app), "--undo", "--yes"], env=scene.environment,
                          capture_output=True, text=True)
    own = "0 files have their own copies again, 2 had them already"  # clones
    check(text.returncode == 0 and ("2 files have their own copies again" in text.stdout or own in text.stdout), text)
    check("\x1b" not in text.stdout, "a name is printed raw")
    check(all(path.stat().st_nlink == 1 for path in scene.app.rglob("model.safetensors")), "undo left a link")
    scene.check_foreign()
    for words in (["adopt", str(scene.home / "nowhere")], ["adopt", str(scene.sources[0] / "config.json")]):
        done = subprocess.run([scene.program, *words], env=scene.environment, capture_output=True, text=True)
        check(done.returncode == 1 and "expected a folder with models" in done.stderr, done)


def du_counts_blocks_once(scene: Scene) -> None:
    scene.run("sync", "--yes")
    result = scene.run("du", "--files")
    seen = {file["inode"]: file["allocated_bytes"] for file in result["files"]}
    check(sum(seen.values()) == result["used_bytes"], result["used_bytes"], sum(seen.values()))
    for file in result["files"]:
        path = pathlib.Path(file["path"])
        check(path.stat().st_blocks * 512 == file["allocated_bytes"], file)
    check(result["saved_bytes"] == result["named_bytes"] - result["used_bytes"] > 3_000_000, result)
    check(sum(model["counted_bytes"] for model in result["models"]) == result["used_bytes"], "models do not add up")


def stats_say_what_the_disk_says(scene: Scene) -> None:
    scene.copies_again()
    before, taken = scene.run("stats"), blocks(scene)
    scene.run("sync", "--yes")
    after = scene.run("stats")
    check(abs((before["used_bytes"] - after["used_bytes"]) - (taken - blocks(scene))) < 65536, before, after, taken, blocks(scene))
    check(abs(after["saved_bytes"] - before["saved_bytes"] - (taken - blocks(scene))) < 65536, before, after)
    check(after["saved_bytes"] == scene.run("du")["saved_bytes"], "stats and du differ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    root = pathlib.Path(tempfile.mkdtemp(prefix="mlx-cache-sync-"))
    scene = Scene(root, os.path.abspath(parser.parse_args().program), 5)
    try:
        before = inodes(scene)
        preview_changes_nothing(scene)
        asks_first(scene)
        sync_leaves_one_copy(scene)
        undo_gives_copies_back(scene, before)
        what_is_gone_is_dropped(scene)
        adopt_touches_only_the_folder(scene)
        du_counts_blocks_once(scene)
        stats_say_what_the_disk_says(scene)
    except Fault as fault:
        print(f"FAILED: {fault}", file=sys.stderr)
        return 1
    finally:
        scene.close()
        shutil.rmtree(root, ignore_errors=True)
    print("sync, adopt and du: all as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
