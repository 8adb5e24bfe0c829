"""A store of a test, a registry with a model in it, and `mlx-cache add` of that model: what the tests of `add` share."""

import json
import os
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "servers"))
import registry_server  # noqa: E402


class Adding:
    def __init__(self, program: str, folder: pathlib.Path, weight_bytes: int, auth: str = "", seed: int = 1):
        self.program, self.home = program, folder / "home"
        self.home.mkdir(parents=True)
        self.rules_file, self.record_file = folder / "rules.json", folder / "record.jsonl"
        store = folder / "registry"
        self.weights = b"GGUF" + random.Random(seed).randbytes(weight_bytes - 4)
        registry_server.put_manifest(store, "library/tiny:latest",
                                     [("model", self.weights), ("template", b"{{ .Prompt }}"), ("params", b'{"top_k":1}')],
                                     b'{"model_format":"gguf","model_family":"llama"}')
        self.server = registry_server.Registry(store, auth=auth, rules=self.rules_file, record=self.record_file)
        self.uri = "ollama://" + self.server.url("registry").removeprefix("http://") + "/library/tiny:latest"
        self.environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "TERM": "dumb"}

    def rules(self, *rules: dict) -> None:
        self.rules_file.write_text(json.dumps(list(rules)))

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([self.program, "add", self.uri, "--no-publish", *words], env=self.environment,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def add(self, *words: str) -> tuple[int, str]:
        """Exit status, and everything it said."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        return process.returncode, out + err

    def cache(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([self.program, *words], env=self.environment, capture_output=True, text=True)

    def store(self) -> pathlib.Path:
        return self.home / ".mlx-cache"

    def model(self) -> pathlib.Path | None:
        found = [path for path in (self.store() / "models").glob("*/model.gguf") if not path.parent.name.startswith(".")]
        return found[0] if found else None

    def is_whole(self) -> bool:
        model = self.model()
        return model is not None and model.read_bytes() == self.weights and (model.parent / ".metadata.json").is_file()

    def leftovers(self) -> list[str]:
        folders = [self.store() / "incoming", self.store() / "models"]
        return [path.name for folder in folders if folder.is_dir() for path in folder.iterdir()
                if folder.name == "incoming" or path.name.startswith(".")]

    def requests(self) -> list[dict]:
        if not self.record_file.exists():
            return []
        return [json.loads(line) for line in self.record_file.read_text().splitlines()]

    def weight_requests(self) -> list[dict]:
        names = {f"sha256-{path.name.removeprefix('sha256-')}" for path in (self.server.store / "blobs").iterdir()
                 if path.stat().st_size == len(self.weights)}
        return [line for line in self.requests() if line["server"] == "cdn" and any(name in line["path"] for name in names)]

    def close(self) -> None:
        self.server.close()


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)
