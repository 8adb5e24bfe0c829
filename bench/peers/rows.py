"""Chat rows as token ids for the peers: the same text, ids and supervised tokens as mlx-toolkit's.

Supervised: what the assistant says with its end mark, without the line break after it.
"""

import json
import resource
import sys
from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import AutoTokenizer


def load_tokenizer(model):
    """transformers' tokenizer of a GGUF, with SmolLM's single digits, which its conversion leaves out."""
    model = Path(model)
    tokenizer = AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def load_rows(file, tokenizer, count=None):
    """[(ids, supervised)] of single-turn chat rows; supervised[i]: token i is to be predicted."""
    rows = []
    for line in Path(file).read_text().splitlines()[:count]:
        messages = json.loads(line)["messages"]
        before = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        assert text.startswith(before)
        ids = tokenizer(text.rstrip("\n"), add_special_tokens=False)["input_ids"]
        rest = tokenizer(text[len(text.rstrip("\n")):], add_special_tokens=False)["input_ids"]
        start = len(tokenizer(before, add_special_tokens=False)["input_ids"])
        rows.append((ids + rest, [False] * start + [True] * (len(ids) - start) + [False] * len(rest)))
    return rows


def report(**result):
    """The result as the last line of stdout, with this process's peak memory."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result["peak_rss_bytes"] = peak if sys.platform == "darwin" else peak * 1024
    print(json.dumps(result), flush=True)
