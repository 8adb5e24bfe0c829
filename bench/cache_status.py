#!/usr/bin/env python3
"""How long `mlx-cache status` takes with many models, on a warm registry; asked: under 100 ms with 100 models and 10,000 files.

    bench/cache_status.py --program build/release/bin/mlx-cache [--models 100 --files 100]
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--models", type=int, default=100)
    parser.add_argument("--files", type=int, default=100, help="of each model")
    parser.add_argument("--runs", type=int, default=20, help="the median counts")
    options = parser.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="mlx-cache-status-"))
    try:
        environment = dict(os.environ, HOME=str(root), MLX_CACHE_DIR=str(root / "cache"),
                           MLX_INFRASTRUCTURE_HOME=str(root / "infrastructure"), HF_HOME=str(root / "hf"),
                           OLLAMA_MODELS=str(root / "ollama"))

        def mlx_cache(*arguments: str) -> str:
            done = subprocess.run([options.program, *arguments], env=environment, check=True, capture_output=True, text=True)
            return done.stdout

        for number in range(options.models):
            folder = root / "source" / f"model-{number}"
            folder.mkdir(parents=True)
            (folder / "config.json").write_text('{"model_type": "llama"}')
            (folder / "model.safetensors").write_bytes(os.urandom(2000))
            for rest in range(options.files - 2):
                (folder / f"part_{rest}.txt").write_text(f"{number} {rest}")
            mlx_cache("add", f"file://{folder}", "--quiet", "--yes")
        seconds = []
        for _ in range(options.runs):
            begin = time.perf_counter()
            text = mlx_cache("status", "--json")
            seconds.append(time.perf_counter() - begin)
        assert len(json.loads(text.splitlines()[-1])["models"]) == options.models, text[-500:]
        print(json.dumps({"models": options.models, "files": options.models * options.files,
                          "status_ms": round(1000 * statistics.median(seconds), 1),
                          "longest_ms": round(1000 * max(seconds), 1)}))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
