#!/usr/bin/env python3
"""A model added from a hub once is what `mlx-toolkit finetune --model hf://...` trains, with no network and no second copy.

    finetune_from_hub.py MLX_CACHE MLX_TOOLKIT
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parent / "fixtures" / "models" / "llama"
NAME = "hf://org/tiny-llama"


def check(condition, what: str) -> None:
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}", flush=True)


class Machine:
    """A home folder with nothing in it, and a hub with the model."""

    def __init__(self, root: pathlib.Path):
        self.root, self.home = root, root / "home"
        self.home.mkdir()
        served = root / "repositories" / "org" / "tiny-llama" / "main"
        served.mkdir(parents=True)
        for file in MODEL.iterdir():
            if not file.name.startswith("expected"):
                shutil.copy(file, served)
        self.hub = subprocess.Popen([sys.executable, HERE / "servers" / "hub_server.py", "--repos", root / "repositories"],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        foreign = ("OLLAMA_", "HF_", "HUGGINGFACE_", "MLX_", "XDG_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.environment |= {"HOME": str(self.home), "HF_ENDPOINT": json.loads(self.hub.stdout.readline())["hub"]}

    def run(self, *words: str | pathlib.Path) -> subprocess.CompletedProcess:
        return subprocess.run(words, env=self.environment, cwd=self.home, capture_output=True, text=True, timeout=240,
                              stdin=subprocess.DEVNULL)

    def json(self, *words: str | pathlib.Path) -> dict:
        done = self.run(*words, "--json")
        if done.returncode != 0:
            sys.exit(f"FAILED: {words[1]}: exit {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return json.loads(done.stdout.splitlines()[-1])

    def close_hub(self) -> None:
        self.hub.stdin.close()
        self.hub.wait(20)


def main(mlx_cache: str, mlx_toolkit: str) -> int:
    cache, toolkit = pathlib.Path(mlx_cache).resolve(), pathlib.Path(mlx_toolkit).resolve()
    with tempfile.TemporaryDirectory(prefix="finetune_from_hub_") as name:
        machine = Machine(pathlib.Path(name))
        rows = machine.home / "rows.jsonl"
        rows.write_text("".join(json.dumps({"text": f"the cat number {number} sat on the mat"}) + "\n" for number in range(8)))
        output = machine.home / "adapter"
        words = (toolkit, "finetune", "--model", NAME, "--data", rows, "--steps", "1", "--max-length", "64", "--output", output)
        before = machine.run(*words)
        check(before.returncode != 0 and f"`mlx-cache add {NAME}`" in before.stderr, "without the model it names the command that brings it")
        machine.json(cache, "add", NAME)
        machine.close_hub()
        used = sum(path.stat().st_size for path in machine.home.rglob("model.safetensors") if not path.is_symlink())
        machine.json(*words)
        check((output / "adapters.safetensors").stat().st_size > 0, "one step is trained with the hub away, the adapter is written")
        after = sum(path.stat().st_size for path in machine.home.rglob("model.safetensors") if not path.is_symlink())
        check(used == after, "no further copy of the weights")
        answer = machine.json(toolkit, "generate", "--model", NAME, "--adapter", output, "--prompt", "the cat", "--max-tokens", "3")
        check(answer, "the tuned model answers")
        model = machine.json(cache, "status")["models"][0]
        check("mlx-toolkit" in [app["name"] for app in model["apps"]], "status knows who used it")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
