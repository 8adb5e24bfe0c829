"""Texts per second of sentence-transformers, as bench/embed/embed.cpp measures ours.

Run: python bench/peers/sentence_transformers_speed.py FOLDER ROWS.jsonl [threads]
(sentence-transformers beside the packages of scripts/setup --peers)
"""

import importlib.metadata
import json
import sys
import time

import torch
from sentence_transformers import SentenceTransformer


def measure(name, model, texts, dtype):
    for batch in [32, 128]:
        if batch > len(texts) and batch > 32:
            break
        best = float("inf")
        for _ in range(3):
            begin = time.perf_counter()
            model.encode(texts, batch_size=batch, convert_to_numpy=True)
            best = min(best, time.perf_counter() - begin)
        print(f"{dtype} {name}: batches of {batch}: {len(texts) / best:.0f} texts/s", flush=True)


def main():
    if len(sys.argv) > 3:
        torch.set_num_threads(int(sys.argv[3]))
    with open(sys.argv[2]) as rows:
        texts = [json.loads(line)["messages"][1]["content"] for line in rows][:1000]
    long = [" ".join(texts[i:i + 8]) + " " for i in range(0, len(texts), 8)]
    print({name: importlib.metadata.version(name) for name in ["torch", "transformers", "sentence-transformers"]})
    model = SentenceTransformer(sys.argv[1], device="cpu")
    for name, given in [("short", texts), ("long", long), ("one by one", texts[:1])]:
        measure(name, model, given, "f32")


if __name__ == "__main__":
    main()
