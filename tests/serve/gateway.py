#!/usr/bin/env python3
"""deploy/gateway before a running server: tokens, models, a chat, a stream, a client that goes, refusals."""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from served import MODEL, ROOT, Served, check, enter_clients, has_sample, skip

enter_clients("fastapi")
import openai  # noqa: E402

if not has_sample():
    skip("no sample model; run scripts/setup")
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
with Served(sys.argv[1], "--model", MODEL) as server:
    config = server.folder / "gateway.json"
    config.write_text(json.dumps({"servers": [{"url": "http://127.0.0.1:9"}, {"url": server.url}],
                                  "users": {"ann": hashlib.sha256(b"ann-token").hexdigest()}}))
    gateway = subprocess.Popen([sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "deploy/gateway"), "gateway:app",
                                "--port", str(port), "--log-level", "warning"],
                               env=os.environ | {"GATEWAY_CONFIG": str(config)})
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/nothing", timeout=1)
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="ann-token", max_retries=0)
        question = [{"role": "user", "content": "Name a colour."}]
        check(MODEL in [model.id for model in client.models.list()], "models of the server that answers")
        whole = client.chat.completions.create(model=MODEL, messages=question, max_tokens=12, temperature=0)
        stream = client.chat.completions.create(model=MODEL, messages=question, max_tokens=12, temperature=0, stream=True)
        text = "".join(part.choices[0].delta.content or "" for part in stream)
        check(text == whole.choices[0].message.content, "a chat and its stream")
        long = client.chat.completions.create(model=MODEL, messages=question, max_tokens=2000, stream=True,
                                              extra_body={"ignore_eos": True})
        next(iter(long))
        long.close()
        check(server.wait_idle(5), "a client that goes ends the answer behind the gateway")
        for key, model, kind in (("wrong", MODEL, openai.AuthenticationError), ("ann-token", "none", openai.NotFoundError)):
            try:
                client.with_options(api_key=key).chat.completions.create(model=model, messages=question)
            except kind as error:
                check(error.body["message"], kind.__name__)
            else:
                raise SystemExit(f"FAILED: {kind.__name__} expected")
    finally:
        gateway.terminate()
        gateway.wait(20)
