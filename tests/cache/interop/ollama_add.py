#!/usr/bin/env python3
"""`mlx-cache add` and the real Ollama: what we add it lists, runs and keeps over a restart; what it removes stays ours.

    ollama_add.py MLX_CACHE

Our registry server speaks Ollama's protocol to both, so both pull the same model and are compared byte by byte.
"""

import hashlib
import json
import pathlib
import sys

import tiny_gguf
from machine import CHECKED, Machine, check, sha256_of
from real_ollama import Ollama, program

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "servers"))
from registry_server import Registry, put_manifest  # noqa: E402

TEMPLATE = b"{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"


class Served:
    """A registry on loopback with one tiny model, a rule file and a record of what was asked."""

    def __init__(self, machine: Machine, auth: str = ""):
        self.rules, self.record = machine.root / "rules.json", machine.root / "asked.jsonl"
        self.store = machine.root / "served"
        gguf = machine.root / "served.gguf"
        tiny_gguf.make(gguf, seed=2, name="served")
        config = {"model_format": "gguf", "model_family": "llama", "model_families": ["llama"], "model_type": "1.8M",
                  "file_type": "F32", "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}}
        self.manifest = put_manifest(
            self.store, "library/served:1b",
            [("model", gguf.read_bytes()), ("template", TEMPLATE), ("params", b'{"stop":["<|im_end|>"]}'),
             ("license", b"free")], json.dumps(config).encode())
        self.weights = hashlib.sha256(gguf.read_bytes()).hexdigest()
        self.registry = Registry(self.store, auth=auth, rules=self.rules, record=self.record)

    def name(self) -> str:
        return self.registry.url("registry").removeprefix("http://") + "/library/served:1b"

    def asked(self) -> list[dict]:
        return [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []

    def forget(self, rules: list[dict] | None = None) -> None:
        self.record.unlink(missing_ok=True)
        self.rules.write_text(json.dumps(rules or []))


def blob(machine: Machine, digest: str) -> pathlib.Path:
    return machine.ollama / "blobs" / f"sha256-{digest}"


def model_folder(machine: Machine) -> pathlib.Path:
    folders = [folder for folder in (machine.cache / "models").iterdir()
               if folder.name.startswith("ollama--") and folder.name.endswith("served--1b")]
    check(len(folders) == 1, f"one folder for the model, found {folders}")
    return folders[0]


def add_from_registry(machine: Machine, ollama: Ollama, served: Served) -> None:
    name = served.name()
    result = machine.json("add", f"ollama://{name}")
    check(result["downloaded_bytes"] > 7_000_000, "the model came over the network once")
    check(ollama.names() == [name], f"`ollama list` shows it, found {ollama.names()}")
    folder = model_folder(machine)
    check(blob(machine, served.weights).samefile(folder / "model.gguf"), "its blob is our file: no second copy")
    manifest = machine.ollama / "manifests" / name.replace(":1b", "/1b")
    check(manifest.read_bytes() == served.manifest, "its manifest is the registry's, byte for byte")
    check(ollama.generate(name)["eval_count"] > 0, "it runs")
    tokens = [line["authorization"] for line in served.asked() if line["server"] == "cdn"]
    check(tokens and not any(tokens), "no token went to the second origin")
    text = "".join(path.read_text(errors="replace") for path in machine.home.rglob("*")
                   if path.is_file() and path.suffix in (".log", ".json", ".db", ".jsonl", ".yaml"))
    check(served.registry.token not in text and "X-Signature" not in text, "no token and no signed address was written")


def survives(machine: Machine, ollama: Ollama, served: Served) -> None:
    name = served.name()
    ollama.restart()
    check(ollama.names() == [name], "it is there after a restart with its prune")
    check(ollama.generate(name)["eval_count"] > 0, "and runs")
    ollama.command("rm", name)
    folder = model_folder(machine)
    check(not blob(machine, served.weights).exists(), "`ollama rm` took Ollama's name")
    check(sha256_of(folder / "model.gguf") == served.weights, "ours is whole")
    machine.run("verify")
    served.forget()
    result = machine.json("add", f"ollama://{name}")
    check(result.get("downloaded_bytes", 0) == 0, "adding it again downloads nothing")
    check(ollama.names() == [name], "and Ollama has it back")


def real_pull_agrees(machine: Machine, served: Served) -> None:
    """The real Ollama pulls the same model from the same server into a store of its own."""
    other = machine.root / "other"
    with Ollama(machine.root / "other_home", other) as ollama:
        ollama.post("/api/pull", {"model": served.name(), "insecure": True, "stream": False})
        ours = {path.name for path in (machine.ollama / "blobs").iterdir()}
        theirs = {path.name for path in (other / "blobs").iterdir()}
        check(theirs == ours, f"the same blobs as Ollama's own pull: {theirs ^ ours}")
        for name in theirs:
            check(sha256_of(machine.ollama / "blobs" / name) == name.removeprefix("sha256-"), f"{name} is its content")


def add_what_ollama_has(machine: Machine, ollama: Ollama, served: Served) -> None:
    """Pulled by Ollama, found by sync, then added: kept without a download and without a copy."""
    name = served.name()
    ollama.post("/api/pull", {"model": name, "insecure": True, "stream": False})
    machine.run("sync", "--yes")
    weights = model_folder(machine) / "model.gguf"
    check(weights.is_symlink(), "a found model is a link")
    before = machine.used_bytes()
    served.forget()
    result = machine.json("add", f"ollama://{name}")
    # Weights and texts are here; only the manifest, of which nobody has a verified copy, may come again.
    check(result["downloaded_bytes"] < 10_000, f"nothing is downloaded, found {result['downloaded_bytes']}")
    check(not any("/data/" in line["path"] for line in served.asked()), "no blob is asked for")
    check(not weights.is_symlink() and weights.samefile(blob(machine, served.weights)), "the file is Ollama's own")
    check(machine.used_bytes() - before < 500_000, "no copy")
    machine.run("remove", f"ollama://{name}", "--yes")
    check(ollama.names() == [name] and ollama.generate(name)["eval_count"] > 0,
          "removing ours takes nothing that Ollama had before")
    machine.run("add", f"ollama://{name}")
    ollama.command("rm", name)
    check(sha256_of(weights) == served.weights, "now it outlives `ollama rm`")
    machine.run("remove", f"ollama://{name}", "--yes")


def remove(machine: Machine, ollama: Ollama, served: Served) -> None:
    machine.run("remove", f"ollama://{served.name()}", "--yes", "--force", expect=None)
    if any((machine.cache / "models").glob("ollama--*served--1b")):
        machine.run("remove", f"ollama://{served.name()}", "--yes")
    check(ollama.names() == [], f"`mlx-cache remove` takes it back from Ollama, found {ollama.names()}")
    check(list((machine.ollama / "blobs").iterdir()) == [], "with its blobs")
    check(not any((machine.cache / "models").glob("ollama--*")), "and from our store")


def faults(machine: Machine, served: Served) -> None:
    uri = f"ollama://{served.name()}"

    def refused(rules: list[dict], words: str, what: str) -> None:
        served.forget(rules)
        done = machine.run("add", uri, expect=None)
        check(done.returncode != 0, f"{what}: refused")
        check(words in done.stdout + done.stderr, f"{what}: says '{words}', found {done.stderr[-600:]}")
        check(not any((machine.cache / "models").glob("ollama--*")), f"{what}: nothing is published")
        check(not any(machine.ollama.glob("manifests/127*")), f"{what}: Ollama is not told of it")

    manifest = json.loads(served.manifest)
    hostile = json.loads(served.manifest)
    hostile["layers"][0]["digest"] = "sha256:../../../../../../etc/passwd"
    larger = json.loads(served.manifest)
    larger["layers"][0]["size"] += 7
    refused([{"path": "manifests", "body": json.dumps(hostile)}], "64 hexadecimal digits", "digest that is a path")
    refused([{"path": "manifests", "body": "{\"schemaVersion\":2"}], "manifests/1b", "half a manifest")
    refused([{"path": "manifests", "status": 404}], "1b", "unknown model")
    refused([{"path": "manifests", "status": 401}], "names no way to sign in", "refused without a challenge")
    refused([{"path": "manifests", "body": json.dumps(larger)}], "", "size that is not the blob's")
    refused([{"server": "cdn", "path": served.weights, "corrupt": True}], "sha256", "changed content")
    tensors = manifest | {"layers": [layer | {"mediaType": "application/vnd.ollama.image.tensor"}
                                     for layer in manifest["layers"]]}
    refused([{"path": "manifests", "body": json.dumps(tensors)}], "one blob per tensor", "model of tensors")

    served.forget([{"server": "cdn", "path": served.weights, "cut": 1_000_000, "times": 1}])
    machine.run("add", uri, "--ranges", "1")
    ranges = [line["range"] for line in served.asked() if line["server"] == "cdn" and served.weights in line["path"]]
    check(any(value and not value.startswith("bytes=0-") for value in ranges),
          f"a cut transfer goes on where it stopped, asked {ranges}")
    machine.run("remove", uri, "--yes", expect=None)


def through_ollama(machine: Machine, ollama: Ollama, served: Served) -> None:
    """The running Ollama pulls; its files become ours without a second download or copy."""
    uri = f"ollama://{served.name()}"
    machine.run("remove", uri, "--yes", expect=None)
    if served.name() in ollama.names():
        ollama.command("rm", served.name())
    served.forget()
    done = machine.run("add", uri, "--through-ollama", expect=1, OLLAMA_HOST="127.0.0.1:1")
    check("`ollama serve`" in done.stderr and "ollama.com/download" in done.stderr, f"no Ollama there: {done.stderr}")
    result = machine.json("add", uri, "--through-ollama", OLLAMA_HOST=ollama.host)
    check(result["downloaded_bytes"] == 0 and served.asked(), "Ollama downloads, mlx-cache does not")
    check(blob(machine, served.weights).samefile(model_folder(machine) / "model.gguf"), "one file for both")
    done = machine.run("add", uri.replace("1b", "9b"), "--through-ollama", expect=1, OLLAMA_HOST=ollama.host)
    check("ollama pull" in done.stderr, f"what Ollama refuses is told: {done.stderr}")
    other = machine.run("add", uri, "--through-ollama", expect=1, OLLAMA_HOST=ollama.host, OLLAMA_MODELS=str(machine.root / "no_store"))
    check("OLLAMA_MODELS" in other.stderr, f"an Ollama with another store: {other.stderr}")
    machine.run("remove", uri, "--yes")
    ollama.command("rm", served.name())


def signed_in(machine: Machine, served: Served) -> None:
    """A registry that gives out to the owner of a key only: the real Ollama and mlx-cache sign alike."""
    served.registry.auth = "signed"
    uri = f"ollama://{served.name()}"
    key = (machine.home / ".ollama/id_ed25519.pub").read_text().split()[1]

    def forget_model() -> None:
        machine.run("remove", uri, "--yes", expect=None)
        served.forget()

    forget_model()
    done = machine.run("add", uri, expect=None)
    check(done.returncode == 2 and "id_ed25519.pub" in done.stderr, f"a key that the registry does not know, found {done.stderr}")
    served.registry.keys = {key}
    served.forget()
    check(machine.json("add", uri)["downloaded_bytes"] > 7_000_000, "who signed with a known key gets the model")
    check(len([line for line in served.asked() if line["path"].startswith("/token")]) == 1, "with one sign-in")
    with Ollama(machine.root / "signed_home", machine.root / "signed") as other:
        served.registry.keys = {(machine.root / "signed_home/.ollama/id_ed25519.pub").read_text().split()[1]}
        other.post("/api/pull", {"model": served.name(), "insecure": True, "stream": False})
        check(other.names() == [served.name()], "the real Ollama passes the same check of signatures")
    secret = (machine.home / ".ollama/id_ed25519").read_text().splitlines()[2]
    text = "".join(path.read_text(errors="replace") for path in machine.cache.rglob("*") if path.is_file() and path.suffix != ".gguf")
    check(secret not in text and served.registry.token not in text, "neither key nor token is written anywhere")
    (machine.home / ".ollama/id_ed25519").rename(machine.home / ".ollama/away")
    forget_model()
    done = machine.run("add", uri, expect=None)
    check("`ollama serve` makes one" in done.stderr, f"without a key it says so, found {done.stderr}")
    (machine.home / ".ollama/away").rename(machine.home / ".ollama/id_ed25519")


def local_gguf(machine: Machine, ollama: Ollama) -> None:
    """A plain GGUF: config, template and manifest are ours, and the same tokens come as from `ollama create`."""
    gguf = machine.root / "plain.gguf"
    tiny_gguf.make(gguf, seed=3)
    machine.run("add", f"file://{gguf}")
    name = "local/plain:latest"
    check(name in ollama.names(), f"a GGUF from a folder is listed, found {ollama.names()}")
    (machine.root / "Modelfile").write_text(f"FROM {gguf}\n")
    ollama.command("create", "created", "-f", str(machine.root / "Modelfile"))
    chat = {"messages": [{"role": "user", "content": "hello"}], "stream": False,
            "options": {"num_predict": 8, "temperature": 0, "seed": 1}}
    answers = [ollama.post("/api/chat", chat | {"model": model})["message"]["content"] for model in (name, "created")]
    check(answers[0] == answers[1], f"it answers as the model that Ollama made of the same file: {answers}")
    shown = [ollama.post("/api/show", {"model": model})["details"] for model in (name, "created")]
    for key in ("format", "family", "families", "parameter_size", "quantization_level"):
        # For type 0 (F32) Ollama 0.9 says "unknown".
        check(shown[0][key] == shown[1][key] or shown[1][key] == "unknown",
              f"{key} is what Ollama says itself: {shown[0][key]}, {shown[1][key]}")
    ollama.command("rm", "created")
    ollama.restart()
    check(name in ollama.names() and ollama.generate(name)["eval_count"] > 0, "removing its twin takes nothing of it")


def main(mlx_cache: str) -> int:
    program()
    with Machine(pathlib.Path(mlx_cache)) as machine, Ollama(machine.home, machine.ollama) as ollama:
        served = Served(machine, auth="right")
        served.forget()
        add_from_registry(machine, ollama, served)
        survives(machine, ollama, served)
        remove(machine, ollama, served)
        served.registry.auth = ""
        add_what_ollama_has(machine, ollama, served)
        faults(machine, served)
        served.forget()
        machine.run("add", f"ollama://{served.name()}")
        real_pull_agrees(machine, served)
        local_gguf(machine, ollama)
        through_ollama(machine, ollama, served)
        signed_in(machine, served)
        served.registry.auth = "foreign"
        machine.run("remove", f"ollama://{served.name()}", "--yes", expect=None)
        served.forget()
        done = machine.run("add", f"ollama://{served.name().replace(':1b', ':2b')}", expect=None)
        check("another host" in done.stderr, f"a sign-in at another host is refused, found {done.stderr[-500:]}")
        check(not any("token" in line["path"] for line in served.asked()), "and was not asked")
        served.registry.close()
    print(f"{len(CHECKED)} checks beside the real Ollama passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
