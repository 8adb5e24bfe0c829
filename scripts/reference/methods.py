"""Makes tests/fixtures/methods: what PEFT and transformers say of every fine-tuning method.

Base, rows and LoRA factors are those of tests/fixtures/models/qwen2 (models.py).
Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, safetensors 0.8.0.
Run: python scripts/reference/methods.py
"""

import importlib.metadata
import json
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

FIXTURES = Path(__file__).resolve().parents[2] / "tests/fixtures"
BASE, OUTPUT = FIXTURES / "models/qwen2", FIXTURES / "methods"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SMOOTHING = 0.1


def base_model():
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager")


def loss_of(model, given, smoothing=0.0):
    """Mean over the supervised tokens of both rows."""
    ids, supervised = given["input_ids"].long(), given["supervised"].bool()
    logits = model(input_ids=ids).logits[:, :-1]
    targets = ids.masked_fill(~supervised, -100)[:, 1:]
    return torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(),
                                             label_smoothing=smoothing)


def our_name(name):
    """PEFT's name of a parameter in mlx-lm's words."""
    name = name.removeprefix("base_model.model.")
    return (name.replace("lora_A.default.weight", "lora_a").replace("lora_B.default.weight", "lora_b")
            .replace("lora_magnitude_vector.default.weight", "m"))


def adapted(given, **settings):
    """PEFT's model with the factors of the base fixture on all seven linear maps."""
    model = get_peft_model(base_model(), LoraConfig(r=2, lora_alpha=4, target_modules=TARGETS,
                                                    lora_dropout=0.0, **settings))
    for name, tensor in model.named_parameters():
        stored = given.get("lora." + our_name(name))
        if stored is not None:
            tensor.data = stored.T.contiguous()
        elif "magnitude" in name:
            steps = torch.linspace(0.8, 1.3, tensor.numel())
            tensor.data = tensor.data * steps
    return model


def gradients(model, prefix):
    found = {}
    for name, tensor in model.named_parameters():
        if tensor.grad is None:
            continue
        gradient = tensor.grad.T if "lora_A" in name or "lora_B" in name else tensor.grad
        found[f"{prefix}.{our_name(name)}.grad"] = gradient.contiguous().clone()
        if "magnitude" in name:
            found[f"{prefix}.{our_name(name)}"] = tensor.detach().clone()
    return found


def main():
    given = load_file(BASE / "expected.safetensors")
    tensors, losses = {}, {}

    model = adapted(given, use_dora=True)
    loss = loss_of(model, given)
    loss.backward()
    losses["dora"] = loss.item()
    tensors.update(gradients(model, "dora"))

    losses["rslora"] = loss_of(adapted(given, use_rslora=True), given).item()
    losses["label_smoothing"] = loss_of(adapted(given), given, SMOOTHING).item()

    model = get_peft_model(base_model(), LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS,
                                                    init_lora_weights="pissa"))
    for name, module in model.named_modules():
        if hasattr(module, "lora_A") and "layers.1" in name:
            product = module.lora_B["default"].weight @ module.lora_A["default"].weight
            tensors[f"pissa.{our_name(name)}"] = product.detach().contiguous().clone()
    loss = loss_of(model, given)
    losses["pissa"] = loss.item()

    model = base_model()
    loss = loss_of(model, given)
    loss.backward()
    losses["full"] = loss.item()
    tensors.update(gradients(model, "full"))

    OUTPUT.mkdir(exist_ok=True)
    save_file(tensors, OUTPUT / "qwen2.safetensors")
    (OUTPUT / "qwen2.safetensors").chmod(0o644)
    names = ["torch", "transformers", "peft", "safetensors"]
    described = {"losses": losses, "smoothing": SMOOTHING,
                 "versions": {name: importlib.metadata.version(name) for name in names}}
    (OUTPUT / "qwen2.json").write_text(json.dumps(described, indent=2) + "\n")
    print(json.dumps(losses, indent=2))


if __name__ == "__main__":
    main()
