#!/usr/bin/env python3
"""Adapters of every method on the tiny Llama: made by PEFT, rewritten and merged by us, with the same logits in PEFT,
transformers and mlx-lm, and the same greedy words from our own `generate`.

  tiny_adapters.py MLX_TOOLKIT peft|mlx_lm
"""

import sys

import toolkit

PEER = sys.argv[2]
toolkit.enter_peers("peft" if PEER == "peft" else "mlx_lm")

import torch  # noqa: E402  (the Python was chosen above)
from peft import LoraConfig, PeftModel, get_peft_model  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

IDS = torch.arange(3, 43)[None] * 7 % 320
PROMPT = "hello the"


def base():
    return AutoModelForCausalLM.from_pretrained(toolkit.TINY_LLAMA, dtype=torch.float32).eval()


def settings():
    every = ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"]
    common = dict(task_type="CAUSAL_LM", target_modules=every)
    yield "lora", LoraConfig(r=4, lora_alpha=12, **common)
    yield "rslora", LoraConfig(r=4, lora_alpha=6, use_rslora=True, **common)
    yield "dora", LoraConfig(r=4, lora_alpha=12, use_dora=True, **common)
    yield "two layers", LoraConfig(r=4, lora_alpha=12, layers_to_transform=[1, 2], **common)
    yield "own ranks", LoraConfig(r=4, lora_alpha=12, rank_pattern={"model.layers.1.mlp.up_proj": 2, "q_proj": 3},
                                  alpha_pattern={"q_proj": 5}, **common)
    yield "pissa", LoraConfig(r=4, lora_alpha=4, init_lora_weights="pissa", **common)


def disturb(model) -> None:
    """Weights as after training: nothing is zero."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "lora_" in name:
                value.add_(torch.randn_like(value) * (0.2 if "magnitude" in name else 0.1))


def make(name: str, config: LoraConfig, folder):
    """An adapter of PEFT's own in `folder`, and its logits."""
    model = get_peft_model(base(), config)
    if name == "pissa":  # changes the base, so the adapter is saved as a LoRA of twice the rank
        model.peft_config["default"].init_lora_weights = True
        model.save_pretrained(folder.with_name("start"))
        model.peft_config["default"].init_lora_weights = "pissa"
    disturb(model)
    model.eval()
    if name == "pissa":
        model.save_pretrained(folder, path_initial_model_for_weight_conversion=str(folder.with_name("start")))
    else:
        model.save_pretrained(folder)
    with torch.no_grad():
        return model(IDS).logits, model


def peft_logits(folder):
    with torch.no_grad():
        return PeftModel.from_pretrained(base(), folder).eval()(IDS).logits


def greedy(model) -> str:
    tokenizer = AutoTokenizer.from_pretrained(toolkit.TINY_LLAMA)
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    with torch.no_grad():
        answer = model.generate(input_ids=ids, max_new_tokens=12, do_sample=False, pad_token_id=0,
                                eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"))
    return tokenizer.decode(answer[0, ids.shape[1]:], skip_special_tokens=True)


def near(a, b) -> bool:
    return float((a - b).abs().max()) < 2e-4 * max(1.0, float(b.abs().max()))


def beside_peft(run, name, folder, expected, model) -> None:
    run("export", "--format", "mlx", "--adapter", folder / "peft", "--output", folder / "mlx")
    run("export", "--format", "peft", "--adapter", folder / "mlx", "--output", folder / "again")
    toolkit.check(near(peft_logits(folder / "again"), expected), f"{name}: PEFT to mlx-lm's layout and back")
    run("fuse", "--model", toolkit.TINY_LLAMA, "--adapter", folder / "peft", "--output", folder / "fused")
    fused = AutoModelForCausalLM.from_pretrained(folder / "fused", dtype=torch.float32).eval()
    with torch.no_grad():
        toolkit.check(near(fused(IDS).logits, expected), f"{name}: fused, in transformers")
    ours = run("generate", "--model", folder / "fused", "--raw", "--prompt", PROMPT, "--max-tokens", 12)["text"]
    toolkit.check(ours == greedy(model), f"{name}: fused, the same greedy words from us: {ours!r}")
    ours = run("generate", "--model", toolkit.TINY_LLAMA, "--adapter", folder / "peft", "--raw", "--prompt", PROMPT,
               "--max-tokens", 12)["text"]
    toolkit.check(ours == greedy(model), f"{name}: PEFT's adapter, the same greedy words from us")


def beside_mlx_lm(run, name, folder, expected) -> None:
    import mlx.core as mx
    from mlx_lm.utils import load_adapters, load_model
    run("export", "--format", "mlx", "--adapter", folder / "peft", "--output", folder / "mlx")
    model = load_adapters(load_model(toolkit.TINY_LLAMA)[0], str(folder / "mlx"))
    model.eval()
    logits = torch.tensor(model(mx.array(IDS.numpy())).astype(mx.float32).tolist())
    toolkit.check(near(logits, expected), f"{name}: our rewriting of PEFT's adapter, in mlx-lm")
    run("export", "--format", "mlx-quantized", "--bits", 8, "--group-size", 32, "--model", toolkit.TINY_LLAMA,
        "--adapter", folder / "peft", "--output", folder / "packed")
    run("export", "--format", "hf", "--type", "f32", "--model", folder / "packed", "--output", folder / "dense")
    dense = AutoModelForCausalLM.from_pretrained(folder / "dense", dtype=torch.float32).eval()
    with torch.no_grad():
        same_weights = dense(IDS).logits  # mlx-lm's differ by its f16 scales only
    logits = torch.tensor(load_model(folder / "packed")[0](mx.array(IDS.numpy())).astype(mx.float32).tolist())
    toolkit.check(float((logits - same_weights).abs().max()) < 0.01 * float(same_weights.abs().max()),
                  f"{name}: merged and quantized to 8 bits, in mlx-lm as dequantized in transformers")


def main() -> None:
    run = toolkit.Toolkit(sys.argv[1])
    for name, config in settings():
        folder = run.folder / name.replace(" ", "_")
        expected, model = make(name, config, folder / "peft")
        if PEER == "peft":
            beside_peft(run, name, folder, expected, model)
        else:
            beside_mlx_lm(run, name, folder, expected)


main()
