#!/usr/bin/env python3
"""`mlx-cache add hf://...` against a hub on the loopback, and what the real huggingface_hub makes of it.

  hub_add.py --program build/release/bin/mlx-cache

Faults of the network, hostile hubs, kill -9 in the middle, tokens, models that huggingface_hub downloaded before.
Runs in .venv-interop (python/requirements/interop.txt) or MLX_CACHE_INTEROP_PYTHON.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import hub_cache
from hub_cache import Server, check, contents, hf, no_warnings, write_model

TOKEN = "hf_test_token"


class Home:
    """A person's machine: store, settings and hub cache in one folder."""

    def __init__(self, program: str, folder: pathlib.Path, endpoint: str):
        self.program, self.folder, self.endpoint = program, folder, endpoint
        folder.mkdir()
        self.store, self.hub = folder / "mlx-cache", folder / "hub"

    def environment(self, **more: str) -> dict:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING", "OLLAMA", "MLX_"))}
        return {**kept, "HOME": str(self.folder), "MLX_CACHE_DIR": str(self.store), "HF_HUB_CACHE": str(self.hub),
                "MLX_INFRASTRUCTURE_HOME": str(self.folder / "infrastructure"), "HF_ENDPOINT": self.endpoint,
                "OLLAMA_MODELS": str(self.folder / "no-ollama"), **more}

    def start(self, *words: str, **more: str) -> subprocess.Popen:
        return subprocess.Popen([self.program, *words], env=self.environment(**more), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *words: str, status: int = 0, **more: str) -> str:
        process = self.start(*words, **more)
        out, error = process.communicate(timeout=300)
        check(process.returncode == status, "mlx-cache", words, "ended with", process.returncode, out, error)
        return out + error

    def model(self, name: str = "hf--org--tiny") -> pathlib.Path:
        return self.store / "models" / name

    def files(self, name: str = "hf--org--tiny") -> dict[str, str]:
        return {k: v for k, v in contents(self.model(name)).items() if k != ".metadata.json"}

    def nothing_published(self) -> None:
        left = [p for p in (self.store / "models").iterdir() if not p.name.startswith(".")] if (self.store / "models").exists() else []
        check(not left, "a failed add left", left)
        check(not (self.hub / "models--org--tiny/refs/main").exists(), "a failed add is seen by huggingface_hub")


def gets(server: Server, since: int) -> list[dict]:
    return [r for r in server.requests()[since:] if r["method"] == "GET" and ("/resolve/" in r["target"] or r["origin"] == "cdn")]


def rules(server: Server, *entries: dict) -> None:
    server.rules.write_text(json.dumps(list(entries)))


def added_once_usable_everywhere(home: Home, source: pathlib.Path, server: Server) -> None:
    from huggingface_hub import snapshot_download

    home.run("add", "hf://org/tiny")
    check(home.files() == contents(source), "content of the store")
    check(all(p.stat().st_mode & 0o222 == 0 for p in home.model().rglob("*") if p.is_file() and p.name != ".metadata.json"),
          "files of the store can be written to")
    snapshot = pathlib.Path(snapshot_download("org/tiny", cache_dir=home.hub, local_files_only=True))
    check(contents(snapshot) == contents(source), "snapshot")
    for name in contents(source):
        check(os.stat(snapshot / name).st_ino == os.stat(home.model() / name).st_ino, "not one file:", name)
    no_warnings(home.hub)
    since = len(server.requests())
    home.run("add", "hf://org/tiny")
    check(not gets(server, since), "downloaded again")
    check("org/tiny" in home.run("status"), "status")
    check(home.run("path", "hf://org/tiny").strip() == str(home.model()), "path")
    for words in (("cache", "prune", "-y"), ("cache", "rm", "model/org/tiny", "-y")):
        hf(home.hub, home.endpoint, *words)
        check(home.files() == contents(source), "hf", words, "reached our store")
    home.run("add", "hf://org/tiny")
    check(contents(snapshot) == contents(source), "published again after hf cache rm")
    home.run("add", "hf://org/tiny@v1")
    check(home.files("hf--org--tiny@v1") == contents(source.parent / "v1"), "a revision beside main")
    home.run("remove", "hf://org/tiny", "--yes")
    check(not home.model().exists() and not snapshot.exists(), "remove")
    check(len(next(iter(no_warnings(home.hub).repos)).revisions) == 1, "the other revision stays")


def what_it_downloaded_is_not_fetched_again(home: Home, source: pathlib.Path, server: Server) -> None:
    hf(home.hub, home.endpoint, "download", "org/tiny")
    since = len(server.requests())
    home.run("add", "hf://org/tiny")
    check(not gets(server, since), "downloaded what is there:", gets(server, since)[:2])
    check(home.files() == contents(source), "content")
    home.run("remove", "hf://org/tiny", "--yes")
    check(contents(next((home.hub / "models--org--tiny/snapshots").iterdir())) == contents(source),
          "remove took what huggingface_hub had before")


def found_models_are_shown_by_a_link(home: Home, source: pathlib.Path) -> None:
    hf(home.hub, home.endpoint, "download", "org/tiny")
    home.run("sync", "--yes")
    check(home.model().is_symlink(), "sync made no link")
    check(contents(home.model().resolve()) == contents(source), "the link leads to the snapshot")
    hf(home.hub, home.endpoint, "cache", "rm", "model/org/tiny", "-y")
    home.run("sync", "--yes")
    check(not os.path.lexists(home.model()), "a dangling link is left")


def faults(home: Home, source: pathlib.Path, server: Server) -> None:
    weights = "GET /org/tiny/[0-9a-f]{64}"
    rules(server, {"path": weights, "cut": 100000, "times": 1})
    since = len(server.requests())
    home.run("add", "hf://org/tiny")
    check(home.files() == contents(source), "after a cut")
    ranges = [r["headers"].get("range") for r in gets(server, since) if r["origin"] == "cdn"]
    check(any(r and r.startswith("bytes=") and not r.startswith("bytes=0-") for r in ranges), "not resumed:", ranges)
    home.run("remove", "hf://org/tiny", "--yes")
    for fault in ({"flip": 7}, {"grow": 9}, {"endless": True}, {"status": 403}, {"location": "http://192.0.2.1/x"}):
        rules(server, {"path": weights, **fault})
        said = home.run("add", "hf://org/tiny", status=1)
        check(".safetensors" in said or "model.bin" in said or "location" in fault, fault, said)
        home.nothing_published()
    rules(server, {"path": weights, "status": 503, "times": 2, "headers": {"Retry-After": "0"}},
          {"path": "GET /org/tiny/resolve/.*config.json", "status": 429, "times": 1, "headers": {"Retry-After": "0"}})
    home.run("add", "hf://org/tiny")
    check(home.files() == contents(source), "after 503 and 429")
    home.run("remove", "hf://org/tiny", "--yes")
    rules(server)


def hostile(home: Home, server: Server) -> None:
    for name in ("../../evil", "/etc/evil", "a\\b", "C:evil", "a\u001b[2J", "x" * 300, "con"):
        entry = [{"type": "file", "path": name, "size": 1, "oid": "a" * 40}]
        rules(server, {"path": "GET /api/models/org/tiny/tree/", "json": entry})
        said = home.run("add", "hf://org/tiny", status=2)
        check("\x1b" not in said, "control characters reached the terminal")
        home.nothing_published()
    twins = [{"type": "file", "path": name, "size": 1, "oid": "a" * 40} for name in ("Config.json", "config.json")]
    rules(server, {"path": "GET /api/models/org/tiny/tree/", "json": twins})
    check("upper and lower case" in home.run("add", "hf://org/tiny", status=2), "case twins")
    rules(server)
    check(not list(home.folder.parent.rglob("*evil*")), "a hostile name was written")


def killed_and_resumed(home: Home, source: pathlib.Path, server: Server) -> None:
    for round_number in range(5):
        rules(server, {"path": "GET /org/tiny/[0-9a-f]{64}", "pause_ms": 20})
        process = home.start("add", "hf://org/tiny")
        time.sleep(0.4 + 0.1 * round_number)
        process.kill()
        process.communicate()
        parts = sum(p.stat().st_blocks * 512 for p in (home.store / "incoming").glob("*.part"))
        home.nothing_published()
    check(parts > 0, "nothing was kept of five killed downloads")
    rules(server)
    since = len(server.requests())
    home.run("add", "hf://org/tiny")
    check(home.files() == contents(source), "after five kill -9")
    ranges = [r["headers"].get("range", "") for r in gets(server, since) if r["origin"] == "cdn"]
    check(not ranges or any(r and not r.startswith("bytes=0-") for r in ranges), "began at zero again:", ranges)
    check(not list((home.store / "incoming").glob("*")), "incoming/ is not empty")


def the_token_stays_with_the_hub(home: Home, server: Server) -> None:
    check("accept the terms" in home.run("add", "hf://org/gated", status=2), "gated without a token")
    since = len(server.requests())
    home.run("add", "hf://org/gated", HF_TOKEN=TOKEN)
    asked = server.requests()[since:]
    check(all(r["headers"].get("authorization") == f"Bearer {TOKEN}" for r in asked if r["origin"] == "hub"), "no token")
    check(any(r["origin"] == "cdn" for r in asked), "nothing came from the second origin")
    check(all("authorization" not in r["headers"] for r in asked if r["origin"] == "cdn"), "the token left the hub")
    for path in home.folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            check(TOKEN.encode() not in path.read_bytes(), "the token was written to", path)
            check(b"X-Amz-Signature" not in path.read_bytes(), "a signed address was written to", path)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    program = os.path.abspath(parser.parse_args().program)
    hub_cache.run_in_interop_python()
    with tempfile.TemporaryDirectory(prefix="hub_add_") as name:
        folder = pathlib.Path(name)
        source = folder / "repos/org/tiny/main"
        for revision, seed in (("main", b"m"), ("v1", b"v")):
            write_model(folder / "repos/org/tiny" / revision, os.urandom(16) + seed * 400000)
        write_model(folder / "repos/org/gated/main", b"g" * 5000)
        server = Server(folder, folder / "repos", "--gated", "org/gated")
        for variable in [v for v in os.environ if v.startswith("HF_")]:
            os.environ.pop(variable)
        os.environ.update(HF_ENDPOINT=server.hub, HF_HOME=str(folder / "home"), HF_HUB_DISABLE_PROGRESS_BARS="1",
                          HF_HUB_DISABLE_TELEMETRY="1")
        homes = iter(range(100))

        def home() -> Home:
            return Home(program, folder / f"home-{next(homes)}", server.hub)

        try:
            added_once_usable_everywhere(home(), source, server)
            what_it_downloaded_is_not_fetched_again(home(), source, server)
            found_models_are_shown_by_a_link(home(), source)
            faults(home(), source, server)
            hostile(home(), server)
            killed_and_resumed(home(), source, server)
            the_token_stays_with_the_hub(home(), server)
        finally:
            server.close()
    print(f"ok: {hub_cache.checks} checks")


if __name__ == "__main__":
    main()
