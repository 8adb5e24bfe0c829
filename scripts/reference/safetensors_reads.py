"""Opens a file that our writer made (src/core/checkpoint/safetensors_test.cpp) with the real safetensors
package and checks names, shapes, types and values. Exit code 0: all is as it should be.

Run with safetensors 0.8.0 and numpy 2.4 (any version should do).
"""

import sys

import numpy as np
from safetensors import safe_open


def main() -> None:
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    expected = {
        "f32": base,
        "transposed": base.transpose(2, 0, 1),
        "scalar": np.float32(3.5),
        "empty": np.zeros((0, 5), np.float16),
        "f16": base.astype(np.float16),
        "bool": base.astype(bool),
    }
    for kind in ("u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"):
        expected[kind] = base.astype(("uint" if kind[0] == "u" else "int") + kind[1:])
    with safe_open(sys.argv[1], framework="numpy") as file:
        assert file.metadata() == {"format": "mlx"}, file.metadata()
        assert set(file.keys()) == set(expected) | {"bf16", "c64"}, list(file.keys())
        for name, value in expected.items():
            read = file.get_tensor(name)
            assert read.dtype == value.dtype and read.shape == value.shape, (name, read.dtype, read.shape)
            assert np.array_equal(read, value), name
        for name, dtype in (("bf16", "BF16"), ("c64", "C64")):
            part = file.get_slice(name)
            assert part.get_dtype() == dtype and part.get_shape() == [2, 3, 4], name


main()
