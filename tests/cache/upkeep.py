#!/usr/bin/env python3
"""mlx-cache's commands around the registry, as people and other programs run them.

    upkeep.py PROGRAM
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Store:
    """A home of its own with models as `add` would have left them."""

    def __init__(self):
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="mlx_cache_test_"))
        self.root = self.home / ".mlx-cache"
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def remove(self):
        shutil.rmtree(self.home)

    def write_model(self, uri: str, folder: str, files: dict[str, bytes]):
        path = self.root / "models" / folder
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        metadata = {
            "metadata": 1, "model": uri, "revision": "c" * 40, "downloaded_at": "2026-01-02T03:04:05Z",
            "endpoint": "https://huggingface.co", "partial": False,
            "files": [{"name": name, "size": len(content), "digest": "sha256:" + sha256(content),
                       "sha256": sha256(content)} for name, content in files.items()],
        }
        (path / ".metadata.json").write_text(json.dumps(metadata))

    def begin(self, models: int = 1):
        self.root.mkdir()
        (self.root / ".mlx-cache").write_text("")
        (self.root / "config.yaml").write_text("huggingface_sync: false\nlm_studio_sync: false\n")
        for number in range(models):
            self.write_model(f"hf://org/model-{number}", f"hf--org--model-{number}",
                             {"config.json": b"{}", "model.safetensors": b"weights %d" % number})
        self.json("repair", "--yes")

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAM, *arguments], env=self.environment, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False)

    def json(self, *arguments: str, code: int = 0) -> dict:
        done = self.run(*arguments, "--json")
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout.splitlines()[-1])


class Upkeep(unittest.TestCase):
    def setUp(self):
        self.store = Store()
        self.addCleanup(self.store.remove)

    def names(self) -> list[str]:
        return [model["model"] for model in self.store.json("status")["models"]]

    def error(self, *arguments: str, code: int) -> str:
        return self.store.json(*arguments, code=code)["error"]["message"]

    def test_nothing_there_yet(self):
        status = self.store.json("status")
        self.assertEqual((status["present"], status["models"]), (False, []))
        self.assertIn("There is no model cache", self.store.run("status").stdout)
        self.assertIn("mlx-cache add", self.error("path", "hf://org/model", code=1))
        self.assertIn("no model cache", self.error("verify", code=1))
        self.assertFalse(self.store.root.exists())

    def test_status_for_people_and_programs(self):
        self.store.begin()
        page = self.store.run("status").stdout
        for part in ("hf://org/model-0", "ready", "1 model", "of 100 GB"):
            self.assertIn(part, page)
        self.assertNotIn("\x1b", page)
        status = self.store.json("status", "--check")
        self.assertTrue(status["ok"])
        self.assertEqual(status["models"][0]["identifier"], "org/model-0")
        self.assertEqual(status["models"][0]["size_bytes"], 11)

    def test_names_with_numbers_come_in_their_order(self):
        self.store.begin(12)
        self.assertEqual(self.names(), [f"hf://org/model-{number}" for number in range(12)])

    def test_every_command_takes_the_same_options(self):
        self.store.begin()
        listed = self.store.run("--help").stdout.split("Commands\n")[1].split("\n\n")[0].splitlines()
        commands = [name for name in (line.split()[0] for line in listed) if name != "completion"]
        self.assertEqual(len(commands), 16)
        for command in commands:
            page = self.store.run(command, "--help").stdout
            for option in ("--json", "--quiet", "--dry-run", "--yes", "--verbose"):
                self.assertIn(option, page, command)
        before = self.store.json("status")
        for words in (["status"], ["stats"], ["du"], ["path", "org/model-0"], ["verify"], ["config"]):
            self.assertEqual(self.store.json(*words, "-n", "-y", "-v"), self.store.json(*words), words)
        done = self.store.run("link", str(self.store.home), "-v", "-n")
        self.assertIn("settings  ~/.mlx-cache/config.yaml\n", done.stderr)
        self.store.json("config", "auto_clean", "no", "--dry-run")
        self.assertTrue(self.store.json("config", "auto_clean")["auto_clean"])
        self.store.json("export", "--output", str(self.store.home / "models.json"), "--dry-run")
        self.assertFalse((self.store.home / "models.json").exists())
        (self.store.root / "models/hf--org--model-0/model.safetensors").write_bytes(b"weights 9")
        self.assertFalse(self.store.json("verify", "--dry-run", code=1)["ok"])
        self.assertEqual(before["models"][0]["state"], self.store.json("status")["models"][0]["state"])

    def test_a_hundred_models_are_listed_without_a_look_at_their_folders(self):
        self.store.begin(100)
        shutil.rmtree(self.store.root / "models")
        self.assertEqual(len(self.names()), 100)
        # With one it sees that they are gone.
        self.assertEqual(len(self.store.json("status", "--check", code=1)["faults"]), 200)

    def test_a_volume_that_is_away(self):
        self.store.begin()
        away = self.store.home / "away"
        self.store.root.rename(away)
        (self.store.root / "models").mkdir(parents=True)  # the mount point
        self.assertFalse(self.store.json("status")["present"])
        self.assertIn("volume", self.error("repair", "--yes", code=2) + self.error("verify", code=1))
        self.assertNotEqual(self.store.run("clean", "--yes").returncode, 0)
        shutil.rmtree(self.store.root)
        away.rename(self.store.root)
        self.assertEqual(self.names(), ["hf://org/model-0"])
        self.assertEqual(self.store.json("status")["models"][0]["state"], "ready")

    def test_a_linked_model_is_not_removed(self):
        self.store.begin()
        app = self.store.home / "chat"
        app.mkdir()
        self.store.json("link", str(app), "--model", "org/model-0")
        self.assertEqual(self.store.json("status")["apps"][0]["models"], 1)
        self.assertIn("is used by chat", self.error("remove", "org/model-0", "--yes", code=2))
        plan = self.store.json("clean", "--older-than-days", "0", "--yes")
        self.assertEqual(plan["items"], [])
        self.assertIn("linked by chat", plan["kept"][0])
        self.store.json("unlink", str(app), "--dry-run")
        self.store.json("unlink", str(app))
        self.assertEqual(self.store.json("status")["apps"], [])
        self.assertIn("--yes agrees", self.error("remove", "org/model-0", code=2))
        self.store.json("remove", "org/model-0", "--dry-run")
        self.assertEqual(len(self.names()), 1)
        self.store.json("remove", "org/model-0", "--yes")
        self.assertEqual(list((self.store.root / "models").iterdir()), [])
        self.assertIn("not in the cache", self.error("remove", "org/model-0", "--yes", code=1))

    def test_clean_shows_first_what_it_would_remove(self):
        self.store.begin()
        shown = self.store.json("clean", "--dry-run")
        self.assertEqual([item["name"] for item in shown["items"]], ["hf://org/model-0"])
        self.assertIn("no app uses it", self.store.run("clean", "--dry-run").stdout)
        self.assertEqual(len(self.names()), 1)
        self.assertGreater(self.store.json("clean", "--yes")["freed_bytes"], 0)
        self.assertEqual(self.names(), [])

    def test_damage_is_found_and_named(self):
        self.store.begin(2)
        self.assertEqual(self.store.json("verify")["files"], 4)
        (self.store.root / "models/hf--org--model-1/model.safetensors").write_bytes(b"weights X")
        report = self.store.json("verify", code=1)
        self.assertEqual([fault["model"] for fault in report["faults"]], ["hf://org/model-1"])
        states = {model["model"]: model["state"] for model in self.store.json("status")["models"]}
        self.assertEqual(states, {"hf://org/model-0": "ready", "hf://org/model-1": "damaged"})
        self.assertIn("is damaged", self.error("path", "org/model-1", code=1))
        self.assertTrue(self.store.json("verify", "org/model-0")["ok"])

    def test_the_registry_comes_back_from_disk(self):
        self.store.begin(3)
        before = self.store.json("status")["models"]
        registry = self.store.root / "registry.db"
        registry.unlink()
        self.assertEqual(self.store.json("status")["models"], before)
        registry.write_bytes(b"x" * 5000)
        self.assertIn("`repair`", self.error("status", code=1))
        self.assertIn("set registry.db aside", self.store.json("repair", "--dry-run")["done"][0])
        self.store.json("repair", "--yes")
        self.assertEqual(self.store.json("status")["models"], before)

    def test_paths_for_scripts(self):
        self.store.begin()
        self.store.write_model("ollama://x:y", "ollama--x--y", {"model.gguf": b"w", "template": b"t"})
        self.store.json("repair", "--yes")
        models = self.store.root / "models"
        self.assertEqual(self.store.run("path", "ollama://x:y").stdout, f"{models}/ollama--x--y/model.gguf\n")
        self.assertEqual(self.store.json("path", "org/model-0")["path"], f"{models}/hf--org--model-0")
        self.assertIn("Did you mean 'hf://org/model-0'", self.error("path", "hf://org/model-9", code=1))
        self.assertNotEqual(self.store.json("status")["models"][0]["last_used"], "")

    def test_export_and_import(self):
        self.store.begin()
        self.store.json("link", str(self.store.home), "--model", "org/model-0", "--name", "Chat")
        self.store.json("export", "--output", str(self.store.home / "models.json"))
        other = Store()
        self.addCleanup(other.remove)
        shown = other.json("import", str(self.store.home / "models.json"), "--dry-run")
        self.assertEqual((shown["apps"], shown["to_add"]), (1, ["hf://org/model-0"]))
        other.json("import", str(self.store.home / "models.json"))
        self.assertEqual(other.json("status")["apps"][0]["name"], "Chat")
        (self.store.home / "bad.json").write_text('{"mlx_cache_export": 1}')
        self.assertIn("'models' is missing", self.error("import", str(self.store.home / "bad.json"), code=2))

    def test_settings(self):
        shown = self.store.json("config")
        self.assertEqual(shown["settings"]["max_cache_size_gb"], 100)
        self.assertEqual(shown["from"]["auto_clean"], "default")
        self.store.root.mkdir()
        self.assertEqual(self.store.json("config", "max_cache_size_gb", "7"), {"max_cache_size_gb": 7})
        self.assertEqual(self.store.run("config", "max_cache_size_gb").stdout, "7.0\n")
        self.assertIn("Did you mean 'auto_clean'", self.error("config", "autoclean", "no", code=2))
        self.store.json("config", "cache_dir", str(self.store.home / "elsewhere"))
        self.assertEqual(self.store.json("status")["cache_dir"], str(self.store.home / "elsewhere"))

    def test_stats_for_programs(self):
        self.store.begin(2)
        stats = self.store.json("stats")
        for key in ("stores", "named_bytes", "used_bytes", "saved_bytes", "saved_share", "problems"):
            self.assertIn(key, stats)
        self.assertEqual(stats["stores"][0]["models"], 2)
        self.assertIn("without sharing", self.store.run("stats").stdout)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
