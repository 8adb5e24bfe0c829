#!/usr/bin/env python3
"""kill -9 at random moments of a fine-tuning: what was saved can be gone on with, and the end is that of the undisturbed run.

    kill9.py build/release/bin/mlx-toolkit --moments 100
"""

import argparse
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

from runs import Scene

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--moments", type=int, default=100)
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
random.seed(options.seed)

with tempfile.TemporaryDirectory() as folder:
    scene = Scene(options.program, folder)
    settings = ["--steps", "30", "--save-every", "1", "--validate-every", "4", "--keep", "2", "--accumulate", "2", "--quiet"]
    begin = time.monotonic()
    scene.run(*scene.words("whole", *settings))
    seconds = time.monotonic() - begin
    expected = (pathlib.Path(folder) / "whole/adapters.safetensors").read_bytes()

    kills = resumed = restarted = finished = 0
    output = pathlib.Path(folder) / "killed"
    reached = 0
    while kills < options.moments:
        complete = sorted(path for path in (output / "checkpoints").glob("step-*") if path.name[5:].isdigit())
        step = int(complete[-1].name[5:]) if complete else 0
        assert step >= reached, f"step {reached} was saved, the newest checkpoint is {step}"
        reached = step
        words = scene.words("killed", *settings, *(["--resume"] if complete else []))
        resumed += bool(complete)
        restarted += not complete
        process = subprocess.Popen([scene.program, *words], env=scene.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            process.wait(timeout=random.uniform(0.0, 0.6 * seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            continue
        assert process.returncode == 0, process.stderr.read().decode()
        assert (output / "adapters.safetensors").read_bytes() == expected, "the end differs from the undisturbed run"
        finished += 1
        shutil.rmtree(output)
        reached = 0
    if output.exists():
        complete = any(path.name[5:].isdigit() for path in (output / "checkpoints").glob("step-*"))
        scene.run(*scene.words("killed", *settings, *(["--resume"] if complete else [])))
        assert (output / "adapters.safetensors").read_bytes() == expected, "the end differs from the undisturbed run"
        finished += 1
    print(f"{kills} kills, {resumed} starts resumed, {restarted} from the beginning, {finished} runs finished, all as the undisturbed one")
