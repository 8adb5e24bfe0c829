#!/usr/bin/env python3
"""The `openai` client: chat, streams, a stream cut off, tools, schemas, log-probabilities, embeddings, errors."""

import json
import math
import sys

from served import MODEL, Served, check, enter_clients, has_encoder, has_sample, skip

enter_clients("openai")
import openai  # noqa: E402
import pydantic  # noqa: E402

QUESTION = [{"role": "user", "content": "Name three colours."}]
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"],
    "additionalProperties": False}}}


class City(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=20)
    inhabitants: int = pydantic.Field(ge=0, le=99_000_000)


def chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, logprobs=True,
                                            top_logprobs=2)
    text = answer.choices[0].message.content
    check(answer.usage.completion_tokens > 0 and text, "a chat answer with usage")
    tokens = answer.choices[0].logprobs.content
    spoken = b"".join(bytes(token.bytes) for token in tokens).decode(errors="replace")
    check(spoken.startswith(text.strip()[:10]) or text in spoken, "the tokens of the log-probabilities are the text")
    check(all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens), "log-probabilities with the two likeliest")
    again = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0)
    check(again.choices[0].message.content == text, "greedy answers repeat")
    check(again.usage.prompt_tokens_details.cached_tokens >= 0, "cached prompt tokens are told")
    seeded = [client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=16, temperature=1, seed=5, n=2)
              for _ in range(2)]
    texts = [[choice.message.content for choice in one.choices] for one in seeded]
    check(texts[0] == texts[1] and len(texts[0]) == 2, "a seed gives the same answers again")


def streams(client: openai.OpenAI, server: Served) -> None:
    whole = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0)
    stream = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=24, temperature=0, stream=True,
                                            stream_options={"include_usage": True})
    text, usage, reasons = "", None, []
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    check(text == whole.choices[0].message.content, "a stream says what the whole answer says")
    check(usage.completion_tokens == whole.usage.completion_tokens and len(reasons) == 1, "usage and one reason at its end")
    stream = client.chat.completions.create(model=MODEL, messages=QUESTION, max_tokens=2000, temperature=0, stream=True,
                                            extra_body={"ignore_eos": True})
    for _, chunk in zip(range(4), stream):
        pass
    check(server.request("GET", "/slots")[1] != [], "a long answer runs")
    stream.close()
    check(server.wait_idle(5), "a client that goes ends its answer")


def tools_and_schemas(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": "What is the weather in Paris?"}]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], tool_choice="required",
                                            max_tokens=200, temperature=0)
    calls = answer.choices[0].message.tool_calls
    check(answer.choices[0].finish_reason == "tool_calls" and calls[0].function.name == "get_weather", "a forced call comes")
    check("city" in json.loads(calls[0].function.arguments), "with arguments that obey its schema")
    messages += [answer.choices[0].message.model_dump(exclude_none=True),
                 {"role": "tool", "tool_call_id": calls[0].id, "content": "18 degrees, sunny"}]
    final = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER], max_tokens=40, temperature=0)
    check(final.choices[0].message.content or final.choices[0].message.tool_calls, "the result of a call is read")
    parsed = client.chat.completions.parse(model=MODEL, response_format=City, max_tokens=200, temperature=0,
                                           messages=[{"role": "user", "content": "Tell about Oslo."}])
    check(isinstance(parsed.choices[0].message.parsed, City), "an answer that pydantic parses")
    text = client.chat.completions.create(model=MODEL, response_format={"type": "json_object"}, max_tokens=400, temperature=0,
                                          messages=[{"role": "user", "content": "A JSON object with one number."}])
    if text.choices[0].finish_reason == "stop":
        check(isinstance(json.loads(text.choices[0].message.content), dict), "an answer that is a JSON object")


def completions(client: openai.OpenAI) -> None:
    prompt = "The capital of France is"
    answer = client.completions.create(model=MODEL, prompt=prompt, max_tokens=1, temperature=0, logprobs=1, echo=True)
    logprobs = answer.choices[0].logprobs
    check(answer.choices[0].text.startswith(prompt), "echo begins with the prompt")
    check(logprobs.token_logprobs[0] is None and all(math.isfinite(value) for value in logprobs.token_logprobs[1:]),
          "every token of an echoed prompt has its log-probability")
    check("".join(logprobs.tokens) == answer.choices[0].text, "its tokens are the text")
    two = client.completions.create(model=MODEL, prompt=["One", "Two"], max_tokens=4, temperature=0)
    check([choice.index for choice in two.choices] == [0, 1], "several prompts in one request")
    stopped = client.completions.create(model=MODEL, prompt="1, 2, 3, 4, 5,", max_tokens=40, temperature=0, stop=[" 8"])
    check(" 8" not in stopped.choices[0].text and stopped.choices[0].finish_reason == "stop", "a stop text ends the answer")


def models_and_errors(client: openai.OpenAI) -> None:
    check(MODEL in [model.id for model in client.models.list()], "the model is listed")
    check(client.models.retrieve(MODEL).id == MODEL, "and found by its name")
    for call, kind in ((lambda: client.chat.completions.create(model="none", messages=QUESTION), openai.NotFoundError),
                       (lambda: client.chat.completions.create(model=MODEL, messages=[]), openai.BadRequestError),
                       (lambda: client.chat.completions.create(model=MODEL, messages=QUESTION, temperature=9),
                        openai.BadRequestError)):
        try:
            call()
        except kind as error:
            check(error.body and error.body["message"], f"{kind.__name__} with a message")
        else:
            raise SystemExit(f"FAILED: {kind.__name__} expected")


def embeddings(client: openai.OpenAI) -> None:
    texts = ["A cat sits on the mat.", "A kitten is on the carpet.", "Stocks fell on Monday."]
    made = client.embeddings.create(model="sample://all-minilm-l6-v2", input=texts)  # base64
    vectors = [one.embedding for one in made.data]
    plain = client.embeddings.create(model="sample://all-minilm-l6-v2", input=texts[0], encoding_format="float")
    check(max(abs(a - b) for a, b in zip(vectors[0], plain.data[0].embedding)) < 1e-5, "base64 and float embeddings are equal")

    def similarity(a, b):
        return sum(x * y for x, y in zip(a, b))
    check(similarity(vectors[0], vectors[1]) > similarity(vectors[0], vectors[2]) + 0.2, "like texts are near each other")


if not has_sample():
    skip("no sample model; run scripts/setup")
with Served(sys.argv[1], "--model", MODEL) as running:
    openai_client = openai.OpenAI(base_url=running.url + "/v1", api_key="none", max_retries=0)
    chat(openai_client)
    streams(openai_client, running)
    tools_and_schemas(openai_client)
    completions(openai_client)
    models_and_errors(openai_client)
    if has_encoder():
        embeddings(openai_client)
    check(running.stop() == 0, "SIGTERM ends the server")
