"""Makes tests/fixtures/tasks: questions, and how transformers' model of tests/fixtures/models/llama answers them.

Log-likelihoods are taken as lm-evaluation-harness takes them: context and continuation are tokenized together, the
continuation is what follows as many tokens as the context has alone; acc_norm divides by the choice's characters;
the error is the sample's standard deviation over sqrt(n).
Made with torch 2.15.0, transformers 5.23.0.
Run: python scripts/reference/task_scores.py
"""

import importlib.metadata
import json
import statistics
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

FIXTURES = Path(__file__).resolve().parents[2] / "tests/fixtures"
MODEL, OUTPUT = FIXTURES / "models/llama", FIXTURES / "tasks"
SUBJECTS = ["The river", "A small dog", "My neighbour", "The old clock", "Her letter", "This road"]
CHOICES = ["runs to the sea", "sleeps", "is made of wood and brass", "ends", "écrit une lettre", "sings in the rain"]
ANSWER_TOKENS = 12


def questions():
    for i, subject in enumerate(SUBJECTS * 4):
        chosen = [CHOICES[(i * 5 + j * 7 + i // 6) % 6] for j in range(2 + i % 3)]
        yield {"question": f"{subject} number {i}:", "choices": list(dict.fromkeys(chosen)), "answer": i % 2}


def log_likelihood(model, tokenizer, context, continuation):
    whole = tokenizer(context + continuation)["input_ids"]
    given = len(tokenizer(context)["input_ids"])
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([whole])).logits[0].double().log_softmax(-1)
    return sum(logits[i - 1, whole[i]].item() for i in range(given, len(whole)))


def score(values):
    return {"value": statistics.mean(values), "error": statistics.stdev(values) / len(values) ** 0.5}


def main():
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager")
    OUTPUT.mkdir(exist_ok=True)
    rows, likelihoods, acc, acc_norm = list(questions()), [], [], []
    for row in rows:
        one = [log_likelihood(model, tokenizer, row["question"], " " + choice) for choice in row["choices"]]
        by_length = [value / len(choice) for value, choice in zip(one, row["choices"])]
        likelihoods.append(one)
        acc.append(float(one.index(max(one)) == row["answer"]))
        acc_norm.append(float(by_length.index(max(by_length)) == row["answer"]))
    said = []
    for subject in SUBJECTS:
        ids = torch.tensor([tokenizer(subject)["input_ids"]])
        out = model.generate(ids, do_sample=False, max_new_tokens=ANSWER_TOKENS, pad_token_id=0)[0, ids.shape[1]:]
        said.append(tokenizer.decode(out, skip_special_tokens=True))
    # Every second answer is the right one; the others are of another question.
    asked = [{"prompt": subject, "answer": said[i] if i % 2 else "something else"} for i, subject in enumerate(SUBJECTS)]
    for name, lines in [("choices.jsonl", rows), ("answers.jsonl", asked)]:
        (OUTPUT / name).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    expected = {"versions": {name: importlib.metadata.version(name) for name in ["torch", "transformers"]},
                "log_likelihoods": likelihoods, "acc": score(acc), "acc_norm": score(acc_norm),
                "answer_tokens": ANSWER_TOKENS, "said": said,
                "exact_match": score([float(i % 2) for i in range(len(SUBJECTS))])}
    (OUTPUT / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


main()
