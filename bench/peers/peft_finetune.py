"""Peer: fine-tuning with Hugging Face PEFT and torch on the CPU, f32, as its user would run it.

--method lora and dora: PEFT's. --method qlora: the same on a base in bitsandbytes' 4 bits (NF4, scales packed as well),
computed in f32. --method full: all weights, torch alone.

--rows padded: batches of 4 rows padded to the longest. --rows packed: rows concatenated to 1024 tokens
without boundaries; with --compile under torch.compile, torch at its best. Prints one JSON line.
"""

import argparse
import importlib.metadata
import math
import os
import random
import time
from pathlib import Path

import torch
from dense_model import converted
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from rows import load_rows, load_tokenizer, report
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help=".gguf file")
    parser.add_argument("--data", required=True, help="folder with train.jsonl and valid.jsonl")
    parser.add_argument("--cache", required=True, help="folder for the converted model")
    parser.add_argument("--method", choices=["lora", "qlora", "dora", "full"], default="lora")
    parser.add_argument("--rows", choices=["padded", "packed"], default="padded")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--row-length", type=int, default=1024)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def padded(rows):
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, -100)
    for i, (row, supervised) in enumerate(rows):
        tokens = torch.tensor(row)
        ids[i, :len(row)] = tokens
        mask[i, :len(row)] = 1
        labels[i, :len(row)] = torch.where(torch.tensor(supervised), tokens, -100)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def packed(rows, length):
    ids = [token for row, _ in rows for token in row]
    labels = [t if s else -100 for row, supervised in rows for t, s in zip(row, supervised)]
    batches = []
    for at in range(0, len(ids) - length + 1, length):
        batches.append({"input_ids": torch.tensor([ids[at:at + length]]), "labels": torch.tensor([labels[at:at + length]])})
    return batches


def load_model(folder, method):
    """The model with what the method trains; gradient checkpointing is off, as in the other programs."""
    if method == "qlora":
        packing = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                                     bnb_4bit_compute_dtype=torch.float32)
        packed_model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=packing, dtype=torch.float32,
                                                            device_map="cpu")
        model = prepare_model_for_kbit_training(packed_model, use_gradient_checkpointing=False)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if method == "full":
        return model
    return get_peft_model(model, LoraConfig(r=8, lora_alpha=16, target_modules=TARGETS, task_type="CAUSAL_LM",
                                            use_dora=method == "dora"))


def versions(method):
    names = ["torch", "transformers"] + ([] if method == "full" else ["peft"]) + (["bitsandbytes"] if method == "qlora" else [])
    return {name: importlib.metadata.version(name) for name in names}


def real_tokens(batch):
    return int(batch["attention_mask"].sum()) if "attention_mask" in batch else batch["input_ids"].numel()


@torch.no_grad()
def validate(model, rows):
    model.eval()
    total = count = 0.0
    for at in range(0, len(rows), 8):
        batch = padded(rows[at:at + 8])
        tokens = int((batch["labels"][:, 1:] != -100).sum())
        total += model(**batch).loss.item() * tokens
        count += tokens
    model.train()
    return total / count


def main():
    options = parse()
    torch.manual_seed(options.seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    model_file, data = Path(options.model), Path(options.data)
    tokenizer = load_tokenizer(model_file)
    train, valid = (load_rows(data / name, tokenizer) for name in ("train.jsonl", "valid.jsonl"))
    random.Random(options.seed).shuffle(train)
    model = load_model(converted(model_file, options.cache), options.method)
    before = validate(model, valid)
    if options.rows == "padded":
        batches = [padded(train[at:at + options.batch_size]) for at in range(0, len(train), options.batch_size)]
    else:
        batches = packed(train, options.row_length)
        if len(batches) < 3:
            raise SystemExit(f"the rows fill {len(batches)} packed rows of {options.row_length} tokens; at least 3 are"
                             " needed to measure: give more --train-rows")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=options.learning_rate,
                                  weight_decay=0.0)
    warm = max(1, round(0.05 * len(batches)))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / warm, 0.5 * (1 + math.cos(math.pi * max(0, s - warm) / max(1, len(batches) - warm)))))
    step_model = torch.compile(model) if options.compile else model
    model.train()
    seconds, tokens = [], []
    for batch in batches:
        start = time.perf_counter()
        step_model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        seconds.append(time.perf_counter() - start)
        tokens.append(real_tokens(batch))
    # torch.compile compiles again in some later step; the median step has no part in that.
    middle = sorted(seconds[1:])[len(seconds[1:]) // 2]
    rate = options.row_length / middle if options.compile else sum(tokens[1:]) / sum(seconds[1:])
    after = validate(model, valid)
    report(peer="torch" if options.method == "full" else "peft", method=options.method, rows=options.rows,
           compile=options.compile, steps=len(batches), tokens=sum(tokens),
           supervised_tokens=sum(int((b["labels"][:, 1:] != -100).sum()) for b in batches), seconds=sum(seconds),
           tokens_per_second=rate, step_seconds=seconds, validation_loss_before=before,
           validation_loss_after=after,
           versions=versions(options.method))


if __name__ == "__main__":
    main()
