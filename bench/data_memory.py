#!/usr/bin/env python3
"""Peak memory and time of reading data files of growing size: `data check` by characters, and `finetune --dry-run`, which makes tokens.

    bench/data_memory.py --program build/release/bin/mlx-toolkit [--megabytes 10,100,1000] [--dry-run-megabytes 10,100]
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write(path: pathlib.Path, megabytes: int) -> int:
    """Rows like those of the dictionary, no two the same; as many as fill the file."""
    words = (ROOT / "examples/data/dictionary/train.jsonl").read_text().split()
    words = [word for word in words if word.isalpha()]
    chance, rows = random.Random(1), 0
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1_000_000:
            text = " ".join(chance.choices(words, k=120))
            file.write("".join(json.dumps({"prompt": f"Row {rows + i}?", "completion": text[i:] + f" {rows + i}."}) + "\n"
                               for i in range(64)))
            rows += 64
    return rows


def peak(*words: str) -> tuple[float, float]:
    begin = time.monotonic()
    child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    message = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status not in (0, 256):  # data check ends with 1 where rows cannot be used
        raise SystemExit(f"{' '.join(words)}: {message.decode()[-600:]}")
    return usage.ru_maxrss / 1e3, time.monotonic() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--megabytes", default="10,100,1000")
    parser.add_argument("--dry-run-megabytes", default="10,100")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="data-memory-"))
    try:
        for what, sizes in (("check", options.megabytes), ("dry run", options.dry_run_megabytes)):
            for size in (int(size) for size in sizes.split(",") if size):
                file = folder / "rows.jsonl"
                rows = write(file, size)
                words = ["data", "check", str(file)] if what == "check" else [
                    "finetune", "--model", "sample://smollm2-135m", "--data", str(file), "--output", str(folder / "out"),
                    "--max-length", "512", "--dry-run"]
                megabytes, seconds = peak(options.program, *words, "--quiet", "--json")
                print(f"{what:8} {size:5} MB, {rows:9,} rows: peak {megabytes:6.0f} MB, {seconds:6.1f} s", flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
