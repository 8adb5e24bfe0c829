"""Makes tests/fixtures/models: a tiny random model of each family with what transformers and PEFT say of it.

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, tokenizers 0.23.3, safetensors 0.8.0,
gguf 0.19.0, mlx 0.32.4 and mlx-lm 0.32.2. The format is described in tests/fixtures/README.md.
Run: python scripts/reference/models.py [family ...]
"""

import importlib.metadata
import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers import (Gemma2Config, Gemma3TextConfig, LlamaConfig, MistralConfig, Qwen2Config,
                          Qwen3Config, SmolLM3Config)

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/models"
ROWS, TOKENS, RANK, ALPHA = 2, 40, 2, 4
SIZE = dict(hidden_size=32, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=256, pad_token_id=None, bos_token_id=0, eos_token_id=2)
OLD_ROPE = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                original_max_position_embeddings=64)

# name: (config, what the saved config.json is changed to (None removes), how the folder is saved)
FAMILIES = {
    "llama": (LlamaConfig(**SIZE, vocab_size=320, num_hidden_layers=3, tie_word_embeddings=True,
                          rms_norm_eps=1e-5,
                          rope_parameters=dict(rope_theta=10000.0, **OLD_ROPE)),
              dict(rope_parameters=None, rope_theta=10000.0, rope_scaling=OLD_ROPE), {}),
    "mistral": (MistralConfig(**SIZE, vocab_size=128, num_hidden_layers=2, head_dim=16, sliding_window=12,
                              tie_word_embeddings=False),
                dict(rope_parameters=None, rope_theta=10000.0), dict(dtype=torch.bfloat16)),
    "qwen2": (Qwen2Config(**SIZE, vocab_size=128, num_hidden_layers=2, tie_word_embeddings=True,
                          rope_parameters=dict(rope_type="default", rope_theta=1000000.0)),
              dict(rope_parameters=None, rope_theta=1000000.0), {}),
    "qwen3": (Qwen3Config(**SIZE, vocab_size=128, num_hidden_layers=3, head_dim=16, tie_word_embeddings=False,
                          rope_parameters=dict(rope_type="default", rope_theta=1000000.0)),
              dict(rope_parameters=None, rope_theta=1000000.0), dict(max_shard_size="60KB")),
    "smollm3": (SmolLM3Config(**SIZE, vocab_size=128, num_hidden_layers=4, tie_word_embeddings=True,
                              no_rope_layer_interval=4,
                              rope_parameters=dict(rope_type="default", rope_theta=5000000.0)), {}, {}),
    "gemma2": (Gemma2Config(**SIZE, vocab_size=128, num_hidden_layers=4, head_dim=16, sliding_window=12,
                            query_pre_attn_scalar=24, attn_logit_softcapping=4.0,
                            final_logit_softcapping=6.0, hidden_activation="gelu_pytorch_tanh"), {}, {}),
    "gemma3": (Gemma3TextConfig(**SIZE, vocab_size=128, num_hidden_layers=3, head_dim=16, sliding_window=12,
                                query_pre_attn_scalar=24,
                                layer_types=["sliding_attention", "sliding_attention", "full_attention"]),
               {}, {}),
}


def versions():
    names = ["torch", "transformers", "peft", "safetensors", "gguf", "mlx", "mlx-lm"]
    return {name: importlib.metadata.version(name) for name in names}


def fill(model):
    """Weights of a size at which every part of the model moves the logits."""
    for name, tensor in model.named_parameters():
        random = torch.randn(tensor.shape)
        if "norm" in name:
            base = 0.0 if "gemma" in model.config.model_type else 1.0
            tensor.data = base + 0.2 * random
        elif name.endswith("bias"):
            tensor.data = 0.5 * random
        elif "embed" in name:
            tensor.data = 0.5 * random
        else:
            tensor.data = 1.2 * random / tensor.shape[1] ** 0.5


def inputs(vocabulary):
    generator = torch.Generator().manual_seed(11)
    ids = torch.randint(3, vocabulary, (ROWS, TOKENS), generator=generator)
    supervised = torch.rand((ROWS, TOKENS), generator=generator) < 0.6
    supervised[:, 0] = False
    return ids, supervised


def load(folder, **options):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager",
                                                **options)


def loss_of(model, ids, supervised):
    return model(input_ids=ids, labels=ids.masked_fill(~supervised, -100)).loss


def add_lora(model):
    """PEFT's LoRA on every linear layer, both factors random so that both have a gradient."""
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(model, LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets))
    generator = torch.Generator().manual_seed(13)
    for name, tensor in model.named_parameters():
        if "lora_" in name:
            tensor.data = 0.3 * torch.randn(tensor.shape, generator=generator)
    return model


def lora_tensors(model):
    """Both factors and their gradients in mlx-lm's layout: lora_a (in, r), lora_b (r, out)."""
    found = {}
    for name, tensor in model.named_parameters():
        if "lora_" not in name:
            continue
        path = name.removeprefix("base_model.model.").removesuffix(".default.weight")
        path = path.replace("lora_A", "lora_a").replace("lora_B", "lora_b")
        found[path] = tensor.detach().T.contiguous().clone()
        found[path + ".grad"] = tensor.grad.T.contiguous().clone()
    return found


def write_expected(folder, model, note, stem="expected"):
    """Logits, loss, LoRA factors, the loss with them and their gradients."""
    ids, supervised = inputs(model.config.vocab_size)
    with torch.no_grad():
        logits = model(input_ids=ids).logits
        loss = loss_of(model, ids, supervised).item()
    tuned = add_lora(model)
    lora_loss = loss_of(tuned, ids, supervised)
    lora_loss.backward()
    save_file({"input_ids": ids.int(), "supervised": supervised.int(), "logits": logits.contiguous(),
               **{f"lora.{name}": tensor for name, tensor in lora_tensors(tuned).items()}},
              folder / f"{stem}.safetensors")
    described = {"note": note, "loss": loss, "lora_loss": lora_loss.item(), "lora_rank": RANK,
                 "lora_scale": ALPHA / RANK, "supervised_tokens": int(supervised.sum()),
                 "versions": versions()}
    (folder / f"{stem}.json").write_text(json.dumps(described, indent=2) + "\n")
    print(f"{folder.name}/{stem}: loss {loss:.6f}, with LoRA {lora_loss.item():.6f}")


def make_family(name):
    config, changes, saving = FAMILIES[name]
    folder = OUTPUT / name
    shutil.rmtree(folder, ignore_errors=True)
    torch.manual_seed(17)
    model = AutoModelForCausalLM.from_config(config)
    fill(model)
    model = model.to(saving.get("dtype", torch.float32))
    model.save_pretrained(folder, max_shard_size=saving.get("max_shard_size", "5GB"))
    path = folder / "config.json"
    text = json.loads(path.read_text())
    text.update(changes)
    text = {key: value for key, value in text.items() if value is not None or key not in changes}
    path.write_text(json.dumps(text, indent=2) + "\n")
    write_expected(folder, load(folder), "f32 arithmetic, eager attention, weights as in the folder")


def readable(folder):
    """safetensors creates files for the owner only; a repository wants the usual mode."""
    for path in folder.iterdir():
        path.chmod(0o644)


def main(chosen):
    from models_formats import make_gguf, make_mlx_quantized, make_tokenizer
    extra = {"llama_gguf": make_gguf, "llama_mlx_4bit": make_mlx_quantized}
    for name in chosen or [*FAMILIES, *extra]:
        if name in extra:
            extra[name](OUTPUT / "llama", OUTPUT / name)
        else:
            make_family(name)
            if name == "llama":
                make_tokenizer(OUTPUT / name)
        readable(OUTPUT / name)


if __name__ == "__main__":
    main(sys.argv[1:])
