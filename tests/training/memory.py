#!/usr/bin/env python3
"""Planned and measured peak memory of fine-tuning runs, each in a process of its own, on models of several shapes.

    memory.py build/release/bin/mlx-toolkit            all shapes
    memory.py build/release/bin/mlx-toolkit --few      those of the test
    memory.py build/release/bin/mlx-toolkit --only dora   those whose shape or settings say so
"""

import argparse
import json
import pathlib
import shutil
import tempfile

from models import write_model
from runs import Scene

# hidden, intermediate, layers, heads, key/value heads, vocabulary
SHAPES = {"narrow": (256, 1024, 16, 4, 2, 4096), "wide": (1024, 2816, 6, 16, 16, 2048), "vocabulary": (384, 1024, 6, 6, 6, 65536)}

RUNS = [  # shape, weights' type, settings; the test takes those with True
    ("narrow", "F32", True, ["--batch-tokens", "2048"]),
    ("narrow", "F32", False, ["--batch-tokens", "4096", "--checkpoint-layers"]),
    ("narrow", "BF16", False, ["--batch-tokens", "2048", "--method", "dora", "--rank", "32"]),
    ("wide", "BF16", True, ["--batch-tokens", "1024"]),
    ("wide", "BF16", True, ["--batch-tokens", "2048", "--checkpoint-layers"]),
    ("wide", "BF16", True, ["--batch-tokens", "512", "--method", "qlora", "--rank", "64"]),
    ("wide", "BF16", True, ["--batch-tokens", "512", "--method", "full"]),
    ("wide", "BF16", False, ["--batch-tokens", "512", "--method", "full", "--optimizer", "adafactor"]),
    ("wide", "F32", True, ["--batch-tokens", "512", "--method", "full", "--optimizer", "adamw8bit", "--layers", "2"]),
    ("wide", "F32", True, ["--batch-tokens", "512", "--compute", "int8"]),
    ("wide", "BF16", False, ["--batch-tokens", "1024", "--compute", "int8", "--checkpoint-layers"]),
    ("wide", "BF16", False, ["--batch-tokens", "512", "--method", "full", "--accumulate", "2"]),
    ("vocabulary", "F32", False, ["--batch-tokens", "1024"]),
    ("vocabulary", "BF16", True, ["--batch-tokens", "512", "--method", "full"]),
]


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--few", action="store_true")
parser.add_argument("--only", default="")
options = parser.parse_args()

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    scene = Scene(options.program, folder)
    scene.environment["MLX_TOOLKIT_THREADS"] = "2"
    rows = [{"prompt": f"Name colour {i}.", "completion": "Colour " + f"{i} and {i + 1} " * 12} for i in range(200)]
    (folder / "data/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "data/valid.jsonl").unlink()
    wrong = 0
    for number, (shape, dtype, few, settings) in enumerate(RUNS):
        if options.few and not few or options.only not in " ".join([shape, dtype, *settings]):
            continue
        where = folder / f"{shape}-{dtype}"
        if not where.exists():
            write_model(where, SHAPES[shape], dtype)
        words = ["finetune", "--model", str(where), "--data", str(folder / "data"), "--output", str(folder / f"run{number}"),
                 "--steps", "2", "--sample", "0", "--max-length", "512", "--json", *settings]
        plan = scene.result(scene.run(*words, "--dry-run"))
        result = scene.result(scene.run(*words))
        assert plan["planned_bytes"] == result["planned_bytes"], (plan, result)
        off = result["planned_bytes"] / result["peak_rss_bytes"] - 1
        wrong += abs(off) > 0.15
        print(f"{shape:10} {dtype:4} {' '.join(settings):62} planned {result['planned_bytes'] / 1e6:6.0f} MB, "
              f"measured {result['peak_rss_bytes'] / 1e6:6.0f} MB ({100 * off:+.0f} %)", flush=True)
        shutil.rmtree(folder / f"run{number}")
    if wrong:
        raise SystemExit(f"{wrong} plans are off by more than 15 %")
