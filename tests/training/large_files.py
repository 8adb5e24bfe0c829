#!/usr/bin/env python3
"""Peak memory does not grow with a data file or a model that is only passed through.

    large_files.py build/release/bin/mlx-toolkit
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from models import write_model
from runs import ROOT, Scene

MODEL = str(ROOT / "tests/fixtures/models/llama")


def peak(scene, *words):
    """The program's result and its peak resident set in MB."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = subprocess.Popen([scene.program, *words, "--json"], env=scene.environment, stdout=output, stderr=errors)
        _, status, usage = os.wait4(child.pid, 0)
        output.seek(0)
        errors.seek(0)
        text = output.read().decode()
        if status != 0:
            raise SystemExit(f"{words}: status {status}\n{text}\n{errors.read().decode()}")
    return json.loads(text.strip().splitlines()[-1]), usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def rows(file, count, **more):
    with open(file, "w") as out:
        for i in range(count):
            out.write(json.dumps({"prompt": f"{i}?", "completion": "This one."} | more) + "\n")
    return str(file)


def evaluated_to_a_limit(scene):
    """Of 60 MB only what --limit names is read."""
    small = rows(scene.folder / "small.jsonl", 20)
    large = rows(scene.folder / "large.jsonl", 120_000, note="unread " * 64)
    base, least = peak(scene, "evaluate", "-m", MODEL, "-d", small)
    result, most = peak(scene, "evaluate", "-m", MODEL, "-d", large, "--limit", "20")
    print(f"evaluate --limit 20: peak {least:.0f} MB of 20 rows, {most:.0f} MB of 60 MB")
    assert result["rows"] == base["rows"] == 20 and most - least < 10, (result, least, most)


def evaluated_row_by_row(scene):
    """Rows that are left out (their answer lies beyond --max-length) leave nothing behind."""
    question = "Which of these words is the one that is meant? " * 10
    few = rows(scene.folder / "few.jsonl", 200, prompt=question)
    many = rows(scene.folder / "many.jsonl", 12_000, prompt=question)
    for file in (few, many):
        with open(file, "a") as out:
            out.write(json.dumps({"prompt": "Hi", "completion": "Hello"}) + "\n")
    settings = ("--max-length", "96")
    _, least = peak(scene, "evaluate", "-m", MODEL, "-d", few, *settings)
    result, most = peak(scene, "evaluate", "-m", MODEL, "-d", many, *settings)
    print(f"evaluate: peak {least:.0f} MB of 200 rows, {most:.0f} MB of 12,000")
    assert result["rows"] == 1 and result["left_out_rows"] == 12_000 and most - least < 6, (result, least, most)


def fused_tensor_by_tensor(scene):
    """Four times the layers, and a model six times as large as its largest tensor more."""
    data = scene.folder / "data"
    peaks = {}
    for layers in (4, 16):
        model, output = scene.folder / f"model{layers}", scene.folder / f"adapter{layers}"
        write_model(model, (768, 2048, layers, 12, 4, 512), "BF16")
        scene.run("finetune", "--model", str(model), "--data", str(data), "--output", str(output), "--steps", "1", "--sample", "0",
                  "--layers", "4", "--batch-tokens", "64", "--max-length", "64", "--compute", "f32")
        _, peaks[layers] = peak(scene, "fuse", "-m", str(model), "-a", str(output), "-o", str(scene.folder / f"fused{layers}"))
    more = 12 * (768 * 768 * 2 + 768 * 256 * 2 + 3 * 768 * 2048) * 2 / 1e6
    print(f"fuse: peak {peaks[4]:.0f} MB of a model of 4 layers, {peaks[16]:.0f} MB of one with {more:.0f} MB more")
    assert peaks[16] - peaks[4] < more / 4, peaks


with tempfile.TemporaryDirectory() as folder:
    scene = Scene(sys.argv[1], folder)
    chosen = sys.argv[2:]
    for case in (evaluated_to_a_limit, evaluated_row_by_row, fused_tensor_by_tensor):
        if not chosen or case.__name__ in chosen:
            case(scene)
            print(f"{case.__name__}: ok", flush=True)
