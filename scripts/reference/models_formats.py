"""The tiny Llama of models.py in other clothes: a tokenizer, GGUF files, an MLX-quantized folder.

Made with tokenizers 0.23.3, gguf 0.19.0, mlx 0.32.4, mlx-lm 0.32.2 (see models.py).
"""

import json
import shutil

import numpy as np
import torch
from safetensors.torch import load_file, save_file

CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
          "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
          "{% endif %}")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CORPUS = ["the quick brown fox jumps over the lazy dog and the other one", "what does the word mean?",
          "user assistant system", "a small model of a language: the answer is in the question",
          "one two three four five six seven eight nine ten", "\n\n  if (x) { return 1; }"]


def make_tokenizer(folder):
    """Byte-level BPE: three special tokens, 256 bytes, merges up to 320, ChatML as template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainer)
    assert tokenizer.get_vocab_size() == 320
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|endoftext|>",
         "eos_token": "<|im_end|>", "chat_template": CHATML}, indent=2) + "\n")


def permute(weight, heads):
    """GGUF's llama order: pairs (i, i + D/2) become neighbours."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def gguf_names(config):
    yield "model.embed_tokens.weight", "token_embd.weight"
    yield "model.norm.weight", "output_norm.weight"
    inner = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
             "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
             "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
             "mlp.down_proj": "ffn_down"}
    for layer in range(config["num_hidden_layers"]):
        for ours, theirs in inner.items():
            yield f"model.layers.{layer}.{ours}.weight", f"blk.{layer}.{theirs}.weight"


def gguf_type(kind, name):
    """Which type a tensor is kept in: norms f32, then all F16, or a mixture of the packed ones."""
    from gguf import GGMLQuantizationType as T
    if "norm" in name:
        return T.F32
    if kind == "f16":
        return T.F16
    if name.startswith("token_embd"):
        return T.Q8_0
    return {"attn_q": T.Q4_0, "attn_k": T.Q4_1, "attn_v": T.Q8_0, "attn_output": T.Q4_0,
            "ffn_gate": T.Q4_1, "ffn_up": T.Q4_0, "ffn_down": T.Q4_1}[name.split(".")[2]]


def write_gguf_metadata(writer, folder, config):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = sorted(tokenizer["model"]["vocab"].items(), key=lambda item: item[1])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([3 if token in SPECIAL else 1 for token, _ in vocabulary])
    merges = tokenizer["model"]["merges"]
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHATML)


def make_gguf(source, folder):
    """Two files of the same model without rope scaling: all F16, and a mixture of packed types."""
    import gguf
    from models import load, write_expected
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = json.loads((source / "config.json").read_text())
    weights = load_file(source / "model.safetensors")
    heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
    for kind in ("f16", "mixed"):
        writer = gguf.GGUFWriter(folder / f"{kind}.gguf", "llama")
        write_gguf_metadata(writer, source, config)
        for ours, theirs in gguf_names(config):
            values = weights[ours].float().numpy()
            projection = ours.split(".")[-2]
            if projection in heads:
                values = permute(values, heads[projection])
            wanted = gguf_type(kind, theirs)
            writer.add_tensor(theirs, gguf.quants.quantize(np.ascontiguousarray(values), wanted),
                              raw_dtype=wanted)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        write_expected(folder, load(folder, gguf_file=f"{kind}.gguf"),
                       "f32 arithmetic on the dequantized weights of " + kind + ".gguf",
                       stem=f"{kind}_expected")


def make_mlx_quantized(source, folder):
    """mlx-lm's 4-bit form, groups of 32; what is expected is transformers on the dequantized weights."""
    import mlx.core as mx
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model
    from models import load, write_expected
    shutil.rmtree(folder, ignore_errors=True)
    model, config = load_model(source)
    model, config = quantize_model(model, config, group_size=32, bits=4)
    save_model(folder, model)
    save_config(config, folder / "config.json")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    packed = mx.load(str(folder / "model.safetensors"))
    dense = {}
    for name, values in packed.items():
        module = name.removesuffix(".weight")
        if name.endswith((".scales", ".biases")):
            continue
        if f"{module}.scales" in packed:
            values = mx.dequantize(values, packed[f"{module}.scales"], packed[f"{module}.biases"],
                                   group_size=32, bits=4)
        dense[name] = torch.from_numpy(np.array(values.astype(mx.float32)))
    plain = folder / "plain"
    plain.mkdir()
    save_file(dense, plain / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(source / "config.json", plain / "config.json")
    model = load(plain)
    shutil.rmtree(plain)
    write_expected(folder, model, "f32 arithmetic on the dequantized weights")
