#!/usr/bin/env python3
"""curl as the documentation shows it: chats and streams of both APIs, an upload, a token, refusals."""

import json
import pathlib
import shutil
import subprocess
import sys

from served import ROOT, Served, check, skip

JSON = ["-H", "Content-Type: application/json"]
CHAT = {"model": "llama", "messages": [{"role": "user", "content": "x"}], "max_tokens": 4, "temperature": 0}


def curl(*words: str) -> tuple[int, str]:
    done = subprocess.run(["curl", "-sS", "-N", "--max-time", "60", "-w", "\n%{http_code}", *words], capture_output=True, text=True,
                          check=True)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


def apis(url: str, folder: pathlib.Path) -> None:
    status, body = curl(url + "/v1/chat/completions", *JSON, "-d", json.dumps(CHAT))
    check(status == 200 and json.loads(body)["usage"]["completion_tokens"] > 0, "a chat of OpenAI's API")
    status, body = curl(url + "/v1/chat/completions", *JSON, "-d", json.dumps(CHAT | {"stream": True}))
    events = [line for line in body.splitlines() if line]
    check(all(event.startswith("data: ") for event in events) and events[-1] == "data: [DONE]", "its stream, ended by [DONE]")
    # Ollama's documentation leaves the content type to curl.
    status, body = curl(url + "/api/chat", "-d", json.dumps({"model": "llama", "messages": CHAT["messages"],
                                                             "options": {"num_predict": 4}}))
    lines = [json.loads(line) for line in body.splitlines()]
    check(status == 200 and lines[-1]["done"] and lines[-1]["eval_count"] > 0, "a chat of Ollama's API, line by line")
    check(curl("-I", url + "/")[0] == 200, "HEAD")
    rows = folder / "rows.jsonl"
    rows.write_text('{"messages": []}\n')
    status, body = curl(url + "/v1/files", "-F", "purpose=fine-tune", "-F", f"file=@{rows}")
    check(status == 200 and curl(f"{url}/v1/files/{json.loads(body)['id']}/content")[1] == rows.read_text(),
          "a file is uploaded and comes back")
    check("toolkit_num_requests_running" in curl(url + "/metrics")[1], "/metrics")


def refusals(url: str) -> None:
    for words, wanted in ((["-d", json.dumps(CHAT)], 415), ([*JSON, "-d", "{"], 400), ([*JSON, "-d", json.dumps(CHAT | {"model": "x"})], 404),
                          ([*JSON, "-X", "PUT"], 405), ([*JSON, "-d", json.dumps(CHAT), "-H", "Host: evil.example"], 403),
                          ([*JSON, "-d", json.dumps(CHAT), "-H", "Origin: http://evil.example"], 403)):
        status, body = curl(url + "/v1/chat/completions", *words)
        check(status == wanted and json.loads(body)["error"]["message"], f"{wanted}: {json.loads(body)['error']['message'][:70]}")


def token(program: str, model: str) -> None:
    server = Served(program, "--model", model)
    file = server.folder / "token"
    file.write_text("a-long-secret\n")
    file.chmod(0o600)
    server.options = (*server.options, "--token-file", str(file), "--host", "0.0.0.0")
    with server:
        url = f"http://127.0.0.1:{server.port}"
        check(curl(url + "/v1/models")[0] == 401, "no token: 401")
        check(curl(url + "/v1/models", "-H", "Authorization: Bearer a-long-secre")[0] == 401, "a wrong token: 401")
        check(curl(url + "/v1/models", "-H", "Authorization: Bearer a-long-secret")[0] == 200, "the token: 200")
        check(curl(url + "/metrics")[0] == 401 and curl(url + "/health")[0] == 200, "metrics need it, health does not")
        check("a-long-secret" not in (server.folder / "log").read_text(), "it stands in no log")
    refused = subprocess.run([program, "serve", "--model", model, "--host", "0.0.0.0", "--port", "0"], capture_output=True, text=True,
                             env=server.environment, timeout=60)
    check(refused.returncode == 2 and "token" in refused.stderr, "an address that others reach is refused without one")


if not shutil.which("curl"):
    skip("no curl")
tiny = str(ROOT / "tests/fixtures/models/llama")
with Served(sys.argv[1], "--model", tiny) as running:
    apis(running.url, running.folder)
    refusals(running.url)
token(sys.argv[1], tiny)
