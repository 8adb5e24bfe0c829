"""Peer: mlx-lm on the same MLX wheel (on Linux: stock MLX on the CPU): a few LoRA steps, or prompt and generation.

The GGUF is converted to an f32 Hugging Face folder once (kept in --cache). Few steps and tokens, because MLX's own
CPU backend is slow; so no loss is reported, it would not compare. Prints one JSON line.
"""

import argparse
import importlib.metadata
import time
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optimizers
from dense_model import converted
from mlx_lm import load, stream_generate
from mlx_lm.sample_utils import make_sampler
from mlx_lm.tuner.utils import linear_to_lora_layers
from rows import load_rows, load_tokenizer, report

KEYS = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
        "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", choices=["finetune", "generate"])
    parser.add_argument("--model", required=True, help=".gguf file")
    parser.add_argument("--cache", required=True, help="folder for the converted model")
    parser.add_argument("--data", help="folder with train.jsonl (finetune)")
    parser.add_argument("--prompt", help="text, repeated up to --prompt-tokens (generate)")
    parser.add_argument("--steps", type=int, default=3, help="of one row each; the first is not counted")
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--generate", type=int, default=16)
    return parser.parse_args()


def loss_of(model, ids, supervised):
    logits = model(ids[:, :-1])
    mask = supervised[:, 1:]
    return (nn.losses.cross_entropy(logits, ids[:, 1:]) * mask).sum() / mask.sum()


def generate(options, model, tokenizer):
    ids = tokenizer.encode(options.prompt, add_special_tokens=False)
    long_prompt = (ids * (options.prompt_tokens // len(ids) + 1))[:options.prompt_tokens]
    *_, last = stream_generate(model, tokenizer, long_prompt, max_tokens=options.generate, sampler=make_sampler(temp=0.0))
    return {"prompt_tokens": options.prompt_tokens, "prompt_tokens_per_second": last.prompt_tps,
            "generation_tokens": options.generate, "generation_tokens_per_second": last.generation_tps}


def finetune(options, model):
    model.freeze()
    linear_to_lora_layers(model, len(model.layers), {"rank": 8, "scale": 2.0, "dropout": 0.0, "keys": KEYS})
    optimizer = optimizers.AdamW(learning_rate=2e-4, weight_decay=0.0)
    step = nn.value_and_grad(model, loss_of)
    rows = load_rows(Path(options.data) / "train.jsonl", load_tokenizer(options.model), options.steps)
    seconds = []
    for row, supervised in rows:
        start = time.perf_counter()
        loss, gradient = step(model, mx.array([row]), mx.array([supervised]).astype(mx.float32))
        optimizer.update(model, gradient)
        mx.eval(model.trainable_parameters(), optimizer.state, loss)
        seconds.append(time.perf_counter() - start)
    return {"steps": len(rows), "batch_size": 1, "tokens": sum(len(row) for row, _ in rows),
            "tokens_per_second": sum(len(row) for row, _ in rows[1:]) / sum(seconds[1:])}


def main():
    options = parse()
    model, tokenizer = load(str(converted(options.model, options.cache)))
    result = finetune(options, model) if options.work == "finetune" else generate(options, model, tokenizer)
    report(peer="mlx-lm", **result,
           versions={name: importlib.metadata.version(name) for name in ("mlx", "mlx-lm")})


if __name__ == "__main__":
    main()
