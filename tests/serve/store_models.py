#!/usr/bin/env python3
"""Models that clients bring into the store and take out again: `pull` from an Ollama registry and a Hugging Face hub of the
test's own, an answer by what came, `rm`, and what is refused. With the ollama client and program."""

import json
import shutil
import subprocess
import sys

from served import ROOT, Served, check, enter_clients, find_ollama, ollama_program

enter_clients("ollama")
import ollama  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/cache/servers"))
import registry_server  # noqa: E402

MODELS = ROOT / "tests/fixtures/models"
OPTIONS = {"num_predict": 4, "temperature": 0}


class Sources:
    """A registry with library/tiny, and a hub with org/tiny-llama and org/tiny-GGUF, which has two quantizations."""

    def __init__(self, folder):
        gguf = (MODELS / "llama_gguf/f16.gguf").read_bytes()
        registry_server.put_manifest(folder / "registry", "library/tiny:latest",
                                     [("model", gguf), ("template", b"{{ .Prompt }}")],
                                     b'{"model_format":"gguf","model_family":"llama"}')
        self.rules = folder / "rules.json"
        self.registry = registry_server.Registry(folder / "registry", rules=self.rules)
        self.host = self.registry.url("registry").removeprefix("http://")
        folder_of = folder / "repositories/org"
        (folder_of / "tiny-llama/main").mkdir(parents=True)
        for file in (MODELS / "llama").iterdir():
            if not file.name.startswith("expected"):
                shutil.copy(file, folder_of / "tiny-llama/main")
        (folder_of / "tiny-GGUF/main").mkdir(parents=True)
        (folder_of / "tiny-GGUF/main/tiny-F16.gguf").write_bytes(gguf)
        shutil.copy(MODELS / "llama_gguf/mixed.gguf", folder_of / "tiny-GGUF/main/tiny-Q8_0.gguf")
        self.hub = subprocess.Popen([sys.executable, ROOT / "tests/cache/servers/hub_server.py", "--repos",
                                     folder / "repositories"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hub_url = json.loads(self.hub.stdout.readline())["hub"]

    def close(self) -> None:
        self.registry.close()
        self.hub.stdin.close()
        self.hub.wait(20)


def python_client(server: Served, sources: Sources) -> None:
    client = ollama.Client(host=server.url)
    name = f"{sources.host}/library/tiny"
    parts = list(client.pull(name, stream=True))
    check(parts[-1].status == "success" and any(part.total and part.completed == part.total for part in parts),
          "a pull from a registry tells how far it is and that it succeeded")
    check(name + ":latest" in [model.model for model in client.list().models], "list shows the model")
    check(client.generate(model=name, prompt="the", options=OPTIONS).eval_count > 0, "it answers")
    check(client.pull("hf.co/org/tiny-llama").status == "success", "a pull from the hub succeeds")
    check(client.generate(model="hf.co/org/tiny-llama", prompt="the", options=OPTIONS).eval_count > 0, "it answers")
    check(client.pull("hf.co/org/tiny-GGUF:Q8_0").status == "success", "one quantization of a repository is pulled")
    files = [path.name for path in (server.folder / "cache").rglob("*.gguf")]
    check("tiny-Q8_0.gguf" in files and "tiny-F16.gguf" not in files, "and no other one")
    check(client.generate(model="hf.co/org/tiny-GGUF:Q8_0", prompt="the", options=OPTIONS).eval_count > 0, "it answers")
    client.delete(name)
    check(name + ":latest" not in [model.model for model in client.list().models], "a deleted model is gone")
    check(not any("tiny" in str(path) and sources.host.split(":")[1] in str(path)
                  for path in (server.folder / "cache/models").iterdir()), "with its files")
    for call, status, word in (
            (lambda: client.pull("registry.example:5000/library/x"), 403, "does not pull from"),
            (lambda: client.pull(f"{sources.host}/library/none"), 404, "none"),
            (lambda: client.pull("hf.co/org/none"), 404, "none"),
            (lambda: client.copy("hf.co/org/tiny-llama", "mine"), 403, "makes and sends no models"),
            (lambda: client.create(model="mine", from_="hf.co/org/tiny-llama"), 403, "makes and sends no models"),
            (lambda: client.push("mine"), 403, "makes and sends no models"),
            (lambda: client.delete("none"), 404, "not found")):
        try:
            call()
        except ollama.ResponseError as error:
            check(error.status_code == status and word in error.error, f"{status}: {error.error[:80]}")
        else:
            raise SystemExit(f"FAILED: {status} expected")
    sources.rules.write_text(json.dumps([{"server": "cdn", "corrupt": True}]))
    try:
        client.pull(name)
    except ollama.ResponseError as error:
        check("sha256" in error.error or "hash" in error.error or "digest" in error.error, f"a damaged file is refused: {error.error[:90]}")
    else:
        raise SystemExit("FAILED: a damaged file was taken")
    check(name + ":latest" not in [model.model for model in client.list().models], "and no model stands there")
    sources.rules.write_text("[]")


def program(binary: str, server: Served, sources: Sources) -> None:
    name = f"{sources.host}/library/tiny"
    run = ollama_program(binary, server)
    check("success" in run("pull", name), "ollama pull says success")
    check(name in run("list"), "ollama list shows it")
    run("run", name, "the")
    check(name in run("ps"), "ollama ps shows it loaded")
    run("stop", name)
    check("makes and sends no models" in run("cp", name, "mine", status=1), "ollama cp is refused with a reason")
    check("deleted" in run("rm", name), "ollama rm deletes it")
    check(name not in run("list"), "ollama list no longer has it")


ollama_binary = find_ollama()
running = Served(sys.argv[1])
found = Sources(running.folder)
running.environment["HF_ENDPOINT"] = found.hub_url
running.options = ("--pull-hosts", f"hf.co,{found.host}")
try:
    with running:
        python_client(running, found)
        program(ollama_binary, running, found)
finally:
    found.close()
