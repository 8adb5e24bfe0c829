#!/usr/bin/env python3
"""`tune` against random search at the same budget: real fine-tuning of a tiny model, the same space and number of trials.

    tune_search.py build/release/bin/mlx-toolkit --seeds 8 --trials 16

For every seed both searches run; printed are the best losses after a part of the trials, their paired difference
(random - bayes, positive where the Gaussian process is better) with its standard error, and how many seeds it won.
"""

import argparse
import json
import pathlib
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/training"))
from runs import Scene  # noqa: E402

SPACE = """learning_rate: 1e-4..1e-1 log
rank: [2, 4, 8, 16]
alpha: [4, 8, 16, 32, 64]
targets: [all, attention, mlp]
layers: [1, -1]
warmup: 0..0.4
dropout: 0..0.3
"""

parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--seeds", type=int, default=8)
parser.add_argument("--trials", type=int, default=16)
parser.add_argument("--steps", type=int, default=20)
options = parser.parse_args()


def losses(scene, method, seed):
    """Loss of every trial, in order; a trial that failed has none."""
    output = scene.folder / f"{method}-{seed}"
    space = scene.folder / "space.yaml"
    space.write_text(SPACE)
    scene.run("tune", "--model", str(ROOT / "tests/fixtures/models/llama"), "--data", str(scene.folder / "data"), "--space", str(space),
              "--method", method, "--seed", str(seed), "--trials", str(options.trials), "--rounds", "1", "--steps", str(options.steps),
              "--set", "batch-tokens=96", "--set", "max-length=96", "--output", str(output), "--quiet")
    lines = [json.loads(line) for line in (output / "trials.jsonl").read_text().splitlines()[1:]]
    return [line["loss"] if line["loss"] is not None else float("inf") for line in lines]


with tempfile.TemporaryDirectory() as folder:
    scene = Scene(options.program, folder)
    searches = {"bayes": [], "random": []}
    for seed in range(1, options.seeds + 1):
        for method, found in searches.items():
            found.append(losses(scene, method, seed))
        print(f"seed {seed}: bayes {min(searches['bayes'][-1]):.4f}, random {min(searches['random'][-1]):.4f}", flush=True)

default = searches["bayes"][0][0]
print(f"\nfinetune's defaults (the first trial of every search): {default:.4f}")
print("trials  bayes   random  random - bayes    seeds won")
for count in sorted({options.trials // 4, options.trials // 2, options.trials}):
    best = {method: [min(run[:count]) for run in runs] for method, runs in searches.items()}
    gaps = [r - b for b, r in zip(best["bayes"], best["random"])]
    error = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
    print(f"{count:6}  {statistics.mean(best['bayes']):.4f}  {statistics.mean(best['random']):.4f}  "
          f"{statistics.mean(gaps):.4f} +- {error:.4f}  {sum(gap > 0 for gap in gaps)} of {len(gaps)}")
