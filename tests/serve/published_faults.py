#!/usr/bin/env python3
"""What other servers of models were published to be open to (CVE lists of Ollama, llama.cpp, vLLM, MLflow, Gradio, MCP), as
requests to this one: each is refused, reads no file and leaves the server as it was."""

import http.client
import json
import os
import pathlib
import socket
import struct
import sys

from served import ROOT, Served, check

SECRET = "a file that no client may read"
CHAT = {"model": "llama", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}


class Faults:
    def __init__(self, server: Served, secret: pathlib.Path):
        self.server, self.secret = server, str(secret)

    def send(self, method: str, path: str, body=None, headers: dict | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        connection.putrequest(method, path, skip_host=bool(headers and "Host" in headers))
        for name, value in ({"Content-Type": "application/json", "Content-Length": str(len(data or b""))} | (headers or {})).items():
            connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        connection.close()
        check(SECRET not in text and "root:" not in text, f"{path[:50]}: nothing of a file")
        return answer.status, text

    def refused(self, what: str, method: str, path: str, body=None, headers: dict | None = None, among=range(400, 500)) -> str:
        status, text = self.send(method, path, body, headers)
        check(status in among, f"{what}: {status}")
        return text

    def paths(self) -> None:
        """A path from a client opens no file."""
        digests = ["sha256:../../x", "sha256-" + "a" * 63, "sha256:" + "A" * 64, "../../../etc/passwd", "%2e%2e%2fserve.db"]
        for digest in digests:
            self.refused("CVE-2024-37032 (Ollama): a digest that is a path", "POST", "/api/blobs/" + digest, among=[400, 403, 404])
        for name in ("../../x", "/etc/passwd", self.secret, "file://" + self.secret, "ollama://../../x", "hf://../../x", "..\\..\\x",
                     "C:\\windows\\x", "\\\\?\\x", "//host/x", "/dev/random", "/proc/self/mem", str(pathlib.Path(self.secret).parent)):
            for path, body in (("/api/show", {"model": name}), ("/v1/chat/completions", CHAT | {"model": name}),
                               ("/v1/embeddings", {"model": name, "input": "x"})):
                self.refused("CVE-2024-39722, -39719 (Ollama), -2026-28414 (Gradio): a path as a model", "POST", path, body, among=[400, 404])
        self.refused("CVE-2024-45436 (Ollama): a model made of a client's files", "POST", "/api/create",
                     {"model": "x", "files": {"../../x": "sha256:" + "0" * 64}, "modelfile": "FROM " + self.secret}, among=[403])
        there = self.refused("CVE-2024-39719 (Ollama): whether a file exists", "POST", "/api/show", {"model": self.secret})
        missing = self.refused("CVE-2024-39719 (Ollama): whether a file exists", "POST", "/api/show", {"model": self.secret + "x"})
        check(there.replace(self.secret, "") == missing.replace(self.secret + "x", ""), "the same answer for a file that is there")
        for path in ("/v1/files/../../serve.db", "/v1/files/..%2f..%2fserve.db", "/v1/files/%252e%252e%252fserve.db", "/v1/files/x%00",
                     "/v1/files/..%5c..%5cx", "/v1/files/x%23/content", "/v1/fine_tuning/jobs/..%2f..%2fx/events",
                     "/v1/models/..%2f..%2fetc%2fpasswd"):
            self.refused("CVE-2023-1177, -2780, 2024-1560, -3848, 2026-2614 (MLflow): traversal, encoded once and twice", "GET", path)
        boundary = b"--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n--x\r\nContent-Disposition: form-data; " \
                   b"name=\"file\"; filename=\"../../../../tmp/owned\"\r\n\r\n{}\r\n--x--\r\n"
        status, text = self.send("POST", "/v1/files", boundary, {"Content-Type": "multipart/form-data; boundary=x"})
        check(status == 200 and json.loads(text)["filename"] == "owned" and not pathlib.Path("/tmp/owned").exists(),
              "a file's name is only shown")
        for job in ({"training_file": "../../serve.db"}, {"training_file": "/etc/passwd"}, {"training_file": "file-x", "suffix": "../x"},
                    {"training_file": "file-x", "suffix": "; touch /tmp/owned"}):
            self.refused("a job whose files are paths or commands", "POST", "/v1/fine_tuning/jobs", {"model": "llama"} | job)

    def network(self) -> None:
        """A client does not send this server about the network."""
        for name in ("http://169.254.169.254/latest/meta-data", "169.254.169.254/x/y", "localhost:22/x/y", "ollama://127.0.0.1:1/x/y",
                     "registry.ollama.ai@evil.example/x/y", "hf.co.evil.example/x/y"):
            self.refused("CVE-2026-28416 (Gradio), CVE-2025-51471 (Ollama): a pull from another host", "POST", "/api/pull", {"model": name},
                         among=[400, 403])
        for url in ("file://" + self.secret, "http://169.254.169.254/x", "data:image/png;base64,AAAA"):
            self.refused("vLLM's media fetching: an address in a message", "POST", "/v1/chat/completions", CHAT | {"messages": [
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]})

    def pages(self) -> None:
        """Another site's page gets no answer."""
        for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"}, {"Host": "0.0.0.0"},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                        {"Origin": "http://localhost.evil.example"}):
            self.refused("CVE-2024-28224 (Ollama), 2025-66414 (MCP), llama.cpp #25606: rebinding and foreign pages", "POST",
                         "/v1/chat/completions", CHAT, headers, among=[403])
        self.refused("CVE-2025-63389 (Ollama): a form's content type", "POST", "/v1/chat/completions", CHAT, {"Content-Type": "text/plain"},
                     among=[415])
        self.refused("a preflight of a foreign page", "OPTIONS", "/v1/chat/completions", None, {"Origin": "http://evil.example"}, among=[403])

    def numbers(self) -> None:
        """Every number is checked, and nothing is so large that it takes the server down."""
        values = [-1, 2**31, 2**63, 2**64, -2**63, 1e308, "x", [], {}, True]
        for member in ("max_tokens", "n", "top_logprobs", "seed", "temperature", "top_p", "top_k", "presence_penalty"):
            for value in values:
                status, text = self.send("POST", "/v1/chat/completions", CHAT | {member: value})
                check(status in (200, 400), f"CVE-2026-21869 (llama.cpp): {member} {value!r}: {status}")
        for option in ("num_ctx", "num_keep", "num_predict", "num_batch", "repeat_last_n", "mirostat", "top_k", "n_discard", "num_gpu"):
            for value in values:
                status, text = self.send("POST", "/api/generate", {"model": "llama", "prompt": "x", "stream": False,
                                                                   "options": {"num_predict": 1, option: value}})
                check(status in (200, 400), f"CVE-2024-39720, -12055 (Ollama), 2026-21869: option {option} {value!r}: {status}")
        for what, more in (("stop texts", {"stop": ["x"] * 100_000}), ("a bias for every token", {"logit_bias": {str(i): 1 for i in range(5000)}}),
                           ("tools", {"tools": [{"type": "function", "function": {"name": f"f{i}"}} for i in range(5000)]}),
                           ("messages", {"messages": CHAT["messages"] * 100_000}), ("answers", {"n": 10**6}),
                           ("a long prompt", {"messages": [{"role": "user", "content": "x " * 200_000}]}),
                           ("a schema that never ends", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
                               "$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}}}}),
                           ("a schema's pattern", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
                               "type": "string", "pattern": "(((a{1,900}){1,900}){1,900})"}}}}),
                           ("a schema's counts", {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {
                               "type": "array", "items": {"type": "string"}, "minItems": 2**31}}}})):
            # A schema may be answered where its first tokens take little work.
            self.refused(f"CVE-2026-5497, 2025-48944, -48956 (vLLM): {what}", "POST", "/v1/chat/completions", CHAT | more,
                         among=[200, 400] if "schema" in what else [400])
        self.refused("CVE-2025-48887 (vLLM): a tool call's text that a pattern stumbles over", "POST", "/v1/chat/completions", CHAT | {
            "messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "[" * 100_000}}]}]}, among=[200, 400])
        template = "{{ ''.__class__.__mro__[1].__subclasses__() }}{% for i in range(10**9) %}x{% endfor %}"
        status, text = self.send("POST", "/v1/chat/completions", CHAT | {"chat_template": template})
        check(status in (200, 400) and "subclasses" not in text, "CVE-2024-34359 (llama-cpp-python): a client's template is not run")

    def bodies(self) -> None:
        for what, body in (("depth", b"[" * 100_000), ("members twice", b'{"model":"llama","model":"x"}'), ("NaN", b'{"temperature":NaN}'),
                           ("no text", b"\xff\xfe"), ("a surrogate", b'{"model":"\\ud800"}'), ("1e400", b'{"model":"llama","seed":1e400}')):
            self.refused(f"a body with {what}", "POST", "/v1/chat/completions", body)
        self.refused("CVE-2024-12886 (Ollama): a body that unpacks", "POST", "/v1/chat/completions", b"\x1f\x8b\x08" + b"\0" * 100,
                     {"Content-Encoding": "gzip"}, among=[400, 415])
        for what, head in (("CVE-2025-46728 (cpp-httplib): chunks without end", b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\nx"),
                           ("CVE-2026-45352 (cpp-httplib): a negative chunk", b"Transfer-Encoding: chunked\r\n\r\n-2\r\nx"),
                           ("CVE-2025-53628 (cpp-httplib): a line without end", b"X: " + b"y" * 100_000 + b"\r\n\r\n"),
                           ("CVE-2025-52887 (cpp-httplib): headers without end", b"X: y\r\n" * 5000 + b"\r\n"),
                           ("smuggling: two lengths", b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}"),
                           ("smuggling: a length and chunks", b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")):
            with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
                try:
                    connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + head)
                    connection.shutdown(socket.SHUT_WR)
                    answer = connection.recv(1000)
                except OSError:
                    answer = b""
            check(answer == b"" or answer[9:10] == b"4", f"{what}: {answer[9:12].decode() or 'closed'}")

    def models(self) -> None:
        """A model whose file lies about itself is refused by name and takes nothing with it (it lies in the server's own folder)."""
        status, text = self.send("POST", "/v1/chat/completions", CHAT | {"model": "bad"})
        check(status in (400, 404, 500) and "Traceback" not in text, f"CVE-2026-7482, 2026-33298, 2026-27940: a GGUF that lies: {status}")


def lying_gguf(path: pathlib.Path) -> None:
    """One tensor of 2^62 elements in a file of 100 bytes."""
    name = b"token_embd.weight"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + struct.pack("<Q", len(name)) + name
                     + struct.pack("<IQQIQ", 2, 2**31, 2**31, 0, 0) + b"\0" * 32)


with Served(sys.argv[1], "--model", str(ROOT / "tests/fixtures/models/llama"), "--context", "200") as running:
    secret_file = running.folder / "secret.txt"
    secret_file.write_text(SECRET)
    faults = Faults(running, secret_file)
    faults.paths()
    faults.network()
    faults.pages()
    faults.numbers()
    faults.bodies()
    check(running.request("POST", "/v1/chat/completions", CHAT)[0] == 200 and running.wait_idle(30), "the server is as it was")
    check("Bearer" not in (running.folder / "log").read_text(), "its log holds no secret")
    check(running.stop() == 0, "it ends when asked to")
bad = Served(sys.argv[1])
lying_gguf(bad.folder / "bad.gguf")
bad.options = ("--model", str(bad.folder / "bad.gguf"))
try:
    bad.start()
except SystemExit as error:
    check("bad.gguf" in str(error) and bad.process.wait(20) in (1, 2), "CVE-2026-7482, 2026-33298 (llama.cpp): a file that lies is refused at the start")
else:
    raise SystemExit("FAILED: a model that lies was served")
