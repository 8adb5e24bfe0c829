#!/usr/bin/env python3
"""Adapters that `finetune` leaves, of every method, loaded by the program that is named: the same greedy words as ours.

  our_adapters.py MLX_TOOLKIT peft|mlx_lm
"""

import json
import sys

import toolkit

PEER = sys.argv[2]
toolkit.enter_peers(PEER)

PROMPT, TOKENS = "hello the", 12
METHODS = {
    "lora": [],
    "rslora": ["--rslora"],
    "dora": ["--method", "dora"],
    "pissa": ["--init", "pissa"],
    "own ranks": ["--ranks", "q_proj=2,layers.1.mlp=6"],
    "last layers": ["--layers", 2, "--targets", "attention"],
}


def rows(folder):
    folder.mkdir()
    for split, count in (("train", 24), ("valid", 4)):
        lines = [json.dumps({"prompt": f"word {i % 7}", "completion": f"the name {i % 5} of the word"}) + "\n" for i in range(count)]
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


def in_peft(folder):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    base = AutoModelForCausalLM.from_pretrained(toolkit.TINY_LLAMA, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(toolkit.TINY_LLAMA)
    ids = tokenizer(PROMPT, return_tensors="pt").input_ids
    with torch.no_grad():
        answer = model.generate(input_ids=ids, max_new_tokens=TOKENS, do_sample=False, pad_token_id=0,
                                eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"))
    return tokenizer.decode(answer[0, ids.shape[1]:], skip_special_tokens=True)


def in_mlx_lm(folder):
    from mlx_lm import generate, load
    model, tokenizer = load(str(toolkit.TINY_LLAMA), adapter_path=str(folder))
    return generate(model, tokenizer, tokenizer.encode(PROMPT), max_tokens=TOKENS)


def main() -> None:
    run = toolkit.Toolkit(sys.argv[1])
    data = rows(run.folder / "rows")
    base = run("generate", "--model", toolkit.TINY_LLAMA, "--raw", "--prompt", PROMPT, "--max-tokens", TOKENS)["text"]
    for name, words in METHODS.items():
        folder = run.folder / name.replace(" ", "_")
        run("finetune", "--model", toolkit.TINY_LLAMA, "--data", data, "--output", folder, "--steps", 12, "--rank", 4, "--learning-rate",
            "2e-2", "--batch-tokens", 256, "--max-length", 128, "--sample", 0, *words)
        ours = run("generate", "--model", toolkit.TINY_LLAMA, "--adapter", folder, "--raw", "--prompt", PROMPT, "--max-tokens",
                   TOKENS)["text"]
        toolkit.check(ours != base, f"{name}: the adapter changes what is said: {ours!r}")
        if PEER == "peft":
            peft = run.folder / (folder.name + "_peft")
            run("export", "--format", "peft", "--adapter", folder, "--model", toolkit.TINY_LLAMA, "--output", peft)
            theirs = in_peft(peft)
        else:
            theirs = in_mlx_lm(folder)
        toolkit.check(ours.strip() == theirs.strip(), f"{name}: the same greedy words from {PEER}: {theirs!r}")


main()
