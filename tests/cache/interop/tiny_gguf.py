#!/usr/bin/env python3
"""Makes a small GGUF of random weights that the real Ollama loads and generates with (nonsense, but at once).

    tiny_gguf.py FILE [--seed N] [--name TEXT]      about 8 MB, architecture llama, a byte vocabulary
"""

import argparse
import pathlib
import random
import struct

UINT32, FLOAT32, STRING, ARRAY, INT32 = 4, 6, 8, 9, 5
VOCABULARY, CHANNELS, HEADS, LAYERS, HIDDEN = 320, 128, 4, 2, 2048
CHATML = ("{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
          "{% endfor %}<|im_start|>assistant\n")


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def key(name: str, kind: int, value) -> bytes:
    packed = {UINT32: lambda: struct.pack("<I", value), FLOAT32: lambda: struct.pack("<f", value),
              STRING: lambda: text(value)}[kind]()
    return text(name) + struct.pack("<I", kind) + packed


def key_list(name: str, kind: int, values: list) -> bytes:
    one = {STRING: text, FLOAT32: lambda v: struct.pack("<f", v), INT32: lambda v: struct.pack("<i", v)}[kind]
    return text(name) + struct.pack("<IIQ", ARRAY, kind, len(values)) + b"".join(map(one, values))


def vocabulary() -> tuple[list[str], list[float], list[int]]:
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    words = ["\u2581"] + [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("ABCDEFGHIJKLMNOPQRSTUVWXYZ.,!? ")
    words = words[:VOCABULARY - len(tokens)]
    words += [f"\u2581{a}" for a in "abcdefghijklmnopqrstuvwxyz"][:VOCABULARY - len(tokens) - len(words)]
    tokens += words
    kinds += [1] * len(words)
    assert len(tokens) == VOCABULARY
    return tokens, [-float(i) for i in range(VOCABULARY)], kinds


def shapes() -> list[tuple[str, list[int]]]:
    """Names and dimensions in the file's order: fastest first."""
    square, wide, back = [CHANNELS, CHANNELS], [CHANNELS, HIDDEN], [HIDDEN, CHANNELS]
    result = [("token_embd.weight", [CHANNELS, VOCABULARY])]
    for i in range(LAYERS):
        result += [(f"blk.{i}.{name}.weight", shape) for name, shape in [
            ("attn_norm", [CHANNELS]), ("attn_q", square), ("attn_k", square), ("attn_v", square),
            ("attn_output", square), ("ffn_norm", [CHANNELS]), ("ffn_gate", wide), ("ffn_up", wide),
            ("ffn_down", back)]]
    return result + [("output_norm.weight", [CHANNELS]), ("output.weight", [CHANNELS, VOCABULARY])]


def make(path: pathlib.Path, seed: int = 1, name: str = "tiny") -> None:
    tokens, scores, kinds = vocabulary()
    keys = [
        key("general.architecture", STRING, "llama"), key("general.name", STRING, name),
        key("general.file_type", UINT32, 0), key("llama.block_count", UINT32, LAYERS),
        key("llama.context_length", UINT32, 2048), key("llama.embedding_length", UINT32, CHANNELS),
        key("llama.feed_forward_length", UINT32, HIDDEN), key("llama.attention.head_count", UINT32, HEADS),
        key("llama.attention.head_count_kv", UINT32, HEADS), key("llama.vocab_size", UINT32, VOCABULARY),
        key("llama.rope.dimension_count", UINT32, CHANNELS // HEADS),
        key("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        key("tokenizer.ggml.model", STRING, "llama"), key_list("tokenizer.ggml.tokens", STRING, tokens),
        key_list("tokenizer.ggml.scores", FLOAT32, scores), key_list("tokenizer.ggml.token_type", INT32, kinds),
        key("tokenizer.ggml.bos_token_id", UINT32, 1), key("tokenizer.ggml.eos_token_id", UINT32, 2),
        key("tokenizer.chat_template", STRING, CHATML),
    ]
    draw = random.Random(seed)
    noise = struct.pack("<4096f", *(draw.gauss(0, 0.05) for _ in range(4096)))
    infos, data, offset = [], [], 0
    for tensor, shape in shapes():
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        content = struct.pack(f"<{count}f", *([1.0] * count)) if len(shape) == 1 else noise * (count // 4096 + 1)
        content = content[:count * 4]
        infos.append(text(tensor) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
                     + struct.pack("<IQ", 0, offset))
        padding = -len(content) % 32
        data.append(content + bytes(padding))
        offset += len(content) + padding
    header = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(keys)) + b"".join(keys) + b"".join(infos)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + bytes(-len(header) % 32) + b"".join(data))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="tiny")
    options = parser.parse_args()
    make(options.file, options.seed, options.name)


if __name__ == "__main__":
    main()
