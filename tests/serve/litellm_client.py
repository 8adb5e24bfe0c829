#!/usr/bin/env python3
"""litellm over both APIs: as openai/ and as ollama_chat/."""

import json
import os
import sys

from served import MODEL, Served, check, enter_clients, has_sample, skip

enter_clients("litellm")
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it asks for a list of prices otherwise
import litellm  # noqa: E402

QUESTION = [{"role": "user", "content": "Name a colour."}]

if not has_sample():
    skip("no sample model; run scripts/setup")
with Served(sys.argv[1], "--model", MODEL) as running:
    for name, base in (("openai/" + MODEL, running.url + "/v1"), ("ollama_chat/smollm2:135m", running.url)):
        ask = {"model": name, "api_base": base, "api_key": "none", "messages": QUESTION, "max_tokens": 12, "temperature": 0}
        whole = litellm.completion(**ask)
        check(whole.choices[0].message.content and whole.usage.completion_tokens > 0, f"{name}: an answer with usage")
        text = "".join(part.choices[0].delta.content or "" for part in litellm.completion(**ask, stream=True))
        check(text == whole.choices[0].message.content, f"{name}: its stream")
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {
        "type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["n"],
        "additionalProperties": False}}}
    made = litellm.completion(model="openai/" + MODEL, api_base=running.url + "/v1", api_key="none", messages=QUESTION,
                              response_format=schema, max_tokens=40, temperature=0)
    check(isinstance(json.loads(made.choices[0].message.content)["n"], int), "an answer that obeys a schema")
    try:
        litellm.completion(model="openai/none", api_base=running.url + "/v1", api_key="none", messages=QUESTION, num_retries=0)
    except litellm.NotFoundError:
        check(True, "an unknown model is NotFoundError")
    else:
        raise SystemExit("FAILED: NotFoundError expected")
