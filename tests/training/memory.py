#!/usr/bin/env python3
"""Planned and measured peak memory of fine-tuning runs, each in a process of its own, on models of several shapes.

    memory.py build/release/bin/mlx-toolkit            all shapes
    memory.py build/release/bin/mlx-toolkit --few      those of the test
"""

import argparse
import json
import pathlib
import shutil
import struct
import tempfile

from runs import ROOT, Scene

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
    ("vocabulary", "F32", False, ["--batch-tokens", "1024"]),
    ("vocabulary", "BF16", False, ["--batch-tokens", "512", "--method", "full"]),
]


def fill_vocabulary(file, size):
    """As many tokens as the model has: a tokenizer's memory grows with them. Pairs of what is there, with their merges."""
    tokenizer = json.loads(file.read_text())
    vocabulary, merges = tokenizer["model"]["vocab"], tokenizer["model"]["merges"]
    added = {token["content"] for token in tokenizer["added_tokens"]}
    parts = [token for token in vocabulary if token not in added]
    next_id = 1 + max(max(vocabulary.values()), *(token["id"] for token in tokenizer["added_tokens"]))
    for first, second in ((first, second) for first in parts for second in parts):
        if next_id == size:
            break
        if first + second not in vocabulary:
            vocabulary[first + second] = next_id
            merges.append([first, second] if merges and isinstance(merges[0], list) else f"{first} {second}")
            next_id += 1
    file.write_text(json.dumps(tokenizer))


def model(folder, shape, dtype):
    """A Llama with weights of little sense; its tokenizer is that of the fixture with more tokens."""
    source = ROOT / "tests/fixtures/models/llama"
    hidden, middle, layers, heads, kv_heads, vocabulary = SHAPES[shape]
    folder.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text())
    config |= {"hidden_size": hidden, "intermediate_size": middle, "num_hidden_layers": layers, "num_attention_heads": heads,
               "num_key_value_heads": kv_heads, "vocab_size": vocabulary, "head_dim": hidden // heads, "tie_word_embeddings": True,
               "max_position_embeddings": 8192}
    (folder / "config.json").write_text(json.dumps(config))
    for file in source.iterdir():
        if "token" in file.name or "template" in file.name:
            shutil.copy(file, folder)
    fill_vocabulary(folder / "tokenizer.json", vocabulary)
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    for i in range(layers):
        at = f"model.layers.{i}."
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[at + name + ".weight"] = (hidden,)
        for name, rows, columns in (("self_attn.q_proj", hidden, hidden), ("self_attn.k_proj", hidden // heads * kv_heads, hidden),
                                    ("self_attn.v_proj", hidden // heads * kv_heads, hidden), ("self_attn.o_proj", hidden, hidden),
                                    ("mlp.gate_proj", middle, hidden), ("mlp.up_proj", middle, hidden), ("mlp.down_proj", hidden, middle)):
            shapes[at + name + ".weight"] = (rows, columns)
    size = 4 if dtype == "F32" else 2
    header, end = {}, 0
    for name, dimensions in shapes.items():
        count = dimensions[0] * (dimensions[1] if len(dimensions) > 1 else 1)
        header[name] = {"dtype": dtype, "shape": dimensions, "data_offsets": [end, end + count * size]}
        end += count * size
    text = json.dumps(header).encode()
    values = [((7919 * i) % 997 / 997 - 0.5) * 0.1 for i in range(4093)]
    piece = b"".join(struct.pack("<f", value)[4 - size:] for value in values)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, dimensions in shapes.items():
            begin, stop = header[name]["data_offsets"]
            file.write((piece * ((stop - begin) // len(piece) + 1))[:stop - begin])


parser = argparse.ArgumentParser()
parser.add_argument("program")
parser.add_argument("--few", action="store_true")
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
        if options.few and not few:
            continue
        where = folder / f"{shape}-{dtype}"
        if not where.exists():
            model(where, shape, dtype)
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
