#!/usr/bin/env python3
"""`compare` with the real program on a tiny model: four methods measured, one recommended, and gone on with after kill -9.

    compare.py build/release/bin/mlx-toolkit
"""

import csv
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from runs import ROOT, Scene

METHODS = ["lora", "qlora", "dora", "full"]

with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    scene = Scene(sys.argv[1], folder)
    task = folder / "colours.jsonl"
    task.write_text("".join(json.dumps({"question": f"Name colour {i}.", "choices": ["red", "blue", "green"], "answer": i % 3}) + "\n"
                            for i in range(12)))
    output = folder / "out"
    words = ["compare", "--model", str(ROOT / "tests/fixtures/models/llama"), "--data", str(folder / "data"), "--output", str(output),
             "--steps", "8", "--set", "batch-tokens=96", "--set", "max-length=96", "--set", "qlora.quantize-group=32",
             "--set", "learning-rate=0.01", "--task", str(task), "--constraint", "memory=2GB,time=10min", "--json"]

    # Killed once the first method is measured: its children end too, what was measured stays.
    process = subprocess.Popen([scene.program, *words], env=scene.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (output / "methods/lora/measured.json").exists():
        assert process.poll() is None, "compare ended before a method was measured"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = (output / "methods/lora/measured.json").read_bytes()
    result = scene.result(scene.run(*words, "--resume"))
    assert (output / "methods/lora/measured.json").read_bytes() == first, "lora was measured again"

    assert [entry["method"] for entry in result["methods"]] == METHODS
    for entry in result["methods"]:
        assert entry["state"] == "measured", entry
        assert entry["keeps_constraints"], entry
        assert entry["validation_loss"] < result["base"]["validation_loss"], entry
        low, high = entry["validation_loss_interval"]
        assert low < entry["validation_loss"] < high
        assert entry["seconds"] > 0 and entry["peak_rss_bytes"] > 1e7 and entry["adapter_bytes"] > 1000
        assert [task["metric"] for task in entry["tasks"]] == ["acc", "acc_norm"]
        assert (output / "methods" / entry["method"] / "adapter/adapters.safetensors").exists()
    tokens = {entry["tokens"] for entry in result["methods"]}
    assert len(tokens) == 1, f"the methods saw {tokens} tokens"
    parameters = {entry["method"]: entry["trainable_parameters"] for entry in result["methods"]}
    assert parameters["lora"] == parameters["qlora"] < parameters["dora"] < parameters["full"]
    # What evaluate finds is what finetune found, on the packed base too.
    for method in METHODS:
        measured = json.loads((output / "methods" / method / "measured.json").read_text())
        after = measured["finetune"]["validation_loss_after"]
        assert abs(measured["evaluate"]["loss"] - after) < 2e-3 * after, (method, measured["evaluate"]["loss"], after)
    assert result["recommended"] in METHODS and result["reasons"]

    rows = list(csv.DictReader((output / "results.csv").open()))
    assert [row["method"] for row in rows] == ["base", *METHODS]
    assert "Recommended" in (output / "report.html").read_text()
    runs = json.loads(scene.run("runs", "list", "--json").stdout.strip().splitlines()[-1])
    kinds = [run["kind"] for run in runs["runs"]]
    assert kinds.count("compare") == 1 and kinds.count("finetune") >= 4 and kinds.count("evaluate") >= 5, kinds
    print("compare: four methods measured, recommended", result["recommended"])
