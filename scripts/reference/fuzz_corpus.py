"""Writes the starting files of fuzz/corpus: small, right and wrong ones of every kind of input that
fuzz/*.cpp reads. Needs nothing but Python 3.9; run again after changing it.
"""

import json
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "fuzz/corpus"


def write(target: str, name: str, content) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


# --- GGUF

def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def preamble(tensors: int, keys: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def key(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def u32(name: str, value: int) -> bytes:
    return key(name, 4, struct.pack("<I", value))


def f32(name: str, value: float) -> bytes:
    return key(name, 6, struct.pack("<f", value))


def strings(name: str, values) -> bytes:
    return key(name, 9, struct.pack("<IQ", 8, len(values)) + b"".join(map(text, values)))


def tensor(name: str, dimensions, kind: int, offset: int) -> bytes:
    return (text(name) + struct.pack("<I", len(dimensions)) + struct.pack(f"<{len(dimensions)}Q", *dimensions)
            + struct.pack("<IQ", kind, offset))


def padded(content: bytes, data: int) -> bytes:
    return content + b"\0" * (-len(content) % 32) + b"\0" * data


def gguf_keys(arch: str) -> list:
    keys = [key("general.architecture", 8, text(arch)), u32("general.alignment", 32)]
    keys += [u32(f"{arch}.{name}", value) for name, value in
             [("embedding_length", 32), ("feed_forward_length", 64), ("block_count", 2), ("context_length", 64),
              ("attention.head_count", 4), ("attention.head_count_kv", 2), ("attention.sliding_window", 16)]]
    keys += [f32(f"{arch}.attention.layer_norm_rms_epsilon", 1e-5), f32(f"{arch}.rope.freq_base", 1e4)]
    keys += [key(f"{arch}.rope.scaling.type", 8, text("linear")), f32(f"{arch}.rope.scaling.factor", 2.0)]
    keys += [key("tokenizer.ggml.model", 8, text("gpt2")), strings("tokenizer.ggml.tokens", ["a", "b", "ab"]),
             strings("tokenizer.ggml.merges", ["a b"]), u32("tokenizer.ggml.eos_token_id", 2),
             key("tokenizer.ggml.token_type", 9, struct.pack("<IQ3i", 5, 3, 1, 1, 3)),
             key("tokenizer.ggml.scores", 9, struct.pack("<IQ3f", 6, 3, 0, -1, -2)),
             key("tokenizer.ggml.add_bos_token", 7, b"\1")]
    return keys


def gguf() -> None:
    for arch in ("llama", "qwen3", "gemma2", "gemma3"):
        keys = gguf_keys(arch)
        body = tensor("token_embd.weight", [32, 3], 8, 0) + tensor("blk.0.attn_q.weight", [32, 32], 3, 128)
        write("gguf_header", f"good_{arch}", padded(preamble(2, len(keys)) + b"".join(keys) + body, 128 + 640))
    bad = {
        "version_99": preamble(0, 0, 99), "big_endian": preamble(0, 0, 0x03000000),
        "tensors_2_62": preamble(1 << 62, 0), "keys_2_62": preamble(0, 1 << 62),
        "alignment_0": preamble(0, 1) + u32("general.alignment", 0),
        "string_2_62": preamble(0, 1) + text("k") + struct.pack("<IQ", 8, 1 << 62),
        "array_2_62": preamble(0, 1) + text("k") + struct.pack("<IIQ", 9, 4, 1 << 62),
        "array_of_arrays": preamble(0, 1) + text("k") + struct.pack("<IIQ", 9, 9, 1),
        "dimensions_max": preamble(1, 0) + text("a") + struct.pack("<I", 0xFFFFFFFF),
        "shape_overflow": preamble(1, 0) + tensor("a", [1 << 33, 1 << 33], 0, 0),
        "type_250": preamble(1, 0) + tensor("a", [32], 250, 0),
        "offset_beyond": preamble(1, 0) + tensor("a", [8], 0, 1 << 63),
        "same_name": preamble(2, 0) + tensor("a", [8], 0, 0) + tensor("a", [8], 0, 32),
        "overlap": preamble(2, 0) + tensor("a", [16], 0, 0) + tensor("b", [8], 0, 32),
        "path_in_name": preamble(1, 0) + tensor("../x", [8], 0, 0),
    }
    for name, content in bad.items():
        write("gguf_header", name, padded(content, 64))
    for model, pre in (("gpt2", "smollm"), ("gpt2", "qwen2"), ("gpt2", "llama-bpe"), ("llama", "default"), ("x", "y")):
        tokens = ["3 <s>", "2 <unk>", "1 a", "1 b", "1 ab", "1 \u0120a", "6 <0x0A>", "1 \u2581a", "4 <x>", "m a b"]
        write("gguf_tokenizer", f"{model}_{pre}", "\n".join([model, pre, *tokens]) + "\n")
    write("gguf_tokenizer", "absent_merge", "gpt2\nsmollm\n1 a\nm a zz\nm\nm  \nm a\n")
    write("gguf_tokenizer", "same_token", "gpt2\nsmollm\n1 a\n1 a\n3 \n")


# --- safetensors

def safetensors() -> None:
    def case(name, header, data=0):
        content = header.encode() if isinstance(header, str) else header
        write("safetensors_header", name, struct.pack("<Q", len(content)) + content + b"\0" * data)

    def one(shape, offsets, dtype="F32"):
        return '{"a":{"dtype":"%s","shape":%s,"data_offsets":%s}}' % (dtype, shape, offsets)

    case("good", '{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},'
                 '"b":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}}  ', 18)
    case("negative_offsets", one("[4]", "[-64,-48]"), 16)
    case("overlap", '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],'
                    '"data_offsets":[4,12]}}', 12)
    case("hole", one("[2]", "[8,16]"), 16)
    case("trailing", one("[2]", "[0,8]"), 9)
    case("float_offsets", one("[2]", "[0,8.0]"), 8)
    case("wide_shape", one("[4294967298]", "[0,8]"), 8)
    case("overflow", one("[8589934592,8589934592]", "[0,0]"))
    case("negative_shape", one("[-2,-2]", "[0,16]"), 16)
    case("odd_metadata", '{"__metadata__":{"x":[1]}}')
    case("same_key", '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],'
                     '"data_offsets":[0,1]}}', 1)
    case("nested", '{"a":' + "[" * 500)
    case("braces", "{{{{")
    case("f4", one("[3]", "[0,2]", "F4"), 2)
    write("safetensors_header", "huge_header", struct.pack("<Q", 1 << 62) + b"{}")
    write("safetensors_header", "empty_header", struct.pack("<Q", 0))


# --- texts

TOKENIZER = {"version": "1.0", "truncation": None, "padding": None,
             "added_tokens": [{"id": 4, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": False,
                               "normalized": False, "special": True}],
             "normalizer": {"type": "NFC"},
             "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
             "post_processor": None, "decoder": {"type": "ByteLevel"},
             "model": {"type": "BPE", "dropout": None, "unk_token": None, "vocab": {"a": 0, "b": 1, "ab": 2, "l": 3},
                       "merges": ["a b"]}}
CONFIG = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 64,
          "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": True}


def texts() -> None:
    write("tokenizer_json", "good", json.dumps(TOKENIZER))
    changes = {"no_model": {"model": None}, "unknown_model": {"model": {"type": "X"}},
               "absent_merge": {"model": dict(TOKENIZER["model"], merges=["a zz"])},
               "pairs": {"model": dict(TOKENIZER["model"], merges=[["a", "b"]])},
               "negative_id": {"model": dict(TOKENIZER["model"], vocab={"a": -1})},
               "same_id": {"model": dict(TOKENIZER["model"], vocab={"a": 0, "b": 0}, merges=[])},
               "regex": {"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated",
                                           "invert": False}},
               "charsmap": {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}},
               "empty_added": {"added_tokens": [dict(TOKENIZER["added_tokens"][0], content="")]}}
    for name, change in changes.items():
        write("tokenizer_json", name, json.dumps({**TOKENIZER, **change}))

    write("model_config", "llama", json.dumps(CONFIG))
    for family in ("mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3_text", "x"):
        write("model_config", family, json.dumps({**CONFIG, "model_type": family}))
    write("model_config", "llama3_rope", json.dumps({**CONFIG, "rope_scaling": {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}}))
    write("model_config", "yarn", json.dumps({**CONFIG, "rope_scaling": {"rope_type": "yarn", "factor": 4.0}}))
    write("model_config", "zeros", json.dumps({k: 0 if isinstance(v, int) else v for k, v in CONFIG.items()}))
    write("model_config", "nested", "[" * 1000)

    messages = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"},
                             {"role": "assistant", "content": "a"}]}
    rows = {"messages": messages, "prompt": {"prompt": "p", "completion": "c"}, "text": {"text": "t"},
            "alpaca": {"instruction": "i", "input": "", "output": "o", "history": [["a", "b"]]},
            "sharegpt": {"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
            "tools": {**messages, "tools": [{"type": "function"}]},
            "no_assistant": {"messages": messages["messages"][:2]}, "role": {"messages": [{"role": "x", "content": 1}]}}
    for name, row in rows.items():
        write("data_rows", name, json.dumps(row) + "\n" + json.dumps(row) + "\n")
    write("data_rows", "bom_crlf", b"\xef\xbb\xbf" + json.dumps(rows["text"]).encode() + b"\r\n\r\n{\"text\": \"torn")
    write("data_rows", "not_utf8", b'{"text": "\xff\xfe"}\n{"text": "\\ud800"}\n{"text": NaN}\n[1]\n{"text": "a\\u0000"}\n')
    write("data_rows", "gzip", b"\x1f\x8b\x08\x00abc")
    write("data_rows", "nested", b'{"text": ' + b"[" * 2000 + b"\n")

    write("yaml_settings", "good", "model: a\nsteps: 10\nlearning_rate: 2e-4\nverbose: yes\ntargets: [q_proj, v_proj]\n")
    write("yaml_settings", "odd_numbers", "steps: 012\nlearning-rate: 1_000\nverbose: no\ntargets: q\n")
    write("yaml_settings", "alias_bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\ntargets: [*c,*c]\n")
    write("yaml_settings", "anchor_loop", "targets: &a [*a]\nmodel: !!python/object:x y\n")
    write("yaml_settings", "nested", "targets: " + "[" * 1000)
    write("yaml_settings", "tabs", "steps:\t1\n\tmodel: x\nsteps: 2\n? [a, b]\n: c\n")
    write("yaml_settings", "empty", "")

    chatml = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}"
              "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
    write("chat_template", "chatml", chatml)
    write("chat_template", "generation", "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
                                         "{{ m.content }}{% endgeneration %}{% else %}{{ m.content | trim }}{% endif %}{% endfor %}")
    write("chat_template", "namespace", "{% set ns = namespace(x=0) %}{% for m in messages %}{% set ns.x = ns.x + 1 %}"
                                        "{{ loop.index }}{{ m | tojson }}{% endfor %}{{ strftime_now('%Y') }}{{ bos_token }}")
    write("chat_template", "raise", "{{ raise_exception('no') }}")
    write("chat_template", "endless", "{% for a in range(10000) %}{% for b in range(10000) %}{{ a }}{% endfor %}{% endfor %}")
    write("chat_template", "wide", "{{ 'x' * 10000000 }}{{ ('a' * 1000000).split('') }}")
    write("chat_template", "macro", "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}")
    write("chat_template", "attributes", "{{ messages.__class__.__mro__ }}{{ ''.join(messages) }}{% include 'x' %}")
    write("chat_template", "torn", "{% if x %}{{ 'a")


gguf()
safetensors()
texts()
