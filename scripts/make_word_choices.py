#!/usr/bin/env python3
"""Makes examples/data/dictionary/choices.jsonl: for every word of test.jsonl four definitions, one of them its own.

The three others are those of other test words of the same part of speech, all in the form of the data set
("word (noun): definition."), so that only the definition tells them apart. The same bytes for the same test.jsonl.
"""

import json
import pathlib
import random
import re

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "examples/data/dictionary"
FORM = re.compile(r"(.+?) \((\w+)\): (.+?)\n")

words = []
for line in (FOLDER / "test.jsonl").read_text().splitlines():
    question, answer = json.loads(line)["messages"]
    words.append((question["content"], *FORM.match(answer["content"]).groups()))
rng = random.Random(1)
rows = []
for question, word, part, definition in words:
    others = [other for _, other_word, other_part, other in words if other_part == part and other_word != word]
    choices = [definition, *rng.sample(others, 3)]
    rng.shuffle(choices)
    rows.append({"question": question, "choices": [f"{word} ({part}): {one}" for one in choices],
                 "answer": choices.index(definition)})
(FOLDER / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
