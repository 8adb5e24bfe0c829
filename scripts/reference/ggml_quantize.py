"""Makes tests/fixtures/checkpoint/ggml_quantize.json: values (f32, hexadecimal bytes) and the blocks that the gguf
package quantizes them to, for every type src/core/checkpoint/write/ggml_quantize.cpp writes.

Made with gguf 0.19.0 and numpy 2.4.6.
Run: python scripts/reference/ggml_quantize.py
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/checkpoint/ggml_quantize.json"
TYPES = ["Q8_0", "Q4_0", "Q4_1"]


def main() -> None:
    random = np.random.default_rng(11)
    rows = [random.normal(0, scale, 32) for scale in (0.02, 0.5, 3.0, 1e-5, 4000.0) for _ in range(4)]
    rows.append(np.zeros(32))
    rows.append(np.full(32, 0.75))
    rows.append(np.full(32, -0.75))
    rows.append(np.concatenate([[1.0, -1.0], np.zeros(30)]))          # a tie: the first one decides the sign
    rows.append(np.linspace(-1, 1, 32))
    rows.append(np.arange(32) % 16 / 8 - 1.0)                         # values that lie on the grid
    values = np.stack(rows).astype(np.float32)
    result = {"values": values.tobytes().hex()}
    for name in TYPES:
        kind = GGMLQuantizationType[name]
        result[name] = {"type": int(kind), "bytes": quantize(values, kind).tobytes().hex()}
    versions = {"gguf": importlib.metadata.version("gguf"), "numpy": np.__version__}
    OUTPUT.write_text(json.dumps({"versions": versions, **result}) + "\n")


main()
