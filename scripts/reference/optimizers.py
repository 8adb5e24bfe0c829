"""Ten steps of every optimizer on a small matrix and a small vector, by the programs people know.

  python scripts/reference/optimizers.py        writes tests/fixtures/optim/optimizers.json

AdamW, SGD and Muon are torch's (Muon with its Newton-Schulz steps in f32 instead of bf16), Adafactor is that of transformers, Lion
that of MLX. AdamW with a first moment in 8 bits exists in none of them as we mean it: it is written out here with numpy.
"""

import json
from pathlib import Path

import mlx.core as mx
import mlx.optimizers
import numpy as np
import torch
import transformers
from transformers.optimization import Adafactor

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/optim/optimizers.json"
STEPS, RATE = 10, 0.02
SHAPES = [(6, 9), (70,)]
random = np.random.default_rng(5)
start = [random.standard_normal(shape).astype(np.float32) for shape in SHAPES]
gradients = [[(random.standard_normal(shape) * 0.3).astype(np.float32) for shape in SHAPES] for _ in range(STEPS)]


def torch_steps(make, scale=1.0, max_norm=0.0):
    parameters = [torch.nn.Parameter(torch.from_numpy(value.copy())) for value in start]
    optimizers = make(parameters)
    for step in gradients:
        for parameter, gradient in zip(parameters, step):
            parameter.grad = torch.from_numpy(gradient.copy()) * scale
        if max_norm:
            torch.nn.utils.clip_grad_norm_(parameters, max_norm)
        for optimizer in optimizers:
            optimizer.step()
    return [parameter.detach().numpy() for parameter in parameters]


def muon(parameters, **settings):
    return [torch.optim.Muon(parameters[:1], lr=RATE, adjust_lr_fn="match_rms_adamw", **settings),
            torch.optim.AdamW(parameters[1:], lr=RATE, weight_decay=settings["weight_decay"])]


def muon_steps(**settings):
    rounded = torch.bfloat16
    torch.bfloat16 = torch.float32
    try:
        return torch_steps(lambda parameters: muon(parameters, **settings))
    finally:
        torch.bfloat16 = rounded


def lion_steps(**settings):
    optimizer = mlx.optimizers.Lion(learning_rate=RATE, **settings)
    parameters = {str(i): mx.array(value) for i, value in enumerate(start)}
    for step in gradients:
        parameters = optimizer.apply_gradients({str(i): mx.array(g) for i, g in enumerate(step)}, parameters)
    return [np.array(parameters[str(i)]) for i in range(len(start))]


def adamw_8bit_steps(beta1=0.9, beta2=0.999, eps=1e-8, decay=0.0, block=64):
    result = []
    for index, value in enumerate(start):
        p, v = value.ravel().astype(np.float32), np.zeros(value.size, np.float32)
        m = np.zeros(value.size, np.float32)
        for step in range(1, STEPS + 1):
            g = gradients[step - 1][index].ravel()
            m = np.float32(beta1) * m + np.float32(1 - beta1) * g
            v = np.float32(beta2) * v + np.float32(1 - beta2) * g * g
            p = p * np.float32(1 - RATE * decay) - np.float32(RATE / (1 - beta1**step)) * m / (
                np.sqrt(v / np.float32(1 - beta2**step)) + np.float32(eps))
            for begin in range(0, m.size, block):
                part = m[begin:begin + block]
                scale = np.abs(part).max() / np.float32(127)
                m[begin:begin + block] = np.rint(part / scale) * scale
        result.append(p.reshape(value.shape))
    return result


def adafactor(**settings):
    return torch_steps(lambda p: [Adafactor(p, **settings)])


def cases():
    AdamW, SGD = torch.optim.AdamW, torch.optim.SGD
    yield "adamw", {}, torch_steps(lambda p: [AdamW(p, lr=RATE, weight_decay=0.0)])
    yield ("adamw", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1},
           torch_steps(lambda p: [AdamW(p, lr=RATE, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)]))
    yield ("adamw", {"gradient_scale": 0.25, "max_norm": 0.5},
           torch_steps(lambda p: [AdamW(p, lr=RATE, weight_decay=0.0)], scale=0.25, max_norm=0.5))
    groups = [{"rate_factor": 16, "decays": True}, {"rate_factor": 1, "decays": False}]
    yield ("adamw", {"weight_decay": 0.1, "rules": groups},
           torch_steps(lambda p: [AdamW([{"params": p[:1], "lr": 16 * RATE, "weight_decay": 0.1},
                                         {"params": p[1:], "lr": RATE, "weight_decay": 0.0}])]))
    yield "adamw8bit", {}, adamw_8bit_steps()
    yield ("adamw8bit", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1},
           adamw_8bit_steps(0.8, 0.95, 1e-6, 0.1))
    yield "lion", {}, lion_steps()
    yield ("lion", {"beta1": 0.8, "beta2": 0.95, "weight_decay": 0.1},
           lion_steps(betas=[0.8, 0.95], weight_decay=0.1))
    yield "sgd", {}, torch_steps(lambda p: [SGD(p, lr=RATE)])
    yield "sgd", {"weight_decay": 0.1}, torch_steps(lambda p: [SGD(p, lr=RATE, weight_decay=0.1)])
    yield "sgd", {"momentum": 0.9}, torch_steps(lambda p: [SGD(p, lr=RATE, momentum=0.9)])
    yield ("sgd", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
           torch_steps(lambda p: [SGD(p, lr=RATE, momentum=0.9, nesterov=True, weight_decay=0.1)]))
    fixed = {"lr": RATE, "relative_step": False, "scale_parameter": False}
    yield "adafactor", {}, adafactor(**fixed)
    yield ("adafactor", {"beta1": 0.9, "weight_decay": 0.1, "scale_parameter": True},
           adafactor(**{**fixed, "scale_parameter": True}, beta1=0.9, weight_decay=0.1))
    yield ("adafactor", {"relative_step": True, "scale_parameter": True},
           adafactor(lr=None, relative_step=True, scale_parameter=True))
    yield "muon", {}, muon_steps(weight_decay=0.0)
    yield "muon", {"momentum": 0.8, "weight_decay": 0.1}, muon_steps(momentum=0.8, weight_decay=0.1)


def numbers(arrays):
    return [[float(f"{number:.8g}") for number in array.ravel()] for array in arrays]


OUTPUT.parent.mkdir(parents=True, exist_ok=True)
OUTPUT.write_text(json.dumps({
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "mlx": mx.__version__},
    "learning_rate": RATE, "shapes": SHAPES, "start": numbers(start),
    "gradients": [numbers(step) for step in gradients],
    "cases": [{"optimizer": name, "settings": settings, "end": numbers(end)} for name, settings, end in cases()],
}) + "\n")
