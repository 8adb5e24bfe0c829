"""Makes examples/data/dictionary_preferences from examples/data/dictionary: which of two answers explains the word.

The chosen answer is the dictionary's without its example. The rejected one has its form and the same word, but the definition
of another word of the same kind and about the same length. The same input gives the same rows, byte for byte.
Run: python scripts/make_preferences.py
"""

import json
import random
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INPUT, OUTPUT = ROOT / "examples/data/dictionary", ROOT / "examples/data/dictionary_preferences"
SEED = 7
ROWS = {"train": 800, "valid": 100, "test": 100}
ANSWER = re.compile(r"(\w+) \((\w+)\): (.*)\nExample: .*")


def entries(split):
    """(question, word, kind, definition) of each row."""
    for line in (INPUT / f"{split}.jsonl").read_text().splitlines():
        question, answer = (message["content"] for message in json.loads(line)["messages"])
        yield question, *ANSWER.fullmatch(answer).groups()


def other(entry, all_entries, generator):
    """Another word's entry of the same kind, its definition at most two words longer or shorter."""
    near = [found for found in all_entries
            if found[2] == entry[2] and found[1][:4] != entry[1][:4]
            and abs(len(found[3].split()) - len(entry[3].split())) <= 2]
    return generator.choice(near)


def main():
    OUTPUT.mkdir(parents=True, exist_ok=True)
    generator = random.Random(SEED)
    for split, count in ROWS.items():
        all_entries = list(entries(split))
        lines = []
        for entry in all_entries[:count]:
            question, word, kind, definition = entry
            wrong = other(entry, all_entries, generator)[3]
            lines.append(json.dumps({"prompt": question, "chosen": f"{word} ({kind}): {definition}",
                                     "rejected": f"{word} ({kind}): {wrong}"}) + "\n")
        (OUTPUT / f"{split}.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
