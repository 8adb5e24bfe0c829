#!/usr/bin/env python3
"""10,000 malformed requests, made from a seed: every one gets an answer or a closed connection, none an answer of 500,
and the server is as well afterwards as before."""

import argparse
import json
import os
import random
import socket
import sys

from served import ROOT, Served, check

VALUES = [None, True, -1, 0, 1, 2**31, 2**63, 2**64, -2**63, 1.5, 1e308, "", "x", "\x00", "../../etc/passwd", "/etc/passwd",
          "/dev/random", "sha256-" + "a" * 63, "x" * 5000, "é" * 100, [], [[]], {}, {"a": {"b": []}}, [None] * 300, ["x"] * 300]
MEMBERS = ["model", "messages", "prompt", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "n", "seed",
           "stop", "stream", "stream_options", "logit_bias", "logprobs", "top_logprobs", "tools", "tool_choice",
           "response_format", "format", "options", "keep_alive", "think", "images", "suffix", "template", "system", "raw",
           "input", "encoding_format", "dimensions", "training_file", "validation_file", "method", "hyperparameters", "name"]
PATHS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/files", "/v1/fine_tuning/jobs", "/api/chat",
         "/api/generate", "/api/show", "/api/embed", "/api/embeddings", "/api/pull", "/api/delete", "/v1/models"]
TARGETS = ["/v1/files/../../../../etc/passwd", "/v1/files/..%2f..%2fserve.db", "/v1/files/%252e%252e%252fserve.db",
           "/v1/files/%00", "/v1/files/file-x/content", "/v1/models//etc/passwd", "/v1/models/%2e%2e", "/..", "//", "/%",
           "/v1/fine_tuning/jobs/..", "/v1/fine_tuning/jobs/x/events?limit=-1", "/v1/files?limit=99999999999999999999",
           "/v1/files?after=%ff", "/api/blobs/sha256:../../x", "/" + "a" * 9000, "/v1/models/C:%5Cwindows", "/\\\\host\\x"]


def value(draw: random.Random, depth: int = 0):
    kind = draw.randrange(8)
    if kind == 0 and depth < 3:
        return {draw.choice(MEMBERS + ["role", "content", "type", "text"]): value(draw, depth + 1)
                for _ in range(draw.randrange(4))}
    if kind == 1 and depth < 3:
        return [value(draw, depth + 1) for _ in range(draw.randrange(4))]
    return draw.choice(VALUES)


def json_body(draw: random.Random) -> bytes:
    body = {draw.choice(MEMBERS): value(draw) for _ in range(draw.randrange(1, 7))}
    if draw.random() < 0.5:
        body["model"] = "llama"
        body.setdefault("messages", [{"role": "user", "content": "x"}])
        body.setdefault("prompt", "x")
        body.update(max_tokens=draw.choice([0, -1, "x", 1.5, 2**40, []]))  # never an answer that takes long
        body.update(options={"num_predict": draw.choice(["x", -5, 1.5])})
    text = json.dumps(body).encode()
    kind = draw.randrange(10)
    if kind == 0:
        text = text[:draw.randrange(len(text))]
    elif kind == 1:
        at = draw.randrange(len(text))
        text = text[:at] + bytes([draw.randrange(256)]) + text[at + 1:]
    elif kind == 2:
        text = draw.choice([b"[" * 100_000, b'{"a":' * 2000, b'{"n":1e400}', b'{"n":NaN}', b'{"a":1,"a":2}', b"\xff\xfe{}", b""])
    return text


def request(draw: random.Random) -> bytes:
    kind = draw.randrange(10)
    host = draw.choice(["localhost"] * 12 + ["evil.example", "127.0.0.1.evil.example", "", "[::1"])
    if kind == 0:
        return bytes(draw.randrange(256) for _ in range(draw.randrange(1, 200))) + b"\r\n\r\n"
    if kind == 1:
        target, method = draw.choice(TARGETS), draw.choice(["GET", "POST", "DELETE", "PUT", "TRACE", "CONNECT", "get", "G(T"])
        return f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    body = json_body(draw)
    lines = [f"POST {draw.choice(PATHS)} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines.append(draw.choice(["Content-Type: application/json"] * 6 + [
        "Content-Type: text/plain", "Content-Type: multipart/form-data; boundary=x", "Content-Type: multipart/form-data",
        "Content-Encoding: gzip", "Origin: http://evil.example", "Sec-Fetch-Site: cross-site", "Expect: nothing"]))
    if kind == 2:
        lines += draw.choice([["Transfer-Encoding: chunked"], ["Transfer-Encoding: chunked", "Content-Length: 3"],
                              ["Content-Length: 3", "Content-Length: 4"], ["Content-Length: -1"], ["Content-Length: 1e3"],
                              ["Content-Length: 99999999999999999999"], ["X: " + "y" * 40_000], ["X: y"] * 150])
        body = draw.choice([b"-1\r\nx\r\n0\r\n\r\n", b"zz\r\n", b"3\r\nabcX\r\n", b"ffffffffffffffff\r\nx", body])
    else:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer
        except (ConnectionResetError, BrokenPipeError):
            return b""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw, statuses = random.Random(options.seed), {}
    with Served(options.program, "--model", str(ROOT / "tests/fixtures/models/llama"), "--pull-hosts", "none.example") as server:
        descriptors = f"/proc/{server.process.pid}/fd"
        before = len(os.listdir(descriptors)) if os.path.isdir(descriptors) else 0
        for number in range(options.requests):
            data = request(draw)
            answer = ask(server.port, data)
            status = answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.1 ") else "closed"
            statuses[status] = statuses.get(status, 0) + 1
            if status.startswith("5") and status not in ("503", "505", "507") or server.process.poll() is not None:
                raise SystemExit(f"FAILED: request {number} of seed {options.seed}: {answer[:500]!r} to {data[:2000]!r}")
            if b"root:" in answer:
                raise SystemExit(f"FAILED: request {number} of seed {options.seed} reads a file: {data[:500]!r}")
        print(dict(sorted(statuses.items())))
        check(server.request("GET", "/health")[0] == 200, "the server is well afterwards")
        check(server.wait_idle(), "nothing runs")
        status, answer = server.request("POST", "/v1/completions", {"model": "llama", "prompt": "x", "max_tokens": 2})
        check(status == 200, "it answers")
        if before:
            check(len(os.listdir(descriptors)) <= before + 8, "no descriptor is left open")
        check(server.stop() == 0, "it ends when asked to")


if __name__ == "__main__":
    main()
