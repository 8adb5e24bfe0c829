"""A small data set, the program's command line, and adapters read without any library."""

import array
import json
import os
import pathlib
import struct
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Scene:
    def __init__(self, program, folder):
        self.program, self.folder = str(pathlib.Path(program).resolve()), pathlib.Path(folder)
        data = self.folder / "data"
        data.mkdir()
        for split, count in (("train", 60), ("valid", 8)):
            rows = [{"prompt": f"Name colour {i}.", "completion": f"Colour {i} is {('red', 'blue', 'green')[i % 3]}{' indeed' * (i % 5)}."}
                    for i in range(count)]
            (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.environment = os.environ | {"MLX_INFRASTRUCTURE_HOME": str(self.folder / "home"), "MLX_TOOLKIT_THREADS": "1",
                                         "MLX_TOOLKIT_PEER_TIMEOUT": "60"}

    def words(self, output, *more):
        return ["finetune", "--model", str(ROOT / "tests/fixtures/models/llama"), "--data", str(self.folder / "data"),
                "--output", str(self.folder / output), "--max-length", "96", "--batch-tokens", "96", "--sample", "0", *more]

    def run(self, *words, check=True, program=None):
        done = subprocess.run([program or self.program, *words], env=self.environment, capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise SystemExit(f"{words}: code {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def result(self, done):
        return json.loads(done.stdout.strip().splitlines()[-1])


def tensors(folder):
    """Name to floats, of <folder>/adapters.safetensors (f32)."""
    raw = (pathlib.Path(folder) / "adapters.safetensors").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    result = {}
    for name, entry in json.loads(raw[8:8 + length]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            result[name] = array.array("f", raw[8 + length + begin:8 + length + end])
    return result


def largest_gap(a, b):
    assert a.keys() == b.keys()
    return max(abs(x - y) for name in a for x, y in zip(a[name], b[name]))


def largest(a):
    return max(abs(x) for values in a.values() for x in values)
