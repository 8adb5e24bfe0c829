#!/usr/bin/env python3
"""What `--rank auto` proposes beside a sweep of ranks: validation loss after the same steps, on three kinds of rows.

    bench/rank_sweep.py --program build/release/bin/mlx-toolkit [--steps 60] [--ranks 4,8,16,32,64] [--compute int8]
                        [--learning-rates 1e-3,2e-3] [--rows dictionary,chosen,code]

Every rank runs with every learning rate and its best run counts, at one alpha: then ranks differ in what they can hold, not in how fast
they learn. dictionary: the repo's own rows; chosen: prompts and chosen answers of its preference rows; code: this repo's headers as plain text.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def write_rows(folder: pathlib.Path, train: list[dict], valid: list[dict]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in (("train", train), ("valid", valid)):
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def example(name: str, split: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "examples/data" / name / f"{split}.jsonl").read_text().splitlines()]


def data_sets(folder: pathlib.Path, valid_rows: int) -> dict[str, pathlib.Path]:
    def chosen(split: str) -> list[dict]:
        return [{"prompt": row["prompt"], "completion": row["chosen"]} for row in example("dictionary_preferences", split)]

    texts = [{"text": path.read_text()[:1500]} for path in sorted((ROOT / "src").rglob("*.h"))]
    kinds = {"dictionary": (example("dictionary", "train"), example("dictionary", "valid")),
             "chosen": (chosen("train"), chosen("valid")),
             "code": ([text for number, text in enumerate(texts) if number % 8], texts[::8])}
    for name, (train, valid) in kinds.items():
        write_rows(folder / name, train, valid[:valid_rows])
    return {name: folder / name for name in kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--ranks", default="4,8,16,32,64")
    parser.add_argument("--learning-rates", default="1e-3,2e-3")
    parser.add_argument("--rows", default="dictionary,chosen,code")
    parser.add_argument("--valid-rows", type=int, default=64)
    parser.add_argument("--compute", default="int8")
    parser.add_argument("--seed", default="0")
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="rank-sweep-"))
    try:
        data = data_sets(work, options.valid_rows)

        def train(name: str, rank: str, learning_rate: str, steps: int) -> dict:
            command = [options.program, "finetune", "--model", "sample://smollm2-135m", "--data", str(data[name]),
                       "--output", str(work / "out"), "--rank", rank, "--steps", str(steps), "--learning-rate", learning_rate,
                       "--compute", options.compute, "--seed", options.seed, "--sample", "0", "--json", "--quiet"]
            shutil.rmtree(work / "out", ignore_errors=True)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                sys.exit(f"{name}, rank {rank}: {done.stderr[-800:]}")
            return json.loads(done.stdout.splitlines()[-1])

        rates = options.learning_rates.split(",")
        for name in options.rows.split(","):
            losses, before = {}, 0.0
            for rank in (int(rank) for rank in options.ranks.split(",")):
                found = {}
                for rate in rates:
                    run = train(name, str(rank), rate, options.steps)
                    found[rate], before = run["validation_loss_after"], run["validation_loss_before"]
                    print(f"{name} rank {rank} learning rate {rate}: {found[rate]:.4f} "
                          f"({run['tokens_per_second']:.0f} tokens/s)", file=sys.stderr, flush=True)
                losses[rank] = min(found.values())
            proposed = train(name, "auto", rates[0], 1)["rank"]
            best = min(losses, key=losses.get)
            print(json.dumps({"rows": name, "steps": options.steps, "before": round(before, 4),
                              "losses": {rank: round(loss, 4) for rank, loss in losses.items()}, "auto": proposed, "best": best,
                              "auto_above_best": round(losses[proposed] / losses[best] - 1, 4) if proposed in losses else None}), flush=True)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
