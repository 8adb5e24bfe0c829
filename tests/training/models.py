"""Llamas of any shape with weights of little sense, as Hugging Face folders, made without any library."""

import json
import shutil
import struct

from runs import ROOT


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


def write_model(folder, shape, dtype):
    """`shape`: hidden, intermediate, layers, heads, key/value heads, vocabulary; `dtype` F32 or BF16. The tokenizer is that of the
    fixture with as many tokens as the model has."""
    source = ROOT / "tests/fixtures/models/llama"
    hidden, middle, layers, heads, kv_heads, vocabulary = shape
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
