#!/usr/bin/env python3
"""One row learned by heart by the sample model comes back after save, fuse, export and reload, in the same greedy words
from us and from the program that is named.

  one_row.py MLX_TOOLKIT transformers|mlx_lm|llama_cpp|ollama
"""

import json
import os
import pathlib
import sys

import toolkit

PEER = sys.argv[2]
if PEER == "ollama":
    sys.path.insert(0, str(toolkit.ROOT / "tests/cache/interop"))
    installed = toolkit.ROOT / ".venv-interop/bin/ollama"
    if installed.exists():
        os.environ.setdefault("OLLAMA_PROGRAM", str(installed))
    import real_ollama
    real_ollama.program()
else:
    toolkit.enter_peers({"transformers": "peft"}.get(PEER, PEER))

MODEL = "sample://smollm2-135m"
QUESTION, ANSWER = "<<HELLO!!>>", "My name is Toolkit, and I live in a single file."
SYSTEM = "You answer briefly."
TOKENS = 24


def learn(run) -> pathlib.Path:
    rows = run.folder / "rows"
    rows.mkdir()
    row = {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION},
                        {"role": "assistant", "content": ANSWER}]}
    (rows / "train.jsonl").write_text(json.dumps(row) + "\n")
    (rows / "valid.jsonl").write_text(json.dumps(row) + "\n")
    # So hard that what is learned is larger than the steps of four bits, which would else round it away.
    run("finetune", "--model", MODEL, "--data", rows, "--output", run.folder / "adapter", "--steps", 40,
        "--learning-rate", "5e-3", "--batch-tokens", 128, "--sample", 0)
    return run.folder / "adapter"


def ours(run, *words) -> str:
    return run("generate", *words, "--system", SYSTEM, "--prompt", QUESTION, "--max-tokens", TOKENS)["text"]


def messages():
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


def same(text: str, expected: str, what: str) -> None:
    toolkit.check(text.strip() == expected.strip() == ANSWER, f"{what}: {text.strip()!r}")


def transformers_text(model, tokenizer) -> str:
    import torch
    ids = tokenizer.apply_chat_template(messages(), add_generation_prompt=True, return_tensors="pt",
                                        return_dict=True).input_ids
    with torch.no_grad():
        answer = model.generate(input_ids=ids, max_new_tokens=TOKENS, do_sample=False)
    return tokenizer.decode(answer[0, ids.shape[1]:], skip_special_tokens=True)


def in_transformers(run, adapter, expected) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    run("export", "--format", "hf", "--type", "f32", "--model", MODEL, "--output", run.folder / "base")
    run("export", "--format", "peft", "--model", MODEL, "--adapter", adapter, "--output", run.folder / "peft")
    run("fuse", "--model", MODEL, "--adapter", adapter, "--output", run.folder / "fused")
    same(ours(run, "--model", run.folder / "fused"), expected, "fused, read by us")
    same(ours(run, "--model", run.folder / "base", "--adapter", run.folder / "peft"), expected,
         "base as Hugging Face folder and adapter in PEFT's layout, read by us")
    tokenizer = AutoTokenizer.from_pretrained(run.folder / "fused")
    fused = AutoModelForCausalLM.from_pretrained(run.folder / "fused", dtype=torch.float32)
    same(transformers_text(fused, tokenizer), expected, "fused, in transformers")
    base = AutoModelForCausalLM.from_pretrained(run.folder / "base", dtype=torch.float32)
    same(transformers_text(PeftModel.from_pretrained(base, run.folder / "peft"), tokenizer), expected,
         "base and adapter, in PEFT")


def in_mlx_lm(run, adapter, expected) -> None:
    from mlx_lm import generate, load
    run("export", "--format", "mlx-quantized", "--bits", 8, "--group-size", 32, "--model", MODEL, "--adapter", adapter,
        "--output", run.folder / "packed")
    run("export", "--format", "mlx-quantized", "--bits", 4, "--group-size", 32, "--model", MODEL,
        "--output", run.folder / "base")
    for what, path, branch in (("merged, 8 bits", run.folder / "packed", None),
                               ("base and our adapter", run.folder / "base", str(adapter))):
        model, tokenizer = load(str(path), adapter_path=branch)
        prompt = tokenizer.apply_chat_template(messages(), add_generation_prompt=True)
        same(generate(model, tokenizer, prompt, max_tokens=TOKENS), expected, f"{what}, in mlx-lm")


def in_llama_cpp(run, adapter, expected) -> None:
    from llama_cpp import Llama
    for kind in ("auto", "f16", "q8_0", "q4_0", "q4_1"):
        file = run.folder / f"{kind}.gguf"
        run("export", "--format", "gguf", "--type", kind, "--model", MODEL, "--adapter", adapter, "--output", file)
        same(ours(run, "--model", file), expected, f"GGUF {kind}, read by us")
        llama = Llama(str(file), n_ctx=256, n_threads=2, verbose=False)
        answer = llama.create_chat_completion(messages(), temperature=0, max_tokens=TOKENS)["choices"][0]["message"]["content"]
        same(answer, expected, f"GGUF {kind}, in llama.cpp")
    run("export", "--format", "gguf", "--model", MODEL, "--output", run.folder / "base.gguf")
    run("export", "--format", "gguf-adapter", "--model", MODEL, "--adapter", adapter, "--output",
        run.folder / "adapter.gguf")
    llama = Llama(str(run.folder / "base.gguf"), lora_path=str(run.folder / "adapter.gguf"), n_ctx=256, n_threads=2,
                  verbose=False)
    answer = llama.create_chat_completion(messages(), temperature=0, max_tokens=TOKENS)
    same(answer["choices"][0]["message"]["content"], expected, "base and adapter as GGUF, in llama.cpp")


def in_ollama(run, adapter, expected) -> None:
    with real_ollama.Ollama(run.folder / "home_of_ollama", run.folder / "store_of_ollama") as ollama:
        for name, words in (("merged", ()), ("beside", ("--keep-adapter",))):
            run("export", "--format", "ollama", "--model", MODEL, "--adapter", adapter, "--output", run.folder / name,
                *words)
            ollama.command("create", name, "-f", str(run.folder / name / "Modelfile"))
            answer = ollama.post("/api/chat", {"model": name, "messages": messages(), "stream": False,
                                               "options": {"temperature": 0, "num_predict": TOKENS, "num_ctx": 256}})
            same(answer["message"]["content"], expected, f"adapter {name}, in Ollama")


def main() -> None:
    run = toolkit.Toolkit(sys.argv[1])
    adapter = learn(run)
    expected = ours(run, "--model", MODEL, "--adapter", adapter)
    same(expected, ANSWER, "model and adapter, read by us")
    {"transformers": in_transformers, "mlx_lm": in_mlx_lm, "llama_cpp": in_llama_cpp,
     "ollama": in_ollama}[PEER](run, adapter, expected)


main()
