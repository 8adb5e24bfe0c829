#!/usr/bin/env python3
"""Peak memory and time of reading data files of growing size: `data check` by characters, `finetune --dry-run`, which makes tokens, and
three steps of training with a few validation rows.

    bench/data_memory.py --program build/release/bin/mlx-toolkit [--megabytes 10,100,1000] [--dry-run-megabytes 10,100]
                         [--train-megabytes 1000]
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


def peak(*words: str, first_line_of: pathlib.Path | None = None) -> tuple[float, float, float]:
    """Megabytes, seconds, and seconds until a file has its first line."""
    begin, first = time.monotonic(), 0.0
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=errors)
        while True:
            ended, status, usage = os.wait4(child.pid, os.WNOHANG if first_line_of and not first else 0)
            if ended:
                break
            if first_line_of.exists() and first_line_of.stat().st_size > 0:
                first = time.monotonic() - begin
            time.sleep(0.1)
        if status not in (0, 256):  # data check ends with 1 where rows cannot be used
            errors.seek(0)
            raise SystemExit(f"{' '.join(words)}: {errors.read().decode()[-600:]}")
    return usage.ru_maxrss / 1e3, time.monotonic() - begin, first


def finetune(options: argparse.Namespace, data: pathlib.Path, folder: pathlib.Path, *more: str) -> list[str]:
    return [options.program, "finetune", "--model", "sample://smollm2-135m", "--data", str(data), "--output", str(folder / "out"),
            "--max-length", "512", "--quiet", "--json", *more]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--megabytes", default="10,100,1000")
    parser.add_argument("--dry-run-megabytes", default="10,100")
    parser.add_argument("--train-megabytes", default="")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="data-memory-"))
    try:
        file = folder / "rows.jsonl"
        for what, sizes in (("check", options.megabytes), ("dry run", options.dry_run_megabytes)):
            for size in (int(size) for size in sizes.split(",") if size):
                rows = write(file, size)
                words = [options.program, "data", "check", str(file), "--quiet", "--json"] if what == "check" else finetune(
                    options, file, folder, "--dry-run")
                megabytes, seconds, _ = peak(*words)
                print(f"{what:8} {size:5} MB, {rows:9,} rows: peak {megabytes:6.0f} MB, {seconds:6.1f} s", flush=True)
        file.unlink(missing_ok=True)
        for size in (int(size) for size in options.train_megabytes.split(",") if size):
            data = folder / "data"
            data.mkdir()
            rows = write(data / "train.jsonl", size)
            (data / "valid.jsonl").write_text("".join(json.dumps({"prompt": f"Which one is {i}?", "completion": f"Number {i}."}) + "\n"
                                                      for i in range(8)))
            words = finetune(options, data, folder, "--steps", "3", "--sample", "0")
            megabytes, seconds, first = peak(*words, first_line_of=folder / "out/metrics.jsonl")
            print(f"training {size:5} MB, {rows:9,} rows: peak {megabytes:6.0f} MB, training begins after {first:6.1f} s, "
                  f"ends after {seconds:6.1f} s", flush=True)
            shutil.rmtree(data)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
