#!/usr/bin/env python3
"""What `--rank auto` proposes beside a sweep of ranks: validation loss after the same steps, on three kinds of rows.

    bench/rank_sweep.py --program build/release/bin/mlx-toolkit [--steps 60] [--ranks 4,8,16,32,64] [--compute int8]

dictionary: the repo's own rows; chosen: prompts and chosen answers of its preference rows; code: this repo's headers as plain text.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write_rows(folder: pathlib.Path, split: str, rows: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def chosen_answers(folder: pathlib.Path) -> None:
    for split in ("train", "valid"):
        lines = (ROOT / "examples/data/dictionary_preferences" / f"{split}.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        write_rows(folder, split, [{"prompt": row["prompt"], "completion": row["chosen"]} for row in rows])


def headers(folder: pathlib.Path) -> None:
    files = sorted((ROOT / "src").rglob("*.h"))
    texts = [{"text": path.read_text()[:1500]} for path in files]
    write_rows(folder, "valid", texts[::8])
    write_rows(folder, "train", [text for number, text in enumerate(texts) if number % 8])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--ranks", default="4,8,16,32,64")
    parser.add_argument("--compute", default="int8")
    parser.add_argument("--seeds", default="0")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rank-sweep-"))
    try:
        data = {"dictionary": ROOT / "examples/data/dictionary", "chosen": work / "chosen", "code": work / "code"}
        chosen_answers(data["chosen"])
        headers(data["code"])

        def train(name: str, rank: str, seed: str, steps: int) -> dict:
            command = [options.program, "finetune", "--model", "sample://smollm2-135m", "--data", str(data[name]),
                       "--output", str(work / "out"), "--rank", rank, "--steps", str(steps), "--compute", options.compute,
                       "--seed", seed, "--json", "--quiet"]
            if rank != "auto":
                command += ["--alpha", str(2 * int(rank))]  # as auto sets it
            shutil.rmtree(work / "out", ignore_errors=True)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{name}, rank {rank}: {done.stderr[-800:]}")
            return json.loads(done.stdout.splitlines()[-1])

        for name in data:
            proposed = train(name, "auto", "0", 1)["rank"]
            losses = {}
            for rank in sorted({int(rank) for rank in options.ranks.split(",")} | {proposed}):
                found = [train(name, str(rank), seed, options.steps) for seed in options.seeds.split(",")]
                losses[rank] = sum(run["validation_loss_after"] for run in found) / len(found)
                print(f"{name} rank {rank}: {losses[rank]:.4f}", file=sys.stderr, flush=True)
            best = min(losses, key=losses.get)
            print(json.dumps({"rows": name, "steps": options.steps, "before": round(found[0]["validation_loss_before"], 4),
                              "losses": {rank: round(loss, 4) for rank, loss in losses.items()}, "auto": proposed,
                              "best": best, "auto_above_best": round(losses[proposed] / losses[best] - 1, 4)}), flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
