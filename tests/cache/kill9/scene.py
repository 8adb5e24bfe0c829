"""A home folder with the same weights in our cache, Ollama, the Hugging Face cache and an app; and what must hold there."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "servers"))
from registry_server import Registry, put_manifest  # noqa: E402

MIB = 1 << 20
SERVER = pathlib.Path(__file__).resolve().parent.parent / "servers" / "hub_server.py"
OLD = 3 * 24 * 3600  # seconds: beyond every grace


def sha256(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Fault(Exception):
    """What was expected after a kill and is not so."""


class Scene:
    """Everything lies below one folder; no other file of the machine is read or written."""

    def __init__(self, root: pathlib.Path, program: str, seed: int):
        self.root, self.program = root, program
        self.home, self.cache = root / "home", root / "home" / ".mlx-cache"
        self.random = random.Random(seed)
        self.environment = {
            "HOME": str(self.home), "PATH": os.environ.get("PATH", ""), "TMPDIR": str(root),
            "MLX_CACHE_DIR": str(self.cache), "MLX_INFRASTRUCTURE_HOME": str(self.home / ".mlx-infrastructure"),
            "HF_HOME": str(self.home / "hf"), "OLLAMA_MODELS": str(self.home / "ollama"), "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        self.app = self.home / "app"
        self.sources = [self.home / "sources" / name for name in ("one", "two")]
        self.foreign: dict[pathlib.Path, str] = {}
        self.build()
        self.start_hub()
        self.start_registry()

    def start_registry(self) -> None:
        """Ollama's registry on the loopback with a model that is nowhere else."""
        store = self.root / "registry"
        self.served = put_manifest(store, "library/tiny:latest",
                                   [("model", b"GGUF" + self.random.randbytes(MIB)), ("template", b"{{ .System }}")],
                                   b'{"model_format":"gguf","model_family":"llama","number":3}')
        self.registry = Registry(store)
        self.pulled = "ollama://" + self.registry.url("registry").removeprefix("http://") + "/library/tiny:latest"

    def start_hub(self) -> None:
        """A hub on the loopback with one model that is nowhere else."""
        folder = self.root / "repositories" / "org" / "other" / "main"
        folder.mkdir(parents=True)
        for name, content in {"config.json": b'{"model_type":"llama"}', "a.safetensors": self.random.randbytes(3 * MIB),
                              "b.safetensors": self.random.randbytes(2 * MIB)}.items():
            (folder / name).write_bytes(content)
        self.hub = subprocess.Popen([sys.executable, str(SERVER), "--repos", str(self.root / "repositories")],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.environment["HF_ENDPOINT"] = json.loads(self.hub.stdout.readline())["hub"]

    def close(self) -> None:
        self.registry.close()
        self.hub.stdin.close()
        self.hub.wait(timeout=20)

    # -- what lies there --------------------------------------------------------------------------

    def build(self) -> None:
        self.weights = [self.random.randbytes(3 * MIB + 17), self.random.randbytes(2 * MIB)]
        for source, weights in zip(self.sources, self.weights):
            source.mkdir(parents=True)
            (source / "config.json").write_text('{"model_type":"llama"}')
            (source / "sub").mkdir()
            (source / "model.safetensors").write_bytes(weights)
            (source / "sub" / "tokenizer.json").write_text(json.dumps({"name": source.name}))
        self.build_ollama()
        self.build_hub()
        for number, weights in enumerate(self.weights):
            folder = self.app / f"copy{number}"
            folder.mkdir(parents=True)
            (folder / "config.json").write_text("{}")
            (folder / "model.safetensors").write_bytes(weights)
        for folder in (self.home / "ollama", self.home / "hf", self.app, *self.sources):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    self.foreign[path] = sha256(path)

    def build_ollama(self) -> None:
        root = self.home / "ollama"
        (root / "blobs").mkdir(parents=True)
        for number, weights in enumerate(self.weights):
            layers = []
            for kind, content in (("model", weights), ("template", b"{{ .Prompt }}%d" % number)):
                digest = hashlib.sha256(content).hexdigest()
                (root / "blobs" / f"sha256-{digest}").write_bytes(content)
                layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}",
                               "size": len(content)})
            config = json.dumps({"model_format": "gguf", "model_family": "llama", "number": number}).encode()
            digest = hashlib.sha256(config).hexdigest()
            (root / "blobs" / f"sha256-{digest}").write_bytes(config)
            manifest = root / "manifests" / "registry.ollama.ai" / "library" / f"model{number}" / "latest"
            manifest.parent.mkdir(parents=True)
            manifest.write_text(json.dumps({
                "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": f"sha256:{digest}",
                           "size": len(config)}, "layers": layers}))

    def build_hub(self) -> None:
        commit = "0123456789abcdef0123456789abcdef01234567"
        repo = self.home / "hf" / "hub" / "models--org--model"
        snapshot = repo / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (repo / "blobs").mkdir()
        (repo / "refs").mkdir()
        config = b'{"model_type":"llama"}'
        names = {"model.safetensors": (self.weights[0], hashlib.sha256(self.weights[0]).hexdigest()),
                 "config.json": (config, hashlib.sha1(b"blob %d\0" % len(config) + config).hexdigest())}
        for name, (content, etag) in names.items():
            (repo / "blobs" / etag).write_bytes(content)
            (snapshot / name).symlink_to(f"../../blobs/{etag}")
        (repo / "refs" / "main").write_text(commit)

    def copies_again(self) -> None:
        """Every foreign file gets an inode of its own, as its program would have written it."""
        for path in self.foreign:
            if path.stat().st_nlink > 1 or not os.access(path, os.W_OK):
                copy = path.with_name("." + path.name + ".copy")
                shutil.copyfile(path, copy)
                os.replace(copy, path)

    # -- the program ------------------------------------------------------------------------------

    def run(self, *words: str, check: bool = True) -> dict:
        done = subprocess.run([self.program, *words, "--json"], env=self.environment, cwd=self.root,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
        if check and done.returncode != 0:
            raise Fault(f"{' '.join(words)}: exit {done.returncode}: {done.stdout[-600:]} {done.stderr[-600:]}")
        lines = done.stdout.strip().splitlines()
        return json.loads(lines[-1]) if lines else {}

    def start(self, *words: str) -> subprocess.Popen:
        return subprocess.Popen([self.program, *words, "--json"], env=self.environment, cwd=self.root,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # -- what must hold ---------------------------------------------------------------------------

    def check_foreign(self) -> None:
        for path, digest in self.foreign.items():
            if not path.is_file():
                raise Fault(f"{path} is lost")
            if sha256(path) != digest:
                raise Fault(f"{path} has another content")

    def served_digests(self) -> list[str]:
        manifest = json.loads(self.served)
        return [part["digest"].removeprefix("sha256:") for part in (manifest["config"], *manifest["layers"])]

    def check_published(self, program: str) -> None:
        """The other program has the whole model."""
        if program == "ollama":
            manifest = self.home / "ollama/manifests" / self.pulled.removeprefix("ollama://").replace(":latest", "/latest")
            if manifest.read_bytes() != self.served:
                raise Fault("Ollama has another manifest")
            for digest in self.served_digests():
                if sha256(self.home / "ollama/blobs" / f"sha256-{digest}") != digest:
                    raise Fault(f"Ollama's blob {digest} is damaged")
            return
        repo = self.home / "hf/hub/models--org--other"
        snapshot = repo / "snapshots" / (repo / "refs/main").read_text()
        for source in (self.root / "repositories/org/other/main").iterdir():
            if sha256(snapshot / source.name) != sha256(source):
                raise Fault(f"the hub's {source.name} is damaged")

    def check_nothing_published(self) -> None:
        """Neither Ollama nor the Hugging Face cache has a byte of a model that was removed here."""
        ollama = self.home / "ollama"
        left = [path for digest in self.served_digests() if (path := ollama / "blobs" / f"sha256-{digest}").exists()]
        left += [path for path in [ollama / ".mlx-cache"] if path.exists()]
        left += [path for path in [self.home / "hf/hub/models--org--other"] if path.exists()]
        left += [path for path in (ollama / "manifests").iterdir() if path.name != "registry.ollama.ai"]
        if left:
            raise Fault(f"left in other programs' stores: {left}")

    def model_folders(self) -> list[pathlib.Path]:
        models = self.cache / "models"
        return [path for path in sorted(models.iterdir()) if not path.name.startswith(".")] if models.is_dir() else []

    def check_models(self) -> int:
        """Every model that is there is whole. Returns how many."""
        folders = self.model_folders()
        for folder in folders:
            inside, beside = folder / ".metadata.json", folder.with_name(f".{folder.name}.metadata.json")
            metadata = json.loads((beside if folder.is_symlink() else inside).read_text())
            if not metadata["files"]:
                raise Fault(f"{folder.name} has no files")
            for file in metadata["files"]:
                path = folder / file["name"]
                if not path.is_file() or sha256(path) != file["sha256"]:
                    raise Fault(f"{path}: lost or damaged")
        return len(folders)

    def check_nothing_left(self) -> None:
        """`clean` took every rest: no part, no temporary name, no half folder."""
        known = {f".{folder.name}.metadata.json" for folder in self.model_folders() if folder.is_symlink()}
        rests = [path for path in self.home.rglob("*")
                 if path.name.startswith(".mlx-cache-") or path.name.endswith(".incomplete")]
        rests += [path for path in (self.cache / "models").glob(".*") if path.name not in known]
        rests += list((self.cache / "incoming").iterdir())
        if rests:
            raise Fault("left behind: " + ", ".join(str(path.relative_to(self.home)) for path in rests[:8]))

    def grow_old(self) -> None:
        """Rests of a download may be resumed for a day: let that day be over."""
        folders = [self.cache / "incoming", *(path for path in (self.cache / "models").glob(".*"))]
        for folder in folders:
            for path in [folder, *folder.rglob("*")] if folder.is_dir() and not folder.is_symlink() else [folder]:
                time = path.lstat().st_mtime - OLD
                os.utime(path, (time, time), follow_symlinks=False)

    def rows(self) -> list[tuple]:
        with sqlite3.connect(f"file:{self.cache / 'registry.db'}?mode=ro", uri=True) as database:
            return sorted(database.execute(
                "SELECT source, identifier, local_path, size_bytes, checksum, is_symlink, state FROM models"))

    def check_registry_rebuilt(self) -> None:
        before = self.rows()
        for path in self.cache.glob("registry.db*"):
            path.unlink()
        self.run("repair")
        after = self.rows()
        if before != after:
            raise Fault(f"the registry made from disk differs: {before} became {after}")
        folders = {str(folder) for folder in self.model_folders()}
        if folders != {row[2] for row in after}:
            raise Fault(f"folders {sorted(folders)} and rows {[row[2] for row in after]} differ")

    def check_everything(self) -> int:
        self.run("repair")
        self.grow_old()
        self.run("clean", "--older-than-days", "36500", "--max-size-gb", "0", "--yes")
        verified = self.run("verify")
        if verified.get("ok") is False or verified.get("faults"):
            raise Fault(f"verify: {verified}")
        self.check_foreign()
        self.check_nothing_left()
        models = self.check_models()
        self.check_registry_rebuilt()
        return models
