#!/usr/bin/env python3
"""How fast mlx-cache reads and hashes, beside sha256sum and `openssl dgst` on the same files in the page cache.

    bench/cache_rates.py --program build/release/bin/mlx-cache [--megabytes 512]
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time


def seconds_of(command: list[str], environment: dict) -> tuple[float, str]:
    begin = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return time.perf_counter() - begin, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--megabytes", type=int, default=512, help="of each of two files")
    parser.add_argument("--runs", type=int, default=3, help="the best counts")
    options = parser.parse_args()
    root = pathlib.Path(tempfile.mkdtemp(prefix="mlx-cache-rates-"))
    try:
        # Equal size, other content: both have to be read to know that they differ.
        paths = [root / "models" / str(number) / "model.safetensors" for number in range(2)]
        for path in paths:
            path.parent.mkdir(parents=True)
            (path.parent / "config.json").write_text("{}")
            with open(path, "wb") as file:
                for _ in range(options.megabytes):
                    file.write(os.urandom(1_000_000))
        environment = dict(os.environ, HOME=str(root), MLX_CACHE_DIR=str(root / "cache"),
                           MLX_INFRASTRUCTURE_HOME=str(root / "infrastructure"), HF_HOME=str(root / "hf"),
                           OLLAMA_MODELS=str(root / "ollama"))
        peers = {"sha256sum": ["sha256sum"], "openssl": ["openssl", "dgst", "-sha256"]}
        best = dict.fromkeys(["mlx-cache", *peers], float("inf"))
        for _ in range(options.runs):  # in turn, so that all see the same machine
            for name, command in peers.items():
                taken, _ = seconds_of([*command, *map(str, paths)], environment)
                best[name] = min(best[name], taken)
            taken, text = seconds_of([options.program, "adopt", str(root / "models"), "--dry-run", "--json"], environment)
            best["mlx-cache"] = min(best["mlx-cache"], taken)
            assert json.loads(text.splitlines()[-1])["read_bytes"] == 2_000_000 * options.megabytes, text
        rates = {name: round(2 * options.megabytes / taken) for name, taken in best.items()}
        print(json.dumps({"hash_mb_per_s": rates,
                          "of_sha256sum": round(rates["mlx-cache"] / rates["sha256sum"], 3)}))
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
