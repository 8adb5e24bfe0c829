#!/usr/bin/env python3
"""The hub's cache folder and protocol beside the real huggingface_hub: we read what it wrote, it reads what we wrote,
its cache commands do no harm to our files, and both agree file by file.

  hub_cache.py --probe build/release/bin/hub_probe

Runs in .venv-interop (python/requirements/interop.txt) or MLX_CACHE_INTEROP_PYTHON.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
checks = 0


def run_in_interop_python() -> None:
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        python = os.environ.get("MLX_CACHE_INTEROP_PYTHON", str(ROOT / ".venv-interop/bin/python"))
        if os.path.realpath(python) == os.path.realpath(sys.executable) and os.environ.get("IN_INTEROP"):
            sys.exit("huggingface_hub is missing in " + python)
        if not os.path.exists(python) or os.environ.get("IN_INTEROP"):
            print("SKIPPED: no huggingface_hub: scripts/setup --interop makes .venv-interop")
            sys.exit(0)
        os.environ["IN_INTEROP"] = "1"
        os.execv(python, [python, *sys.argv])


def check(condition, *what) -> None:
    global checks
    checks += 1
    if not condition:
        raise SystemExit("FAILED: " + " ".join(str(w) for w in what))


def write_model(folder: pathlib.Path, weights: bytes) -> None:
    """A llama in name, with a tokenizer of eight words: what AutoConfig and AutoTokenizer need."""
    vocabulary = {word: i for i, word in enumerate(["[UNK]", "a", "model", "once", "used", "every", "where", "."])}
    files = {
        "config.json": {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                        "intermediate_size": 16, "vocab_size": 8, "architectures": ["LlamaForCausalLM"]},
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"},
        "tokenizer.json": {"version": "1.0", "added_tokens": [], "normalizer": None,
                           "pre_tokenizer": {"type": "Whitespace"}, "post_processor": None, "decoder": None,
                           "truncation": None, "padding": None,
                           "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}},
    }
    for name, value in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(value))
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "onnx/quantized").mkdir(parents=True)
    (folder / "onnx/quantized/model.bin").write_bytes(weights[: len(weights) // 2])
    (folder / "README.md").write_text("# tiny\n")


class Server:
    def __init__(self, folder: pathlib.Path, repos: pathlib.Path, *options: str):
        self.log, self.rules = folder / "requests.jsonl", folder / "rules.json"
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "tests/cache/servers/hub_server.py", "--repos", repos, "--log", self.log,
             "--rules", self.rules, "--page", "3", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.hub, self.cdn = told["hub"], told["cdn"]

    def requests(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(30)


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: pathlib.Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


class Machine:
    """A store of ours with one model, and hub caches."""

    def __init__(self, probe: str, folder: pathlib.Path, endpoint: str):
        self.probe_program, self.folder, self.endpoint = probe, folder, endpoint

    def probe(self, *words) -> dict:
        done = subprocess.run([self.probe_program, *map(str, words)], capture_output=True, text=True)
        check(done.returncode == 0, "hub_probe", words, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *words) -> str:
        done = subprocess.run([self.probe_program, *map(str, words)], capture_output=True, text=True)
        check(done.returncode == 1, "hub_probe was not refused:", words, done.stdout)
        return done.stderr

    def add(self, name: str, source: pathlib.Path, *ignore: str) -> tuple[pathlib.Path, pathlib.Path]:
        """What `add` leaves: the offered files in our store, read-only, and their metadata."""
        offer = self.probe("offer", self.endpoint, name, *ignore)
        store = self.folder / "store" / name.replace("/", "--").replace("@", "-at-")
        for file in offer["files"]:
            (store / file["name"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file["name"], store / file["name"])
            (store / file["name"]).chmod(0o444)
        metadata = store.with_suffix(".json")
        metadata.write_text(json.dumps(offer))
        return store, metadata


def hf(cache: pathlib.Path, endpoint: str, *words: str, offline: bool = False) -> str:
    """The real program `hf`."""
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1",
                   "HF_HUB_OFFLINE": "1" if offline else "0", "NO_COLOR": "1"}
    done = subprocess.run([pathlib.Path(sys.executable).parent / "hf", *words], capture_output=True, text=True,
                          env=environment)
    check(done.returncode == 0, "hf", words, done.stdout, done.stderr)
    return done.stdout + done.stderr


def no_warnings(cache: pathlib.Path):
    from huggingface_hub import scan_cache_dir

    info = scan_cache_dir(cache)
    check(not info.warnings, "scan_cache_dir:", info.warnings)
    return info


def we_read_what_it_wrote(machine: Machine, source: pathlib.Path) -> pathlib.Path:
    from huggingface_hub import snapshot_download

    cache = machine.folder / "theirs"
    snapshot = pathlib.Path(snapshot_download("org/tiny", cache_dir=cache))
    found = machine.probe("read", cache)
    check(found["problems"] == [] and len(found["models"]) == 1, found)
    model = found["models"][0]
    check(model["name"] == "org/tiny" and model["revision"] == snapshot.name, model)
    check(pathlib.Path(model["path"]) == snapshot, model["path"])
    truth = contents(source)
    check(set(model["files"]) == set(truth), "names", model["files"])
    for name, file in model["files"].items():
        content = (source / name).read_bytes()
        git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        check(file["claimed"] in (f"sha256:{truth[name]}", f"git:{git}"), name, file)
        check(file["size"] == len(content) and file["replaceable"], name, file)
        check(sha256(pathlib.Path(file["path"])) == truth[name], name)
    return cache


def it_reads_what_we_wrote(machine: Machine, source: pathlib.Path, theirs: pathlib.Path, server: Server) -> None:
    from huggingface_hub import get_cached_repo_tree, snapshot_download, try_to_load_from_cache

    cache = machine.folder / "ours"
    store, metadata = machine.add("org/tiny", source)
    published = machine.probe("publish", cache, metadata, store)
    check(all("hard link" in line for line in published["links"]), published)
    info = no_warnings(cache)
    repo = next(iter(info.repos))
    check(repo.repo_id == "org/tiny" and repo.refs.keys() == {"main"}, repo)
    check(info.size_on_disk == sum(p.stat().st_size for p in source.rglob("*") if p.is_file()), info.size_on_disk)
    snapshot = snapshot_download("org/tiny", cache_dir=cache, local_files_only=True)
    check(snapshot == published["snapshot"], snapshot)
    check(contents(pathlib.Path(snapshot)) == contents(source), "content of the snapshot")
    check(try_to_load_from_cache("org/tiny", "onnx/quantized/model.bin", cache_dir=cache), "try_to_load_from_cache")
    check(len(get_cached_repo_tree("org/tiny", cache_dir=cache)) == len(contents(source)), "cached tree")

    def listed(root: pathlib.Path) -> dict:
        repo = root / "models--org--tiny"
        return {p.relative_to(repo).as_posix(): os.readlink(p) if p.is_symlink() else p.read_bytes()
                for p in sorted(repo.rglob("*")) if (p.is_file() or p.is_symlink()) and ".mlx-cache" not in p.parts}

    ours, its = listed(cache), listed(theirs)
    check(ours.keys() == its.keys(), "names differ", ours.keys() ^ its.keys())
    for name in ours:
        same = json.loads(ours[name]) == json.loads(its[name]) if name.startswith("trees/") else ours[name] == its[name]
        check(same, "differs:", name)

    before = len(server.requests())
    snapshot_download("org/tiny", cache_dir=cache)
    fetched = [r for r in server.requests()[before:] if r["method"] == "GET" and "/resolve/" in r["target"]]
    check(not fetched, "downloaded again:", fetched)

    program = ("import sys; from transformers import AutoConfig, AutoTokenizer; "
               "assert AutoConfig.from_pretrained('org/tiny').hidden_size == 8; "
               "assert AutoTokenizer.from_pretrained('org/tiny')('a model used once').input_ids == [1, 2, 4, 3]")
    environment = {**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    check(done.returncode == 0, "transformers offline:", done.stderr)


def its_commands_do_no_harm(machine: Machine, source: pathlib.Path) -> None:
    cache, endpoint = machine.folder / "commands", machine.endpoint
    store, metadata = machine.add("org/tiny", source)
    old_store, old_metadata = machine.add("org/tiny@v1", source.parent / "v1")
    whole, old_whole = contents(store), contents(old_store)
    commit = json.loads(metadata.read_text())["revision"]
    old_commit = json.loads(old_metadata.read_text())["revision"]
    snapshots = cache / "models--org--tiny/snapshots"

    def publish() -> None:
        machine.probe("publish", cache, metadata, store)
        machine.probe("publish", cache, old_metadata, old_store)

    publish()
    check("org/tiny" in hf(cache, endpoint, "cache", "ls", offline=True), "hf cache ls")
    check("All checksums match" in hf(cache, endpoint, "cache", "verify", "org/tiny"), "hf cache verify")
    check("Nothing to prune" in hf(cache, endpoint, "cache", "prune", "-y"), "hf cache prune")
    check((snapshots / commit).exists() and (snapshots / old_commit).exists(), "prune took a snapshot")
    hf(cache, endpoint, "cache", "rm", old_commit, "-y")
    check(not (snapshots / old_commit).exists() and (snapshots / commit).exists(), "rm of one revision")
    check(contents(store) == whole and contents(old_store) == old_whole, "hf cache rm REVISION reached our store")
    no_warnings(cache)
    publish()
    check(contents(snapshots / old_commit) == old_whole, "published again")
    hf(cache, endpoint, "cache", "rm", "model/org/tiny", "-y")
    check(not snapshots.exists(), "rm of the model")
    check(contents(store) == whole and contents(old_store) == old_whole, "hf cache rm MODEL reached our store")
    publish()
    (cache / "models--org--tiny/refs/main").unlink()  # detached: prune takes it
    hf(cache, endpoint, "cache", "prune", "-y")
    check(not (snapshots / commit).exists(), "prune left a detached snapshot")
    check(contents(store) == whole, "prune reached our store")
    no_warnings(cache)

    publish()
    machine.probe("withdraw", cache, metadata, store)
    check(not (snapshots / commit).exists() and (snapshots / old_commit).exists(), "withdraw of one revision")
    no_warnings(cache)
    check(contents(snapshots / old_commit) == old_whole, "the other revision is whole")
    machine.probe("withdraw", cache, old_metadata, old_store)
    left = [p for p in (cache / "models--org--tiny").rglob("*")]
    check(not left and not no_warnings(cache).repos, "something is left:", left)
    check(contents(store) == whole and contents(old_store) == old_whole, "withdraw reached our store")


def a_partial_model_is_completed(machine: Machine, source: pathlib.Path) -> None:
    from huggingface_hub import snapshot_download

    cache = machine.folder / "partial"
    store, metadata = machine.add("org/tiny@v1", source.parent / "v1", "onnx/*")
    check(json.loads(metadata.read_text())["partial"], "not called partial")
    machine.probe("publish", cache, metadata, store)
    no_warnings(cache)
    local = snapshot_download("org/tiny", revision="v1", cache_dir=cache, local_files_only=True)
    check("onnx/quantized/model.bin" not in contents(pathlib.Path(local)), "left out")
    full = snapshot_download("org/tiny", revision="v1", cache_dir=cache)
    check(contents(pathlib.Path(full)) == contents(source.parent / "v1"), "completed by huggingface_hub")
    machine.probe("withdraw", cache, metadata, store)
    no_warnings(cache)
    check((pathlib.Path(full) / "onnx/quantized/model.bin").exists(), "its own file was taken")


def shared_blobs_are_left_alone(machine: Machine, source: pathlib.Path) -> None:
    try:
        from huggingface_hub.utils import _shared_blobs
    except ImportError:
        print("no shared blob store in this huggingface_hub")
        return
    from huggingface_hub import snapshot_download

    cache = machine.folder / "shared"
    snapshot = pathlib.Path(snapshot_download("org/tiny", cache_dir=cache))
    blob = pathlib.Path(os.path.abspath(snapshot / os.readlink(snapshot / "model.safetensors")))
    moved = _shared_blobs.publish_blob_to_shared_store(blob_path=str(blob), xet_hash="f" * 64, cache_dir=cache,
                                                       expected_size=blob.stat().st_size)
    check(moved and blob.is_symlink(), "shared store was not made")
    found = machine.probe("read", cache)
    file = found["models"][0]["files"]["model.safetensors"]
    check(found["problems"] == [] and not file["replaceable"], file)
    check(file["claimed"] == "sha256:" + sha256(source / "model.safetensors"), file)
    store, metadata = machine.add("org/tiny", source)
    machine.probe("publish", cache, metadata, store)
    machine.probe("withdraw", cache, metadata, store)
    check(blob.is_symlink() and blob.exists(), "the shared blob was touched")
    check(contents(snapshot) == contents(source), "the snapshot was touched")
    no_warnings(cache)


def the_protocol_is_the_hubs(machine: Machine, server: Server) -> None:
    offer = machine.probe("offer", machine.endpoint, "old/name")
    check(offer["name"] == "org/tiny", "a renamed repository", offer["name"])
    check("gated" in machine.refused("offer", machine.endpoint, "org/gated"), "gated")
    os.environ["HF_TOKEN"] = "hf_test_token"
    check(machine.probe("offer", machine.endpoint, "org/gated")["files"], "gated with a token")
    os.environ.pop("HF_TOKEN")
    check("Did you mean 'hf://org/tiny'" in machine.refused("offer", machine.endpoint, "org/tinny"), "spelling")
    check("v1" in machine.refused("offer", machine.endpoint, "org/tiny@v2"), "revisions")
    hostile = [{"type": "file", "path": "../../evil", "size": 1, "oid": "a" * 40}]
    server.rules.write_text(json.dumps([{"path": "GET /api/models/org/tiny/tree/", "json": hostile}]))
    check("../../evil" in machine.refused("offer", machine.endpoint, "org/tiny"), "hostile name")
    server.rules.write_text(json.dumps([{"path": "GET /api/", "status": 503, "times": 2}]))
    check(machine.probe("offer", machine.endpoint, "org/tiny")["files"], "503 twice")
    for fault in ({"bomb": True}, {"endless": True, "json": []}, {"cut": 20}):
        server.rules.write_text(json.dumps([{"path": "GET /api/models/org/tiny/tree/", **fault}]))
        check(machine.refused("offer", machine.endpoint, "org/tiny"), fault)
    server.rules.write_text("[]")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--probe", required=True)
    probe = os.path.abspath(parser.parse_args().probe)
    run_in_interop_python()
    with tempfile.TemporaryDirectory(prefix="hub_cache_") as name:
        folder = pathlib.Path(name)
        source = folder / "repos/org/tiny/main"
        for revision, seed in (("main", b"m"), ("v1", b"v")):
            write_model(folder / "repos/org/tiny" / revision, (hashlib.sha256(seed).digest() * 9000))
        write_model(folder / "repos/org/gated/main", b"g" * 5000)
        server = Server(folder, folder / "repos", "--renamed", "old/name=org/tiny", "--gated", "org/gated")
        for variable in ("HF_TOKEN", "HF_HOME", "HF_HUB_OFFLINE", "HUGGING_FACE_HUB_TOKEN"):
            os.environ.pop(variable, None)
        os.environ.update(HF_ENDPOINT=server.hub, HF_HOME=str(folder / "home"), HF_HUB_DISABLE_PROGRESS_BARS="1",
                          HF_HUB_DISABLE_TELEMETRY="1")
        machine = Machine(probe, folder, server.hub)
        try:
            theirs = we_read_what_it_wrote(machine, source)
            it_reads_what_we_wrote(machine, source, theirs, server)
            its_commands_do_no_harm(machine, source)
            a_partial_model_is_completed(machine, source)
            shared_blobs_are_left_alone(machine, source)
            the_protocol_is_the_hubs(machine, server)
        finally:
            server.close()
    import huggingface_hub

    print(f"ok: {checks} checks beside huggingface_hub {huggingface_hub.__version__}")


if __name__ == "__main__":
    main()
