"""Adapters between mlx-lm and us, on the tiny Llama of tests/fixtures/models/llama.

  python scripts/reference/mlx_lm_adapter.py make        writes tests/fixtures/checkpoint/mlx_lm_adapter
  python scripts/reference/mlx_lm_adapter.py check DIR   loads an adapter of ours (adapter_test.cpp) with mlx-lm
                                                         and checks that its tensors arrive in the model

Made with mlx-lm 0.32.2 and mlx 0.32.4.
"""

import json
import sys
from pathlib import Path

import mlx.core as mx
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers, load_adapters
from mlx_lm.utils import load_model, save_config

FIXTURES = Path(__file__).resolve().parents[2] / "tests/fixtures"


def tiny_model():
    return load_model(FIXTURES / "models/llama")[0]


def make() -> None:
    mx.random.seed(3)
    parameters = {"rank": 2, "scale": 20.0, "dropout": 0.0, "keys": ["self_attn.q_proj", "mlp.down_proj"]}
    model = tiny_model()
    model.freeze()
    linear_to_lora_layers(model, 1, parameters)
    folder = FIXTURES / "checkpoint/mlx_lm_adapter"
    folder.mkdir(parents=True, exist_ok=True)
    mx.save_safetensors(str(folder / "adapters.safetensors"), dict(tree_flatten(model.trainable_parameters())))
    config = {"fine_tune_type": "lora", "num_layers": 1, "lora_parameters": parameters, "model": "tiny",
              "seed": 0, "optimizer": "adamw"}
    save_config(config, folder / "adapter_config.json")


def check(folder: str) -> None:
    model = load_adapters(tiny_model(), folder)
    parameters = dict(tree_flatten(model.parameters()))
    saved = mx.load(str(Path(folder) / "adapters.safetensors"))
    assert saved
    for name, value in saved.items():
        assert mx.array_equal(parameters[name], value), name
    scale = json.loads((Path(folder) / "adapter_config.json").read_text())["lora_parameters"]["scale"]
    assert model.model.layers[2].self_attn.q_proj.scale == scale


if sys.argv[1] == "make":
    make()
else:
    check(sys.argv[2])
