"""Makes tests/fixtures/methods/preference.*: what TRL's DPO and ORPO trainers say of pairs of answers.

Base and LoRA factors are those of tests/fixtures/models/llama (models.py); the ids of the pairs are random. The label
smoothing of DPO (cDPO) is no longer in this version of TRL: that one number comes from its log-probabilities by the formula.
Made with torch 2.15.0, transformers 5.24.0, trl 0.29.1, peft 0.21.2, safetensors 0.8.0.
Run: uv venv DIR && uv pip install --python DIR/bin/python trl==0.29.1 peft==0.21.2 && DIR/bin/python scripts/reference/preference.py
"""

import importlib.metadata
import json
import os
import tempfile
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

import torch  # noqa: E402
from datasets import Dataset  # noqa: E402
from peft import LoraConfig  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from trl import DPOConfig, DPOTrainer  # noqa: E402
from trl.experimental.orpo import ORPOConfig, ORPOTrainer  # noqa: E402

FIXTURES = Path(__file__).resolve().parents[2] / "tests/fixtures"
BASE, OUTPUT = FIXTURES / "models/llama", FIXTURES / "methods"
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BETA, SMOOTHING = 0.3, 0.2
# Tokens of prompt, chosen and rejected answer. One token of prompt: there ORPO's cross-entropy, which TRL takes over
# prompt and answer, is that of the answer.
DPO_PAIRS = [(5, 9, 4), (3, 2, 11), (8, 6, 6)]
ORPO_PAIRS = [(1, 9, 4), (1, 2, 11), (1, 6, 7)]


def pairs(lengths, seed):
    """(prompt, chosen, rejected) ids."""
    generator = torch.Generator().manual_seed(seed)
    return [tuple(torch.randint(3, 320, (n,), generator=generator) for n in three) for three in lengths]


def our_name(name):
    return (name.removeprefix("base_model.model.").replace("lora_A.default.weight", "lora_a")
            .replace("lora_B.default.weight", "lora_b"))


def trainer_of(kind, settings, folder, **more):
    """TRL's trainer around the base with the fixture's factors."""
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    tokenizer.pad_token = tokenizer.pad_token or "<|im_end|>"
    row = {"prompt": ["the"], "chosen": [" word"], "rejected": [" name"]}
    trainer = kind(model=AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32, attn_implementation="eager"),
                   args=settings(output_dir=folder, beta=BETA, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False,
                                 disable_dropout=True, **more),
                   train_dataset=Dataset.from_dict(row), processing_class=tokenizer,
                   peft_config=LoraConfig(r=2, lora_alpha=4, target_modules=TARGETS, lora_dropout=0.0,
                                          task_type="CAUSAL_LM"))
    given = load_file(BASE / "expected.safetensors")
    for name, value in trainer.model.named_parameters():
        stored = given.get("lora." + our_name(name))
        if stored is not None:
            value.data = stored.T.contiguous()
    return trainer


def padded(rows, value):
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=value)


def dpo_inputs(chosen_pairs):
    rows = [torch.cat((prompt, chosen)) for prompt, chosen, _ in chosen_pairs]
    rows += [torch.cat((prompt, rejected)) for prompt, _, rejected in chosen_pairs]
    masks = [torch.cat((torch.zeros_like(prompt), torch.ones_like(chosen))) for prompt, chosen, _ in chosen_pairs]
    masks += [torch.cat((torch.zeros_like(prompt), torch.ones_like(rejected))) for prompt, _, rejected in chosen_pairs]
    return {"input_ids": padded(rows, 0), "attention_mask": padded([torch.ones_like(row) for row in rows], 0),
            "completion_mask": padded(masks, 0)}


def orpo_inputs(prompt, chosen, rejected):
    batch = {}
    for name, answer in (("chosen", chosen), ("rejected", rejected)):
        ids = torch.cat((prompt, answer))[None]
        batch |= {f"{name}_input_ids": ids, f"{name}_attention_mask": torch.ones_like(ids),
                  f"{name}_labels": torch.cat((torch.full_like(prompt, -100), answer))[None]}
    return batch


def gradients(model, prefix):
    found = {}
    for name, value in model.named_parameters():
        if value.grad is not None:
            found[f"{prefix}.{our_name(name)}.grad"] = value.grad.T.contiguous().clone()
    model.zero_grad()
    return found


def main():
    tensors, numbers = {}, {"beta": BETA, "smoothing": SMOOTHING}
    for what, lengths, seed in (("dpo", DPO_PAIRS, 1), ("orpo", ORPO_PAIRS, 2)):
        for i, three in enumerate(pairs(lengths, seed)):
            for part, ids in zip(("prompt", "chosen", "rejected"), three):
                tensors[f"{what}.{i}.{part}"] = ids.to(torch.int32)
    with tempfile.TemporaryDirectory() as folder:
        inputs = dpo_inputs(pairs(DPO_PAIRS, 1))
        for loss_type in ("sigmoid", "hinge", "ipo"):
            trainer = trainer_of(DPOTrainer, DPOConfig, folder, loss_type=[loss_type], max_length=None)
            loss = trainer.compute_loss(trainer.model, dict(inputs))
            loss.backward()
            numbers[loss_type] = loss.item()
            tensors |= gradients(trainer.model, loss_type)
            metrics = {name: values[-1] for name, values in trainer._metrics["train"].items()}
            if loss_type == "sigmoid":
                numbers["dpo_metrics"] = {"reward_accuracy": metrics["rewards/accuracies"],
                                          "reward_margin": metrics["rewards/margins"],
                                          "chosen_log_prob": metrics["logps/chosen"],
                                          "rejected_log_prob": metrics["logps/rejected"]}
        # cDPO: every pair alone, so that the margin can be had back from its loss.
        smoothed = []
        trainer = trainer_of(DPOTrainer, DPOConfig, folder, loss_type=["sigmoid"], max_length=None)
        for pair in pairs(DPO_PAIRS, 1):
            right = trainer.compute_loss(trainer.model, dpo_inputs([pair])).double()
            wrong = -torch.log(-torch.expm1(-right))  # -log(1 - sigma)
            smoothed.append((1 - SMOOTHING) * right + SMOOTHING * wrong)
        numbers["cdpo"] = torch.stack(smoothed).mean().item()

        trainer = trainer_of(ORPOTrainer, ORPOConfig, folder)
        losses, metrics = [], []
        for pair in pairs(ORPO_PAIRS, 2):
            loss, said = trainer.get_batch_loss_metrics(trainer.model, orpo_inputs(*pair))
            losses.append(loss)
            metrics.append(said)
        loss = torch.stack(losses).mean()
        loss.backward()
        numbers["orpo"] = loss.item()
        tensors |= gradients(trainer.model, "orpo")
        mean = {name: sum(m[name] for m in metrics) / len(metrics) for name in metrics[0]}
        numbers["orpo_metrics"] = {"reward_accuracy": mean["rewards/accuracies"], "reward_margin": mean["rewards/margins"],
                                   "chosen_loss": mean["nll_loss"], "log_odds_ratio": mean["log_odds_chosen"]}
    save_file(tensors, OUTPUT / "preference.safetensors")
    (OUTPUT / "preference.safetensors").chmod(0o644)
    names = ["torch", "transformers", "trl", "peft", "safetensors"]
    numbers["versions"] = {name: importlib.metadata.version(name) for name in names}
    (OUTPUT / "preference.json").write_text(json.dumps(numbers, indent=2) + "\n")
    print(json.dumps(numbers, indent=2))


if __name__ == "__main__":
    main()
