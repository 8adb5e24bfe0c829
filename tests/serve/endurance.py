#!/usr/bin/env python3
"""Minutes of mixed load with flat memory: chats, completions, embeddings, streams cut off, bad requests, adapters, models
that come and go, files. Prints the memory every minute; meant for a build with the address sanitizer.

    python3 tests/serve/endurance.py build/asan-ubsan/bin/mlx-toolkit --minutes 30

After the warm-up (a fifth of the time) what is allocated and not freed must be flat: the median of the last fifth is
compared with that of the fifth after the warm-up. The resident memory, in which the allocator's own free blocks count, may
grow by --growth-mb at most, the highest values compared. Both without the free buffers that MLX keeps (32 MB at most)."""

import argparse
import base64
import http.client
import json
import os
import random
import shutil
import socket
import statistics
import struct
import subprocess
import threading
import time

import malformed
from served import ROOT, Served, check, has_encoder

SCHEMA = {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["a"], "additionalProperties": False}
TOOL = {"type": "function", "function": {"name": "clock", "parameters": SCHEMA}}
SYSTEM = {"role": "system", "content": "You are brief."}


class Load:
    """What the clients do, each in turn at random."""

    def __init__(self, server: Served, models: list[str]):
        self.server, self.models = server, models
        self.statuses: dict[str, int] = {}
        self.faults: list[str] = []
        self.lock = threading.Lock()
        self.over = threading.Event()

    def count(self, what: str, status: int | str, body: bytes = b"") -> None:
        with self.lock:
            self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
            if str(status).startswith("5") and str(status) not in ("503", "505", "507"):
                self.faults.append(f"{what}: {status} {body[:500]!r}")

    def ask(self, what: str, path: str, body=None, method: str = "POST", expect: tuple = (200, 429, 503)) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        try:
            data = None if body is None else json.dumps(body).encode()
            connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
            answer = connection.getresponse()
            text = answer.read()
            self.count(what, answer.status, text)
            if answer.status not in expect:
                with self.lock:
                    self.faults.append(f"{what}: {answer.status} {text[:500]!r}")
            return text
        finally:
            connection.close()

    def messages(self, draw: random.Random) -> list[dict]:
        text = " ".join(draw.choice(["blue", "stone", "river", "seven"]) for _ in range(draw.randrange(1, 8)))
        return [SYSTEM, {"role": "user", "content": text}]

    def chat(self, draw: random.Random) -> None:
        body = {"model": draw.choice(self.models), "messages": self.messages(draw), "max_tokens": draw.randrange(1, 24),
                "temperature": draw.choice([0, 1]), "stream": draw.random() < 0.6}
        body.update(draw.choice([{}, {"n": 2}, {"logprobs": True, "top_logprobs": 3}, {"stop": ["e"]}, {"seed": 1},
                                 {"presence_penalty": 1, "repetition_penalty": 1.1}, {"logit_bias": {"5": -100}}]))
        self.ask("chat", "/v1/chat/completions", body)

    def constrained(self, draw: random.Random) -> None:
        body = {"model": draw.choice(self.models), "messages": self.messages(draw), "max_tokens": 24}
        body.update(draw.choice([
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            {"response_format": {"type": "json_object"}}, {"tools": [TOOL], "tool_choice": "required"}, {"tools": [TOOL]}]))
        self.ask("constrained", "/v1/chat/completions", body)

    def completion(self, draw: random.Random) -> None:
        body = {"model": draw.choice(self.models), "prompt": "one two " * draw.randrange(1, 12), "max_tokens": draw.randrange(1, 16)}
        body.update(draw.choice([{}, {"echo": True, "logprobs": 1}, {"stream": True}, {"n": 3}]))
        self.ask("completion", "/v1/completions", body)

    def ollama(self, draw: random.Random) -> None:
        options = {"num_predict": draw.randrange(1, 16), "seed": draw.randrange(5), "mirostat": draw.choice([0, 2])}
        body = {"model": draw.choice(self.models), "options": options, "stream": draw.random() < 0.7}
        if draw.random() < 0.5:
            self.ask("api/chat", "/api/chat", body | {"messages": self.messages(draw)})
        else:
            self.ask("api/generate", "/api/generate", body | {"prompt": "three"})

    def embedding(self, draw: random.Random) -> None:
        model = "sample://all-minilm-l6-v2" if has_encoder() and draw.random() < 0.5 else "llama"
        self.ask("embedding", "/v1/embeddings", {"model": model, "input": ["red", "a stone in the river"][:draw.randrange(1, 3)]})

    def cut_off(self, draw: random.Random) -> None:
        body = json.dumps({"model": draw.choice(self.models), "messages": self.messages(draw), "max_tokens": 200,
                           "ignore_eos": True, "stream": True}).encode()
        head = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            kind = draw.randrange(4)
            connection.sendall(head + (body[:len(body) // 2] if kind == 0 else body))
            if kind == 1:
                connection.shutdown(socket.SHUT_WR)
            if kind:
                connection.recv(draw.randrange(1, 2000))
            if kind == 2:  # a reset instead of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.count("cut off", "cut off")

    def slow(self, draw: random.Random) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=60) as connection:
            for byte in b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n":
                connection.sendall(bytes([byte]))
                if self.over.wait(draw.random() * 0.02):
                    break
        self.count("slow", "slow")

    def bad(self, draw: random.Random) -> None:
        for _ in range(10):
            answer = malformed.ask(self.server.port, malformed.request(draw))
            self.count("bad", answer[9:12].decode(errors="replace") if answer.startswith(b"HTTP/1.1 ") else "closed", answer)

    def comes_and_goes(self, _: random.Random) -> None:
        self.ask("unload", "/api/generate", {"model": "llama_mlx_4bit", "keep_alive": 0})
        self.ask("load", "/api/generate", {"model": "llama_mlx_4bit", "prompt": "x", "stream": False, "keep_alive": "1m",
                                           "options": {"num_predict": 2}})

    def files(self, _: random.Random) -> None:
        body = b"--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n--x\r\nContent-Disposition: " \
               b"form-data; name=\"file\"; filename=\"rows.jsonl\"\r\n\r\n" + base64.b64encode(os.urandom(30_000)) + b"\r\n--x--\r\n"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("POST", "/v1/files", body, {"Content-Type": "multipart/form-data; boundary=x"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        self.count("file", answer.status, text)
        self.ask("file", "/v1/files/" + json.loads(text)["id"], method="DELETE")

    def look(self, _: random.Random) -> None:
        for path in ("/metrics", "/slots", "/health", "/v1/models", "/api/ps", "/api/tags", "/openapi.json", "/v1/files"):
            self.ask("look", path, method="GET")

    def client(self, seed: int) -> None:
        draw = random.Random(seed)
        kinds = [self.chat] * 6 + [self.constrained] * 3 + [self.completion] * 3 + [self.ollama] * 3 + [self.embedding] * 3 + [
            self.cut_off] * 3 + [self.bad] * 2 + [self.comes_and_goes, self.files, self.look, self.slow]
        while not self.over.is_set():
            kind = draw.choice(kinds)
            try:
                kind(draw)
            except OSError as error:  # a connection closed on a client that the server has too many of
                self.count(kind.__name__, type(error).__name__)
                if self.server.process.poll() is not None:
                    return


def memory_mb(server: Served) -> tuple[float, float] | None:
    """Resident and allocated, as the program tells it, without MLX's free buffers; nothing while it takes no more clients."""
    try:
        status, page = server.request("GET", "/metrics")
    except OSError:
        return None
    if status != 200:
        return None
    values = dict(line.split() for line in page.splitlines() if line.count(" ") == 1)
    cached = float(values["toolkit_buffer_cache_bytes"])
    return tuple((float(values[f"toolkit_process_{kind}_memory_bytes"]) - cached) / 1e6 for kind in ("resident", "allocated"))


def make_model(server: Served) -> str:
    """The tiny model of the fixtures with room for the descriptions of tools."""
    folder = server.folder / "llama"
    shutil.copytree(ROOT / "tests/fixtures/models/llama", folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 2048}))
    return str(folder)


def make_adapters(program: str, server: Served, model: str, count: int) -> list[str]:
    """Trained for a step each, from different seeds."""
    rows = server.folder / "rows.jsonl"
    rows.write_text(json.dumps({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}) + "\n")
    made = []
    for number in range(count):
        folder = server.folder / f"style-{number}"
        subprocess.run([program, "finetune", "--model", model, "--data", str(rows), "--steps", "1", "--sample", "0", "--seed",
                        str(number), "--output", str(folder), "--json"], check=True, stdout=subprocess.DEVNULL,
                       env=server.environment)
        made.append(f"style-{number}={folder}")
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--growth-mb", type=float, default=32, help="that the resident memory may grow after the warm-up")
    parser.add_argument("--allocated-growth-mb", type=float, default=1, help="and what is allocated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trainer", help="another program that trains the adapters")
    options = parser.parse_args()
    # What the sanitizer keeps of freed memory must be full before the warm-up ends. It never forgets the stack of an
    # allocation, and behind code without frame pointers nearly each looks new (556,000 in 5 minutes, 30 MB), so it is told to
    # note the function that allocates alone; give ASAN_OPTIONS to learn more of a finding.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=16:malloc_context_size=1")
    server = Served(options.program)
    model = make_model(server)
    adapters = make_adapters(options.trainer or server.program, server, model, 3)
    server.options = ("--model", model, "--model", str(ROOT / "tests/fixtures/models/llama_mlx_4bit"), "--cache-gb", "0.004",
                      "--pull-hosts", "none.example", *[f"--adapter={adapter}" for adapter in adapters])
    with server:
        load = Load(server, ["llama"] + [adapter.split("=")[0] for adapter in adapters])
        clients = [threading.Thread(target=load.client, args=(options.seed * 1000 + number,)) for number in range(options.clients)]
        begin, seconds, samples, told = time.monotonic(), options.minutes * 60, [], -1
        for client in clients:
            client.start()
        while (now := time.monotonic() - begin) < seconds and not load.faults and server.process.poll() is None:
            if memory := memory_mb(server):
                samples.append((now, *memory))
            if memory and int(now / 60) > told:
                told = int(now / 60)
                print("minute {}: {:.1f} MB resident, {:.2f} MB allocated, {} requests".format(
                    told, *memory, sum(load.statuses.values())), flush=True)
            time.sleep(1)
        load.over.set()
        for client in clients:
            client.join(180)
        if server.process.poll() is not None:
            raise SystemExit(f"FAILED: the server ended: {(server.folder / 'log').read_text()[-4000:]}")
        print("end: {:.1f} MB resident, {:.2f} MB allocated;".format(*memory_mb(server)), dict(sorted(load.statuses.items())), flush=True)
        check(not load.faults, "no answer of 500" + "".join("\n  " + fault for fault in load.faults[:5]))
        check(server.wait_idle(60), "nothing runs afterwards")

        def part(begin: float, end: float, of: int) -> list[float]:
            return [sample[of] for sample in samples if begin * seconds <= sample[0] <= end * seconds]

        warm, last = max(part(0.2, 0.4, 1)), max(part(0.8, 1.0, 1))
        check(last - warm <= options.growth_mb,
              f"after the warm-up the resident memory grew by {last - warm:+.1f} MB (from {warm:.1f}), {options.growth_mb:g} may be")
        warm, last = statistics.median(part(0.2, 0.4, 2)), statistics.median(part(0.8, 1.0, 2))
        check(last - warm <= options.allocated_growth_mb,
              f"what is allocated grew by {last - warm:+.2f} MB (from {warm:.2f}), {options.allocated_growth_mb:g} may be")
        check(server.stop() == 0, "SIGTERM ends the server")
        log = (server.folder / "log").read_text()
        check("Sanitizer" not in log and "runtime error" not in log, "no word of a sanitizer " + log[-3000:] * ("anitizer" in log))


if __name__ == "__main__":
    main()
