#!/usr/bin/env python3
"""Ollama's own program and its Python client, with OLLAMA_HOST at our server."""

import json
import os
import sys
import time

from served import Served, check, enter_clients, find_ollama, has_encoder, has_sample, ollama_program, skip

enter_clients("ollama")
import ollama  # noqa: E402

NAME = "smollm2:135m"
ENCODER = "all-minilm-l6:v2"
GREEDY = {"temperature": 0, "num_predict": 16}


def held(client: ollama.Client) -> list[str]:
    return [model.model for model in client.ps().models]


def python_client(url: str) -> None:
    client = ollama.Client(host=url)
    check(NAME in [model.model for model in client.list().models], "list has the model under Ollama's name")
    messages = [{"role": "user", "content": "Name a colour."}]
    whole = client.chat(model=NAME, messages=messages, options=GREEDY)
    pieces = [part.message.content for part in client.chat(model=NAME, messages=messages, options=GREEDY, stream=True)]
    check("".join(pieces) == whole.message.content and len(pieces) > 2, "a streamed chat says what a whole one says")
    check(whole.eval_count > 0 and whole.eval_duration > 0 and whole.prompt_eval_count > 0, "counts and durations")
    made = client.generate(model=NAME, prompt="Say yes.", options=GREEDY)
    check(made.done_reason in ("stop", "length") and made.response, "generate")
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["age"],
              "additionalProperties": False}
    answer = client.chat(model=NAME, messages=messages, format=schema, options={"temperature": 0, "num_predict": 60})
    check(isinstance(json.loads(answer.message.content)["age"], int), "an answer that obeys a schema")
    shown = client.show(NAME)
    check(shown.details.family == "llama" and "completion" in shown.capabilities, "show")
    check(client.ps().models[0].model == NAME, "ps")
    if has_encoder():
        vectors = client.embed(model=ENCODER, input=["a", "b"]).embeddings
        check(len(vectors) == 2 and len(vectors[0]) == 384, "embed")
        check(ENCODER in held(client), "ps shows the encoder too")
        client.embed(model=ENCODER, input="a", keep_alive=0)
        end = time.monotonic() + 10
        while ENCODER in held(client) and time.monotonic() < end:
            time.sleep(0.1)
        check(held(client) == [NAME], "and no more when it was let go of")
    try:
        client.chat(model="none", messages=messages)
    except ollama.ResponseError as error:
        check(error.status_code == 404, "an unknown model is 404")


def program(binary: str, server: Served) -> None:
    run = ollama_program(binary, server)
    check(NAME in run("list"), "ollama list shows the model")
    check(run("run", NAME, "Say one word.").strip() != "", "ollama run answers")
    check("llama" in run("show", NAME), "ollama show describes it")
    check(NAME in run("ps"), "ollama ps shows it loaded")
    check("cannot be deleted" in run("rm", NAME, status=1), "ollama rm of a model that is not the server's is refused")
    run("stop", NAME)
    check("error" in run("pull", "registry.example:5000/library/none", status=1).lower(), "a pull from elsewhere is refused")


if not has_sample():
    skip("no sample model; run scripts/setup")
ollama_binary = find_ollama()
os.environ.pop("OLLAMA_HOST", None)
with Served(sys.argv[1]) as running:  # loaded when asked for
    python_client(running.url)
    program(ollama_binary, running)
