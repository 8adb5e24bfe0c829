"""Makes tests/fixtures/checkpoint/ggml_blocks.json: blocks of every ggml type that src/core/checkpoint/ggml_half.cpp
reads, as hexadecimal bytes, with the values that the gguf package dequantizes them to (f32).

Made with gguf 0.19.0 and numpy 2.4.6. Q8_K is not in that package: its values come from the format itself.
Run: python scripts/reference/ggml_blocks.py
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/checkpoint/ggml_blocks.json"
BLOCKS = 2
# type: where the f16 scales of a block lie; random bytes there could be infinite
SCALES = {"Q5_0": [0], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0]}


def main() -> None:
    random = np.random.default_rng(7)
    result = {}
    for name, places in SCALES.items():
        kind = GGMLQuantizationType[name]
        size = GGML_QUANT_SIZES[kind][1]
        blocks = random.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        for place in places:
            blocks[:, place:place + 2] = random.normal(0, 0.02, BLOCKS).astype(np.float16).view(np.uint8).reshape(-1, 2)
        values = dequantize(blocks, kind).astype(np.float32)
        result[name] = {"type": int(kind), "bytes": blocks.tobytes().hex(), "values": values.flatten().tolist()}
    blocks = random.integers(0, 256, (BLOCKS, 292), dtype=np.uint8)
    blocks[:, :4] = random.normal(0, 0.02, BLOCKS).astype(np.float32).view(np.uint8).reshape(-1, 4)
    values = blocks[:, :4].copy().view(np.float32) * blocks[:, 4:260].copy().view(np.int8).astype(np.float32)
    result["Q8_K"] = {"type": 15, "bytes": blocks.tobytes().hex(), "values": values.flatten().tolist()}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    versions = {"gguf": importlib.metadata.version("gguf"), "numpy": np.__version__}
    OUTPUT.write_text(json.dumps({"versions": versions, "types": result}) + "\n")


main()
